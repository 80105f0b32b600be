"""Reads JSON Lines that a stranger wrote: in bounded memory, and with one clear message for each bad line.

Nothing here knows a label format. What the product cannot store (NUL, lone surrogates, infinities) is
refused here, once, instead of failing later inside the database.
"""

from __future__ import annotations

import codecs
import gzip
import json
import math
import re
import zlib
from collections.abc import Callable, Generator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ml.errors import BadRecord
from ml.formats.other_tools import EXPECTED, array_in
from ml.said import Said

OnError = Callable[[BadRecord], None]

# Deeper than a tree of `math_aps` at its deepest. A value that is barely parsed could not be written or compared.
DEEPEST = 256
# How far into a file its kind is looked for.
PEEKED = 2**16
GZIP_MAGIC = b"\x1f\x8b"
# A JSON escape that may stand for a NUL or for half a surrogate pair; only such lines pay for a deep look.
SUSPICIOUS_ESCAPE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a file may cost. `ratio` binds after `ratio_after` bytes: small files may repeat themselves. Of the
    rows that a row's meaning may depend on, no more than the first `rows_ahead` are looked at; None: all.
    """

    line_bytes: int = 16 * 2**20
    total_bytes: int = 4 * 2**30
    ratio: int = 200
    ratio_after: int = 16 * 2**20
    rows_ahead: int | None = None


class Unreadable(Exception):
    """What was found and what was expected, on the line at hand; the reader adds the file and the line."""

    def __init__(self, found: str, expected: str, fatal: bool = False) -> None:
        self.found, self.expected, self.fatal = Said.of(found), Said.of(expected), fatal
        super().__init__(f"{found}, expected {expected}")


class ByteLines:
    """Lines of a plain or gzip file as bytes, never more than one limit of them in memory."""

    def __init__(self, raw: IO[bytes], limits: Limits, must_be_gzip: bool) -> None:
        self.raw, self.limits = raw, limits
        if not raw.seekable():
            raise Unreadable("a pipe", "a file that can be read twice", fatal=True)
        # The content decides, not the name: uploads lose their names, and JSON never starts with these bytes.
        self.compressed = raw.read(len(GZIP_MAGIC)) == GZIP_MAGIC
        raw.seek(0)
        if must_be_gzip and not self.compressed:
            raise Unreadable(
                "a .gz name on a file that is not gzip", "gzip data, or a .jsonl name", fatal=True
            )
        self.stream = gzip.GzipFile(fileobj=raw, mode="rb") if self.compressed else raw
        self.total = 0

    def next_line(self) -> bytes | None:
        """The next line with its newline, or None at the end; raises Unreadable when it breaks a limit."""
        line = self._read(self.limits.line_bytes + 1)
        if len(line) > self.limits.line_bytes:
            self._skip_to_newline(line)
            raise Unreadable(
                Said("a line longer than %(size)s", size=_megabytes(self.limits.line_bytes)),
                "one JSON object of ordinary size",
            )
        return line or None

    def refuse_array(self) -> None:
        """Raises Unreadable for a file that is one array: its first line may be all of it, or a mere bracket."""
        try:
            # Both kinds of streams look ahead without a step.
            head = self.stream.peek(PEEKED)  # type: ignore[union-attr]
        except (EOFError, zlib.error, gzip.BadGzipFile):
            # Told when it is read.
            return
        if (found := array_in(head[:PEEKED])) is not None:
            raise Unreadable(found, EXPECTED, fatal=True)

    def _skip_to_newline(self, line: bytes) -> None:
        while line and not line.endswith(b"\n"):
            line = self._read(2**20)

    def _read(self, size: int) -> bytes:
        try:
            line = self.stream.readline(size)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise Unreadable(
                Said("broken gzip data (%(why)s)", why=error), "a whole gzip file", fatal=True
            ) from error
        self.total += len(line)
        if self.compressed:
            self._refuse_bombs()
        return line

    def _refuse_bombs(self) -> None:
        limits, packed = self.limits, max(self.raw.tell(), 1)
        if self.total > limits.total_bytes:
            raise Unreadable(
                Said("gzip data that unpacks to more than %(size)s", size=_megabytes(limits.total_bytes)),
                "a smaller file, or several",
                fatal=True,
            )
        if self.total > limits.ratio_after and self.total > limits.ratio * packed:
            raise Unreadable(
                Said("gzip data that grows more than %(ratio)s-fold when unpacked", ratio=limits.ratio),
                "JSON lines, which do not",
                fatal=True,
            )


def read_objects(
    path: Path, name: str, limits: Limits, on_error: OnError
) -> Generator[tuple[int, dict[str, Any]]]:
    """Yield (1-based line, object) for each line that is a JSON object; blank lines are passed over.

    Every other line goes to `on_error` as a BadRecord, and the reading goes on where that makes sense.
    An unreadable file is an error of line 1; so is a file without any record.
    """
    with ExitStack() as stack:
        line, seen = 0, False
        try:
            lines = ByteLines(stack.enter_context(path.open("rb")), limits, path.name.endswith(".gz"))
            lines.refuse_array()
        except Unreadable as error:
            return on_error(BadRecord(name, 1, error.found, error.expected))
        except OSError as error:
            return on_error(
                BadRecord(
                    name, 1, Said("no readable file (%(why)s)", why=error.strerror), "a JSON Lines file"
                )
            )
        while True:
            line += 1
            try:
                raw = lines.next_line()
                if raw is None:
                    break
                if line == 1:
                    raw = raw.removeprefix(codecs.BOM_UTF8)
                    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                        raise Unreadable("UTF-16 text", "UTF-8 text", fatal=True)
                if not raw.strip():
                    continue
                seen = True
                record = parse_object(raw)
            except Unreadable as error:
                seen = True
                on_error(BadRecord(name, line, error.found, error.expected))
                if error.fatal:
                    return
            else:
                yield line, record
        if not seen:
            on_error(BadRecord(name, 1, "an empty file", "one JSON object a line"))


def parse_object(raw: bytes) -> dict[str, Any]:
    """One JSON object from one line of UTF-8; raises Unreadable."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Unreadable(
            Said("invalid UTF-8 at byte %(place)s of the line", place=error.start + 1), "UTF-8 text"
        ) from error
    if "\x00" in text:
        raise Unreadable("a NUL character", "text without NUL, which the database cannot store")
    try:
        # What is cut off is missed at the line's end, and not in a line of its own behind it.
        value = json.loads(text.rstrip(), parse_float=_finite, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise Unreadable(
            Said("broken JSON (%(why)s at column %(column)s)", why=error.msg, column=error.colno),
            "one JSON object a line",
        ) from error
    except RecursionError as error:
        raise _too_deep() from error
    except ValueError as error:
        raise Unreadable(
            Said("a number out of range (%(why)s)", why=error), "finite numbers of ordinary size"
        ) from error
    if not isinstance(value, dict):
        raise Unreadable(Said("a JSON %(type)s", type=json_type(value)), "one JSON object a line")
    # Only a line of so many brackets pays for a look.
    if text.count("[") + text.count("{") > DEEPEST:
        _refuse_depth(value)
    if SUSPICIOUS_ESCAPE.search(text):
        _refuse_unstorable_text(value)
    return value


def json_type(value: object) -> str:
    """The JSON word for a parsed value's type."""
    names = {bool: "boolean", int: "number", float: "number", str: "string", list: "array", dict: "object"}
    return names.get(type(value), "null")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:20]} is infinite")
    return value


def _no_constant(text: str) -> float:
    raise ValueError(f"{text} is not JSON")


def _too_deep() -> Unreadable:
    return Unreadable("JSON nested too deeply", "an object of this format")


def _refuse_depth(value: dict[str, Any]) -> None:
    level: list[Any] = [value]
    for _ in range(DEEPEST):
        inner = (item.values() if isinstance(item, dict) else item for item in level)
        level = [item for items in inner for item in items if isinstance(item, dict | list)]
    if level:
        raise _too_deep()


def _refuse_unstorable_text(value: object) -> None:
    """Walk a parsed value without recursion and refuse text that UTF-8 or PostgreSQL cannot hold."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            waiting.extend(item.keys())
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)
        elif isinstance(item, str):
            if "\x00" in item:
                raise Unreadable(
                    r"a NUL character (\u0000)", "text without NUL, which the database cannot store"
                )
            if any("\ud800" <= character <= "\udfff" for character in item):
                raise Unreadable("half a surrogate pair", "whole Unicode characters")


def _megabytes(size: int) -> str:
    return f"{size / 2**20:,.0f} MiB" if size >= 2**20 else f"{size:,} bytes"
