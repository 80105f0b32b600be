"""Why a file was not imported: lines that cannot be read, and records that differ from what is stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field

from django.utils.translation import gettext_noop

from ml.errors import BadRecord, MisstepError
from ml.said import Said

SHOWN_ERRORS = 20


class ImportRefused(MisstepError):
    """The first bad lines of a file, and how many there are; nothing of the file was stored."""

    def __init__(self, errors: Sequence[BadRecord], count: int) -> None:
        self.errors, self.count = list(errors), count
        lines = [error.as_said for error in errors]
        if count > len(errors):
            lines.append(Said(gettext_noop("... and %(count)s more"), count=count - len(errors)))
        words = (
            gettext_noop("%(lines)s\n1 bad line; nothing was imported")
            if count == 1
            else gettext_noop("%(lines)s\n%(count)s bad lines; nothing was imported")
        )
        super().__init__(Said(words, lines=Said.joined("\n", lines), count=count))


class Differs(MisstepError):
    """Records that say something else than was imported before; nothing of the file was stored."""

    def __init__(self, file: str, differing: Mapping[int, Set[str]], by_another: bool = False) -> None:
        """differing: the lines, and the names of what each says otherwise. by_another: some are of another generator,
        which no `--revise` takes over.
        """
        self.lines = list(differing)
        names = ", ".join(sorted(set().union(*differing.values())))
        shown = ", ".join(map(str, self.lines[:SHOWN_ERRORS]))
        more = ", ..." if len(self.lines) > SHOWN_ERRORS else ""
        words = (
            gettext_noop(
                "%(file)s: 1 record differs from what is stored (line %(lines)s) in %(names)s, %(expected)s"
            )
            if len(self.lines) == 1
            else gettext_noop(
                "%(file)s: %(count)s records differ from what is stored (lines %(lines)s) in %(names)s, %(expected)s"
            )
        )
        expected = (
            gettext_noop("expected an id of its own for each generator's solution; nothing was imported")
            if by_another
            else gettext_noop(
                "expected the same labels and facts, or `import_solutions --revise`, which keeps the old labels as"
                " earlier revisions; nothing was imported"
            )
        )
        super().__init__(
            Said(
                words,
                file=file,
                count=len(self.lines),
                lines=shown + more,
                names=names,
                expected=Said(expected),
            )
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
