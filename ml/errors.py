"""One exception per way in which input can be wrong; the docstring is the message's pattern."""

from __future__ import annotations

from ml.said import Said


class MisstepError(Exception):
    """Something the caller can mend; the message says what was found, and what was expected. The command exits with 1,
    or with what the kind of error says.
    """

    exit_status = 1

    @property
    def as_said(self) -> str:
        """The message, which may remember how it was made; `str()` of the error has forgotten."""
        return str(self) if not self.args or not isinstance(self.args[0], Said) else self.args[0]


class BadRecord(MisstepError):
    """FILE:LINE: what was found, what was expected."""

    def __init__(self, file: str, line: int, found: str, expected: str) -> None:
        self.file, self.line, self.found, self.expected = file, line, Said.of(found), Said.of(expected)
        super().__init__(
            Said(
                "%(file)s:%(line)s: %(found)s, expected %(expected)s",
                file=file,
                line=line,
                found=self.found,
                expected=self.expected,
            )
        )


# EX_TEMPFAIL of sysexits.h: nothing is wrong with the request, and a later start may succeed.
EXIT_IN_USE = 75


class FolderInUse(MisstepError):
    """FOLDER: another process writes here, expected one at a time; the command exits with 75."""

    exit_status = EXIT_IN_USE


# EX_UNAVAILABLE of sysexits.h: what the command needs beside its own machine is away, perhaps for minutes.
EXIT_SERVER_AWAY = 69


class ServerAway(MisstepError):
    """SERVER: how it failed at every try, expected an answer within so many; the command exits with 69."""

    exit_status = EXIT_SERVER_AWAY


class NotAvailable(MisstepError):
    """What was asked for is not part of this version; the command exits with 2."""

    exit_status = 2


class NothingToLearn(MisstepError):
    """What there is to train on would teach a model nothing: no targets, or all alike."""
