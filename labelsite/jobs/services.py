"""Everything that writes a Job: enqueue, claim and perform, cancel, retry, reap.

Enqueueing is an INSERT in the caller's transaction: the job exists exactly if what it belongs to exists. The
Celery message sent after the commit only shortens the wait; `poller.py` finds every job without it.
"""

from __future__ import annotations

import functools
import logging
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from labelsite.accounts.models import User
from labelsite.celery import application
from labelsite.jobs import child, errors, failures, shared_folder
from labelsite.jobs.lease import Lease, claim, has_vanished, hold_row
from labelsite.jobs.models import Job, JobKind, JobState
from labelsite.jobs.outages import has_lost_connection, once_it_answers, outage_pause
from labelsite.jobs.stopping import stopped_once
from labelsite.jobs.titles import as_columns
from labelsite.wording import Sayable
from ml.errors import MisstepError

log = logging.getLogger(__name__)

ATTEMPTS = 3
# An attempt that was not the job's fault does not count, up to so many: what stops the child each time (a guard
# against full memory, say) would otherwise keep the job going for ever.
MOST_UNCOUNTED = 30
# Writes the child's input files into a folder before it starts.
Prepare = Callable[[Job, Path], None]
# Reads the child's output folder into tables, in the transaction that marks the job done.
Load = Callable[[Job, Path, Callable[[], None]], Mapping[str, Any] | None]
# Does the whole work in Django, in the transaction that marks the job done.
Work = Callable[[Job, Lease], Mapping[str, Any] | None]
# Does, in transactions of its own choosing, what comes before that one, and returns the work that is left for it.
Gather = Callable[[Job, Lease], Work]


def enqueue(
    kind: str,
    verb: str,
    spec: Mapping[str, Any] | None = None,
    queue: str = "default",
    created_by: User | None = None,
    task_name: str = "",
    title: Sayable = "",
    maximum_attempts: int = ATTEMPTS,
    is_announced: bool = True,
) -> Job:
    """Add a job to the caller's transaction and wake a worker once that is committed.

    Without the announcement it is the caller who runs it; the poller still finds it where that fails. `kind` is "ml"
    for a child process (`verb`, and `spec["arguments"]` with `{in}` and `{out}` for its folders) or "django" for work
    that the task itself does. `task_name` is the Celery task that calls `perform`.
    """
    if kind not in JobKind.values:
        raise ValueError(f"kind is {kind!r}, expected one of {', '.join(JobKind.values)}")
    if queue not in settings.JOB_QUEUES:
        raise ValueError(f"queue is {queue!r}, expected one of {', '.join(settings.JOB_QUEUES)}")
    job = Job.objects.create(
        kind=kind,
        verb=verb,
        spec=dict(spec or {}),
        queue=queue,
        created_by=created_by,
        task_name=task_name,
        maximum_attempts=maximum_attempts,
        **as_columns(title or verb),
    )
    if is_announced:
        _wake_on_commit(job)
    return job


def wake(job: Job) -> bool:
    """Send the wake-up; False when it could not be sent, which only means that the poller finds the job."""
    if not settings.BROKER_URL:
        return False
    try:
        application.send_task(job.task_name, args=[job.pk], queue=job.queue, retry=False, ignore_result=True)
    except Exception as problem:
        # Whatever is wrong with the broker, the row is committed: nobody's request may fail for a wake-up.
        log.warning("cannot wake a worker for %s: %s", job, problem)
        return False
    return True


def _wake_on_commit(job: Job) -> None:
    transaction.on_commit(functools.partial(wake, job))


@stopped_once
def perform(
    job_id: int,
    task_name: str,
    *,
    prepare: Prepare | None = None,
    load: Load | None = None,
    gather: Gather | None = None,
    work: Work | None = None,
) -> None:
    """Run a queued job of this Celery task to its end, whatever that is; do nothing when somebody else has it, or VAR
    is another site's.

    A job of kind "ml": `prepare` writes input files, the child runs, `load` reads its output folder. One of
    kind "django": `work` does everything, or all that `gather` left. `load` and `work` run in one transaction with
    "done": their writes appear exactly once, or not at all.
    """
    job = shared_folder.claim_here(job_id, task_name)
    if job is None:
        return
    try:
        with Lease(job) as lease:
            _attempt(job, lease, prepare, load, gather(job, lease) if gather else work)
    except errors.LostLease as lost:
        log.warning("%s", lost)
        if lease.is_cut_off:
            once_it_answers(lambda: _hand_back(job, errors.CUT_OFF))
    except errors.JobCancelled:
        _end(job, JobState.CANCELLED)
    except errors.ChildStopped as stopped:
        _hand_back(job, stopped.why)
    except errors.ChildShutOut as shut_out:
        # A runner on another machine that has lost its lease ends its child within the length of a lease.
        _hand_back(job, shut_out.why, delay=settings.JOB_LEASE_SECONDS)
    except errors.ChildUnserved as unserved:
        _retry_or_fail(job, unserved.why, delay=outage_pause(job))
    except errors.ChildKilled as killed:
        _retry_or_fail(job, killed.why)
    except (errors.ChildFailed, MisstepError, ValidationError) as refusal:
        _end(job, JobState.FAILED, errors.why(refusal))
    except (OperationalError, InterfaceError) as problem:
        # If the database is still away this raises too; its lease then queues the job again.
        _retry_or_fail(job, errors.why(problem))
    except Exception as surprise:
        _end_by_surprise(job, surprise)
    except BaseException:
        # The worker is told to stop: hand the job back at once instead of letting its lease run out.
        _requeue(job, is_counted=False)
        raise


