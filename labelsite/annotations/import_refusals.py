"""Why a file was not imported: lines that cannot be read, and records that differ from what is stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ml.errors import BadRecord, MisstepError

SHOWN_ERRORS = 20


class ImportRefused(MisstepError):
    """The first bad lines of a file, and how many there are; nothing of the file was stored."""

    def __init__(self, errors: Sequence[BadRecord], count: int) -> None:
        self.errors, self.count = list(errors), count
        lines = [str(error) for error in errors]
        if count > len(errors):
            lines.append(f"... and {count - len(errors)} more")
        what = "1 bad line" if count == 1 else f"{count} bad lines"
        super().__init__("\n".join([*lines, f"{what}; nothing was imported"]))


class Differs(MisstepError):
    """Records that say something else than was imported before; nothing of the file was stored."""

    def __init__(self, file: str, lines: Sequence[int]) -> None:
        self.lines = list(lines)
        shown = ", ".join(map(str, self.lines[:SHOWN_ERRORS]))
        more = ", ..." if len(self.lines) > SHOWN_ERRORS else ""
        what = "1 record differs" if len(self.lines) == 1 else f"{len(self.lines)} records differ"
        where = "line" if len(self.lines) == 1 else "lines"
        super().__init__(
            f"{file}: {what} from what is stored ({where} {shown}{more}), expected the same labels and facts, or"
            " `import_solutions --revise`, which keeps the old labels as earlier revisions; nothing was imported"
        )


@dataclass
class ErrorLog:
    """Counts every bad line and remembers the first ones."""

    first: list[BadRecord] = field(default_factory=list)
    count: int = 0

    def add(self, error: BadRecord) -> None:
        self.count += 1
        if len(self.first) < SHOWN_ERRORS:
            self.first.append(error)
