"""A checkpoint's `training_problems.txt`: the problems that it was trained on, which flatter it."""

from __future__ import annotations

import re
from pathlib import Path

from ml.errors import BadRecord, MisstepError

HASH = re.compile(r"[0-9a-f]{16}")
EXPECTED = "a checkpoint's training_problems.txt"


def named_problems(path: Path) -> frozenset[str]:
    """The problems that the file names by their hashes.

    Raises BadRecord for a word that is no hash, MisstepError where there is no file or it names nothing: in front of
    another file, a model would seem to have seen none of the problems, and be praised for what it knows by heart.
    """
    if not path.is_file():
        raise MisstepError(f"{path}: no such file, expected {EXPECTED}")
    found: set[str] = set()
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    for number, line in enumerate(lines, start=1):
        for word in line.split():
            if not HASH.fullmatch(word):
                expected = f"16 digits of 0-9 and a-f that name a problem, as in {EXPECTED}"
                raise BadRecord(str(path), number, f"{word!r:.60}", expected)
            found.add(word)
    if not found:
        raise MisstepError(f"{path}: no problem, expected {EXPECTED}")
    return frozenset(found)