def _attempt(job: Job, lease: Lease, prepare: Prepare | None, load: Load | None, work: Work | None) -> None:
    result: dict[str, Any] = {}
    if work is None:
        if prepare:
            job.inputs.mkdir(parents=True, exist_ok=True)
            prepare(job, job.inputs)
        result = child.run(job, lease)
    while not _finish(job, lease, result, load, work):
        # The child's work is done and lies in files: wait for the database instead of throwing it away.
        time.sleep(1.0)
        lease.check()


def _finish(job: Job, lease: Lease, result: dict[str, Any], load: Load | None, work: Work | None) -> bool:
    """Write everything and "done", together; False when the connection broke: then it is worth another try.

    A commit whose answer got lost may have happened; the next try then finds the job done: LostLease.
    """
    try:
        with transaction.atomic():
            if work is not None:
                result = {**result, **(work(job, lease) or {})}
            elif load is not None:
                result = {**result, **(load(job, job.outputs, lease.check) or {})}
            # The row is locked last, so that the lease could be renewed meanwhile; losing it undoes all that.
            hold_row(job)
            lease.check()
            Job.objects.filter(pk=job.pk, attempt=job.attempt).update(
                state=JobState.DONE, result=result, finished_at=Now(), **_without_holder(job)
            )
    except (OperationalError, InterfaceError) as problem:
        if connection.in_atomic_block or not has_lost_connection(problem):
            raise
        connection.close()
        return False
    return True


def give_up(job: Job, why: errors.Why) -> None:
    """Fail a waiting job that nothing here can run, so that it does not stand in the way of the next."""
    taken = claim(job.pk)
    if taken is not None:
        _end(taken, JobState.FAILED, why)


def retry(job: Job) -> bool:
    """Queue a failed or cancelled job again; what it has written so far is kept. False if it is neither."""
    ended = Job.objects.filter(pk=job.pk, state__in=(JobState.FAILED, JobState.CANCELLED))
    changed = ended.update(
        state=JobState.QUEUED,
        cancel_requested=False,
        error="",
        refusal=None,
        finished_at=None,
        queued_at=Now(),
        maximum_attempts=F("attempt") + ATTEMPTS,
    )
    if changed:
        _wake_on_commit(job)
    return bool(changed)


def reap(is_over: Callable[[Job], bool] = lambda late: True) -> list[Job]:
    """Deal with running jobs that nobody runs any more; return those that wait again.

    Of a job whose lease is late, `is_over` says whether its runner had time enough to renew it. Rows that somebody has
    locked are being finished this very moment, so they are left alone.
    """
    waiting: list[Job] = []
    with transaction.atomic():
        running = Job.objects.light().filter(state=JobState.RUNNING).annotate(is_late=Q(expires_at__lt=Now()))
        for job in running.select_for_update(skip_locked=True).order_by("pk"):
            if not (job.is_late and is_over(job)) and not has_vanished(job.holder):
                continue
            if job.cancel_requested:
                _end(job, JobState.CANCELLED)
            elif _retry_or_fail(job, errors.VANISHED):
                waiting.append(job)
    return waiting


def _mine(job: Job) -> Q:
    return Q(pk=job.pk, attempt=job.attempt, state=JobState.RUNNING)


def _without_holder(job: Job) -> dict[str, Any]:
    """What every end of an attempt writes: nobody holds the job, and the last report is kept."""
    return {"holder": "", "expires_at": None, "progress": job.progress}


def _end(job: Job, state: JobState, why: errors.Why | None = None) -> bool:
    changed = Job.objects.filter(_mine(job)).update(
        state=state, finished_at=Now(), **failures.as_columns(why), **_without_holder(job)
    )
    return bool(changed)


def _requeue(job: Job, why: errors.Why | None = None, is_counted: bool = True, delay: float = 0) -> bool:
    """Queue the job for another attempt, or end it if somebody has asked for its end; True if it waits.

    After a delay (in seconds) it is the poller that wakes a worker; until then the job counts as not waiting yet.
    """
    changed = Job.objects.filter(_mine(job), cancel_requested=False).update(
        state=JobState.QUEUED,
        **failures.as_columns(why),
        queued_at=Now() + timedelta(seconds=delay),
        maximum_attempts=F("maximum_attempts") + (0 if is_counted else 1),
        **_without_holder(job),
    )
    if changed and not delay:
        _wake_on_commit(job)
    elif not changed:
        # Either this attempt has lost the job, and this changes nothing, or its cancellation came just now.
        _end(job, JobState.CANCELLED)
    return bool(changed)


def _hand_back(job: Job, why: errors.Why, delay: float = 0) -> bool:
    """Queue the job again without counting this attempt against it: it was not the job's fault."""
    if job.maximum_attempts >= MOST_UNCOUNTED:
        return _retry_or_fail(job, why, delay)
    return _requeue(job, why, is_counted=False, delay=delay)


def _retry_or_fail(job: Job, why: errors.Why, delay: float = 0) -> bool:
    """Queue the job for another attempt if it has one left; True if so."""
    if job.attempt < job.maximum_attempts:
        return _requeue(job, why, delay=delay)
    _end(job, JobState.FAILED, why._replace(attempts=(job.attempt, job.maximum_attempts)))
    return False


def _end_by_surprise(job: Job, surprise: Exception) -> None:
    log.exception("%s failed", job, exc_info=surprise)
    # The surprise may be a full disk, and that it ended the job is told all the same.
    with suppress(OSError):
        job.attempt_folder.mkdir(parents=True, exist_ok=True)
        with open(job.attempt_folder / "log.txt", "a") as file:
            file.write("".join(traceback.format_exception(surprise)))
    _end(job, JobState.FAILED, errors.why(surprise))
