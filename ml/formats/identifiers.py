"""Remembers which ids a file has used, without keeping them in memory."""

from __future__ import annotations

import hashlib
import sqlite3
from types import TracebackType


class UsedIds:
    """A set of texts on disk: memory stays the same for a thousand ids and for ten million.

    SQLite's unnamed database is a temporary file that disappears with the connection.
    """

    def __enter__(self) -> UsedIds:
        # One thread at a time uses it, but the one that ends the reading may not be the one that began it.
        self.database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self.database.execute("PRAGMA journal_mode = OFF")
        self.database.execute("PRAGMA synchronous = OFF")
        self.database.execute("CREATE TABLE used (id BLOB PRIMARY KEY, line INTEGER) WITHOUT ROWID")
        self.database.execute("BEGIN")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.database.close()

    def first_line(self, identity: str, line: int) -> int:
        """The line on which this id came first; this line, if it is new."""
        # 16 bytes of hash stand for ids of any length; a collision is not to be expected in any file.
        key = hashlib.blake2b(identity.encode(), digest_size=16).digest()
        added = self.database.execute("INSERT OR IGNORE INTO used VALUES (?, ?)", (key, line))
        if added.rowcount:
            return line
        row = self.database.execute("SELECT line FROM used WHERE id = ?", (key,)).fetchone()
        return int(row[0])
