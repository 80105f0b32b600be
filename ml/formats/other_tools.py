"""Recognises the files of other tools, to say what they are and how they become one of our formats."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ml.said import Said

HOW = Said("(docs/formats.md, “Files of other tools”, has the conversion)")
EXPECTED = Said("one JSON object a line %(how)s", how=HOW)
# Keys that a record of the tool has, all of the first and one of the second.
TOOLS: Mapping[str, tuple[frozenset[str], frozenset[str]]] = {
    "Label Studio": (frozenset({"annotations"}), frozenset({"data", "result", "completed_by"})),
    "Argilla": (frozenset({"fields"}), frozenset({"responses", "suggestions"})),
}
_KEY = re.compile(rb'"(\w+)"\s*:')


def array_in(head: bytes) -> str | None:
    """What a file is that begins with these bytes, where that is one JSON array; else None."""
    if not head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"["):
        return None
    tool = _tool_of({key.decode() for key in _KEY.findall(head)})
    if tool is None:
        return Said("one JSON array over the whole file")
    return Said("one JSON array over the whole file, as %(tool)s exports it", tool=tool)


def record_of_tool(record: Mapping[str, Any]) -> str | None:
    """What a line is that another tool wrote; None for any other."""
    tool = _tool_of(set(record))
    return Said("a record of %(tool)s", tool=tool) if tool else None


def _tool_of(keys: set[str]) -> str | None:
    return next(
        (tool for tool, (all_of, some_of) in TOOLS.items() if all_of <= keys and some_of & keys), None
    )
