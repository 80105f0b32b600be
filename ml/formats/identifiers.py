"""Remembers which ids a file has used, and how often a content came, without keeping them in memory."""

from __future__ import annotations

import hashlib
import sqlite3
from types import TracebackType
from typing import Self

from ml.formats.lines import Unreadable
from ml.said import Said


class _OnDisk:
    """A table on disk: memory stays the same for a thousand texts and for ten million.

    SQLite's unnamed database is a temporary file that disappears with the connection.
    """

    def __enter__(self) -> Self:
        # One thread at a time uses it, but the one that ends the reading may not be the one that began it.
        self.database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self.database.execute("PRAGMA journal_mode = OFF")
        self.database.execute("PRAGMA synchronous = OFF")
        self.database.execute("CREATE TABLE used (id BLOB PRIMARY KEY, number INTEGER) WITHOUT ROWID")
        self.database.execute("BEGIN")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.database.close()


class UsedIds(_OnDisk):
    """The ids of a file, each with the line on which it came first."""

    def refuse_again(self, identity: str, line: int) -> None:
        """Raises Unreadable for an id that came on another line before."""
        key = _key(identity)
        added = self.database.execute("INSERT OR IGNORE INTO used VALUES (?, ?)", (key, line))
        if added.rowcount:
            return
        (first,) = self.database.execute("SELECT number FROM used WHERE id = ?", (key,)).fetchone()
        if first != line:
            raise Unreadable(
                Said("id %(id)s again (first on line %(line)s)", id=repr(identity), line=first),
                "ids that differ",
            )


class Occurrences(_OnDisk):
    """How often each text came."""

    def before(self, content: str) -> int:
        """How often this text came before, and it is counted."""
        row = self.database.execute(
            "INSERT INTO used VALUES (?, 0) ON CONFLICT (id) DO UPDATE SET number = number + 1 RETURNING number",
            (_key(content),),
        ).fetchone()
        return int(row[0])


def _key(text: str) -> bytes:
    """16 bytes of hash stand for texts of any length; a collision is not to be expected in any file."""
    return hashlib.blake2b(text.encode(), digest_size=16).digest()
