"""A runner's claim on a job: renewed from a thread, and named in every write.

The attempt number is the fencing token. It grows with every claim, so a runner that was stopped for a while
and wakes up after its job was given away finds that its writes match no row.
"""

from __future__ import annotations

import json
import math
import os
import socket
import threading
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection

from labelsite.embedded.process import is_alive
from labelsite.jobs.errors import JobCancelled, LostLease
from labelsite.jobs.models import Job, JobState
from ml.json_lines import storable

TICK_SECONDS = 1.0
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

# One statement, so that two runners never both get the job; SKIP LOCKED, so that none waits for the other. Wake-ups
# of before a pause lie in the broker still, and are not to end it; only the server's clock decides, as it set its end.
# Those of before a restore, and of another site on the same broker, are about other work.
CLAIM = """
UPDATE jobs_job SET state = 'running', attempt = attempt + 1, holder = %(holder)s, error = '', refusal = NULL,
    result = NULL, heartbeat_at = now(), expires_at = now() + make_interval(secs => %(seconds)s), started_at = now(),
    finished_at = NULL
WHERE id = (SELECT id FROM jobs_job WHERE id = %(id)s AND state = 'queued' AND queued_at <= clock_timestamp()
    AND task_name = COALESCE(%(task)s, task_name) FOR UPDATE SKIP LOCKED)
RETURNING *
"""

# Progress is NULL when there is none to write. In an open transaction now() stands still, clock_timestamp()
# does not.
RENEW = """
UPDATE jobs_job SET heartbeat_at = clock_timestamp(), progress = COALESCE(%(progress)s::jsonb, progress),
    expires_at = clock_timestamp() + make_interval(secs => %(seconds)s)
WHERE id = %(id)s AND attempt = %(attempt)s AND state = 'running' RETURNING cancel_requested
"""


def machine() -> str:
    """This machine since its start, by its name and, on Linux, the kernel's id of the boot: two may share a name."""
    try:
        boot = BOOT_ID.read_text()[:8]
    except OSError:
        boot = ""
    return f"{socket.gethostname()[:60]}/{boot}"


def _place() -> str:
    """The machine and, on Linux, the space in which process ids mean something (a container has its own)."""
    try:
        space = os.readlink("/proc/self/ns/pid")
    except OSError:
        space = ""
    return f"{machine()}/{space}"


def holder_name() -> str:
    """A name for one claim by this process."""
    return f"{_place()} {os.getpid()} {uuid.uuid4().hex[:8]}"


def has_vanished(holder: str) -> bool:
    """Whether the holder was a process of this machine that has ended; False where that cannot be known."""
    place, _, rest = holder.partition(" ")
    pid = rest.partition(" ")[0]
    return place == _place() and pid.isdecimal() and not is_alive(int(pid))


def claim(job_id: int, task_name: str | None = None) -> Job | None:
    """Take a queued job, or None when it is not there to take, or is another task's than the one that is named."""
    parameters = {
        "id": job_id,
        "task": task_name,
        "holder": holder_name(),
        "seconds": settings.JOB_LEASE_SECONDS,
    }
    return next(iter(Job.objects.raw(CLAIM, parameters)), None)


class Lease:
    """Renews the claim on `job` until the `with` block ends; also carries its progress to the row.

    What runs inside calls `report` as it goes, and `check` before anything that must not happen twice. The newest
    report also stands in `job.progress`, for the write that ends the attempt: no renewal follows the last one.
    is_cut_off: lost since the database did not answer for as long as a lease, and not since another has the job.
    """

    def __init__(self, job: Job) -> None:
        self.job = job
        self.cancelled = threading.Event()
        self.lost = threading.Event()
        self.is_cut_off = False
        self._stopped = threading.Event()
        self._written: Mapping[str, Any] = job.progress
        self._renewed_at = time.monotonic()
        self._wrote_at = -math.inf
        self._thread = threading.Thread(target=self._keep, name=f"lease of job {job.pk}", daemon=True)

    def __enter__(self) -> Lease:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._thread.join()

    def report(
        self,
        done: int,
        total: int | None = None,
        unit: str = "",
        message: str = "",
        metrics: Mapping[str, Any] | None = None,
    ) -> None:
        """Note how far the work is; the row gets the newest report about once a second.

        Raises JobCancelled or LostLease when the work should end.
        """
        self.note(
            {"done": done, "total": total, "unit": unit, "message": message, "metrics": dict(metrics or {})}
        )
        self.check()

    def note(self, progress: Mapping[str, Any]) -> None:
        """Take over a progress report as the child wrote it."""
        # A report is written together with what ends the attempt, and an odd figure in it must not undo that.
        self.job.progress = storable(progress)

    def check(self) -> None:
        """Raise LostLease if the claim is gone, JobCancelled if somebody asked for the end."""
        if self.lost.is_set():
            raise LostLease(self.job)
        if self.cancelled.is_set():
            raise JobCancelled(f"{self.job} was cancelled")

    def _keep(self) -> None:
        try:
            while not self._stopped.wait(TICK_SECONDS):
                self._tick()
        finally:
            # The connection belongs to this thread, and would outlive it.
            connection.close()

    def _tick(self) -> None:
        try:
            self._renew()
            self._renewed_at = time.monotonic()
        except (DatabaseError, InterfaceError):
            # The server may be restarting. Past the lease's end somebody else may hold the job: then stop.
            connection.close()
            if time.monotonic() - self._renewed_at > settings.JOB_LEASE_SECONDS:
                self.is_cut_off = True
                self.lost.set()

    def _renew(self) -> None:
        noted: Mapping[str, Any] = self.job.progress
        progress = noted if noted is not self._written else None
        began = time.monotonic()
        due = began - self._wrote_at > settings.JOB_HEARTBEAT_SECONDS
        if progress is None and not due:
            row = (
                Job.objects.filter(pk=self.job.pk).values_list("attempt", "state", "cancel_requested").first()
            )
            # No row at all means that it was made in a transaction that is still open, as in most tests.
            held = row is None or row[:2] == (self.job.attempt, JobState.RUNNING)
            cancelled = bool(row and row[2])
        else:
            answer = self._write(progress)
            # Only now: a renewal that failed is due again at the next tick.
            self._wrote_at, self._written = began, noted
            held = answer is not None or not Job.objects.filter(pk=self.job.pk).exists()
            cancelled = bool(answer and answer[0])
        if not held:
            self.lost.set()
        if cancelled:
            self.cancelled.set()

    def _write(self, progress: Mapping[str, Any] | None) -> tuple[Any, ...] | None:
        with connection.cursor() as cursor:
            cursor.execute(
                RENEW,
                {
                    "id": self.job.pk,
                    "attempt": self.job.attempt,
                    "seconds": settings.JOB_LEASE_SECONDS,
                    "progress": None if progress is None else json.dumps(progress),
                },
            )
            return cursor.fetchone()


def hold_row(job: Job) -> None:
    """Lock the job's row until the transaction ends; raise LostLease if this attempt no longer holds it."""
    held = Job.objects.select_for_update().filter(pk=job.pk, attempt=job.attempt, state=JobState.RUNNING)
    if not held.exists():
        raise LostLease(job)
