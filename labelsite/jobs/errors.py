"""The ways in which running a job can end before it is done."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple

from django.core.exceptions import ValidationError
from django.db import InterfaceError, OperationalError
from django.utils.translation import gettext_noop

from ml.errors import MisstepError
from ml.said import Said

if TYPE_CHECKING:
    from labelsite.jobs.models import Job

# Programs of other people decide by them, as docs/reference.md says: none may come to mean something else.
Code = Literal[
    "refused", "failed", "killed", "stopped", "vanished", "in_use", "server_away", "database", "unknown_work"
]


class Why(NamedTuple):
    """text: `Said` where each reader can be told in their own language, else the program's own words, in English.
    detail: those, where they stand below what a reader is told. attempts: which one of how many was the last.
    """

    code: Code
    text: str
    detail: str = ""
    attempts: tuple[int, int] | None = None


VANISHED = Why(
    "vanished",
    Said(gettext_noop("The process that ran it has vanished: it was killed, or its machine went down.")),
)


CUT_OFF = Why("database", Said(gettext_noop("The database failed.")))


class LostLease(Exception):
    """Another runner has the job now, or nobody has; this one must write nothing more."""

    def __init__(self, job: Job) -> None:
        super().__init__(f"{job}: attempt {job.attempt} no longer holds it")


class JobCancelled(Exception):
    """Somebody asked for the job to end."""


class ChildEnded(Exception):
    """The child process ended without success, as `why` tells."""

    code: ClassVar[Code]

    def __init__(self, text: str, detail: str = "") -> None:
        super().__init__(text, detail)
        self.why = Why(self.code, text, detail)


class ChildFailed(ChildEnded):
    """The child process broke down by itself."""

    code: ClassVar[Code] = "failed"


class ChildRefused(ChildFailed):
    """The child process refused what it was asked for, as it would again."""

    code = "refused"


class ChildKilled(ChildEnded):
    """The child process was killed from outside (out of memory, perhaps); another attempt may succeed."""

    code: ClassVar[Code] = "killed"


class ChildShutOut(ChildKilled):
    """The child process found another one writing to its folder, which is soon to end: the job is not at fault."""

    code = "in_use"


class ChildUnserved(ChildKilled):
    """The child process found a server that it needs away or overloaded; that may last for minutes."""

    code = "server_away"


class ChildStopped(ChildKilled):
    """The machine told the child process to stop (a shutdown, a service that ends); the job is not at fault."""

    code = "stopped"


def why(error: Exception) -> Why:
    """What to tell of an error that ended an attempt."""
    match error:
        case ChildEnded():
            return error.why
        case MisstepError():
            return Why("refused", error.as_said)
        case ValidationError():
            return Why("refused", "; ".join(error.messages))
        case OperationalError() | InterfaceError():
            return Why("database", Said(gettext_noop("The database failed.")), str(error))
    return Why("failed", f"{type(error).__name__}: {error}")
