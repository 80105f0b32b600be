"""The ways in which running a job can end before it is done."""

from __future__ import annotations

from labelsite.jobs.models import Job


class LostLease(Exception):
    """Another runner has the job now, or nobody has; this one must write nothing more."""

    def __init__(self, job: Job) -> None:
        super().__init__(f"{job}: attempt {job.attempt} no longer holds it")


class JobCancelled(Exception):
    """Somebody asked for the job to end."""


class ChildFailed(Exception):
    """The child process ended by itself without success; the message is its own last words."""


class ChildKilled(Exception):
    """The child process was killed from outside (out of memory, perhaps); another attempt may succeed."""


class ChildShutOut(ChildKilled):
    """The child process found another one writing to its folder, which is soon to end: the job is not at fault."""


class ChildUnserved(ChildKilled):
    """The child process found a server that it needs away or overloaded; that may last for minutes."""


class ChildStopped(ChildKilled):
    """The machine told the child process to stop (a shutdown, a service that ends); the job is not at fault."""
