"""What is killed here is a real process in the middle of its work."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from pathlib import Path

from labelsite.embedded.process import is_alive
from labelsite.jobs import services
from labelsite.jobs.cancelling import cancel
from labelsite.jobs.models import JobState
from tests.jobs.conftest import Start, fresh
from tests.jobs.work import DJANGO_TASK, make_job, rows_loaded
from tests.waiting import wait_until

# The first attempt would take a minute; a later one finds the file and is quick.
SLOW_AT_FIRST = """
import pathlib, sys, time
begun = pathlib.Path(sys.argv[1]) / "begun"
if not begun.exists():
    begun.write_text("yes"); time.sleep(60)
"""


def child_of(job) -> int:
    return json.loads((job.folder / "child.json").read_text())["pid"]


def members_of(group: int) -> list[int]:
    """The living processes of a process group."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, member_of = path.read_text().rpartition(")")[2].split()[:3]
            if int(member_of) == group and state != "Z":
                found.append(int(path.parent.name))
    return found


def test_a_job_whose_worker_was_killed_is_finished_once_by_the_next(start: Start):
    job = make_job(SLOW_AT_FIRST)
    worker = start("manage.py", "run_job", str(job.pk))
    wait_until((job.outputs / "begun").exists, what="the child's start")
    child = child_of(job)
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    wait_until(lambda: not is_alive(child), 5, "the end of the orphaned child")
    assert [waiting.pk for waiting in services.reap()] == [job.pk]
    assert start("manage.py", "run_job", str(job.pk)).wait(30) == 0
    job = fresh(job)
    assert (job.state, job.attempt) == (JobState.DONE, 2)
    assert rows_loaded() == ["row of attempt 2"]


def test_a_job_whose_child_was_killed_is_finished_once(start: Start):
    job = make_job(SLOW_AT_FIRST)
    worker = start("manage.py", "run_job", str(job.pk))
    wait_until((job.outputs / "begun").exists, what="the child's start")
    os.kill(child_of(job), signal.SIGKILL)
    worker.wait(30)
    assert fresh(job).state == JobState.QUEUED
    assert start("manage.py", "run_job", str(job.pk)).wait(30) == 0
    assert fresh(job).state == JobState.DONE
    assert rows_loaded() == ["row of attempt 2"]


def test_a_worker_that_is_told_to_stop_hands_its_job_back_at_once(start: Start):
    job = make_job(SLOW_AT_FIRST, maximum_attempts=1)
    worker = start("manage.py", "run_job", str(job.pk))
    wait_until((job.outputs / "begun").exists, what="the child's start")
    worker.terminate()
    worker.wait(30)
    assert fresh(job).state == JobState.QUEUED
    assert start("manage.py", "run_job", str(job.pk)).wait(30) == 0
    assert fresh(job).state == JobState.DONE


def test_a_frozen_worker_loses_its_job_and_its_child_and_writes_nothing_when_it_wakes(start: Start):
    job = make_job(SLOW_AT_FIRST)
    frozen = start("manage.py", "run_job", str(job.pk), JOB_LEASE_SECONDS="5", JOB_HEARTBEAT_SECONDS="1")
    wait_until((job.outputs / "begun").exists, what="the child's start")
    child = child_of(job)
    os.kill(frozen.pid, signal.SIGSTOP)
    wait_until(services.reap, 10, "the end of the lease")
    assert start("manage.py", "run_job", str(job.pk)).wait(30) == 0
    # The frozen worker cannot collect its child, which therefore stays behind as a zombie: not alive.
    assert not is_alive(child)
    done = fresh(job)
    assert (done.state, done.attempt) == (JobState.DONE, 2)
    os.kill(frozen.pid, signal.SIGCONT)
    assert frozen.wait(30) == 0
    assert fresh(job).result == done.result
    assert rows_loaded() == ["row of attempt 2"]


def test_work_inside_django_that_is_killed_leaves_no_row_and_can_be_cancelled(start: Start):
    job = make_job(task_name=DJANGO_TASK)
    worker = start("manage.py", "run_job", str(job.pk))
    wait_until(lambda: fresh(job).progress.get("done", 0) > 3, what="progress")
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    assert rows_loaded() == []
    services.reap()
    worker = start("manage.py", "run_job", str(job.pk))
    wait_until(lambda: fresh(job).state == JobState.RUNNING, what="the second attempt")
    cancel(job)
    worker.wait(30)
    assert fresh(job).state == JobState.CANCELLED
    assert rows_loaded() == []


def test_without_a_broker_the_poller_gets_the_job_done(start: Start):
    job = make_job("")
    poller = start("manage.py", "poll_jobs", BROKER_URL="redis+socket:///nowhere/valkey.sock")
    wait_until(lambda: fresh(job).state == JobState.DONE, 90, "the job")
    assert rows_loaded() == ["row of attempt 1"]
    poller.terminate()
    assert poller.wait(20) == 0


def test_a_message_that_was_lost_delays_a_job_and_does_not_lose_it(transactional_db, environment, start):
    """The broker takes the wake-up, but no worker listens: after its patience the poller does the work."""
    job = make_job("")
    poller = start("manage.py", "poll_jobs", "--patience", "1")
    wait_until(lambda: fresh(job).state == JobState.DONE, 90, "the job")
    assert poller.poll() is None


def test_a_real_worker_takes_a_job_from_a_real_broker_and_another_after_being_killed(
    start: Start, broker_url, settings, monkeypatch
):
    from labelsite.celery import application
    from labelsite.jobs.models import Worker

    monkeypatch.setattr(application.conf, "broker_url", broker_url)
    settings.BROKER_URL = broker_url
    worker_line = ("-m", "celery", "-A", "labelsite", "worker", "-Q", "gpu", "--concurrency", "2")
    options = ("--include", "tests.jobs.work", "-l", "warning", "--hostname", "gpu@here")
    worker = start(*worker_line, *options, BROKER_URL=broker_url)
    wait_until(Worker.objects.alive().filter(queues="gpu").exists, 40, "the worker's first word")
    assert Worker.objects.get(queues="gpu").slots == 2, "runs are cut by how many jobs it does at once"
    first = make_job(SLOW_AT_FIRST, queue="gpu")
    wait_until((first.outputs / "begun").exists, what="the child's start")
    # Only the worker itself is killed; its pool process and the child must follow.
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    wait_until(services.reap, 10, "the reaper's notice")
    wait_until(lambda: not members_of(worker.pid), 10, "the end of the whole pool")
    start(*worker_line, *options, BROKER_URL=broker_url)
    services.wake(first)
    wait_until(lambda: fresh(first).state == JobState.DONE, 40, "the job's end")
    assert rows_loaded() == ["row of attempt 2"]
