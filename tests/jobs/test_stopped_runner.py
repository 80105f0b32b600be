"""A runner that is told to stop: its child saves first, and the job goes on elsewhere without losing an attempt."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from labelsite.embedded.group import Member, ProcessGroup
from labelsite.embedded.process import is_alive
from labelsite.jobs import child, services
from labelsite.jobs.models import Job, JobState, Worker
from tests.data import ROOT
from tests.embedded.conftest import processes_of
from tests.jobs.conftest import Start, fresh
from tests.jobs.test_survival import child_of
from tests.jobs.work import make_job, rows_loaded
from tests.waiting import wait_until

# Like a training: what is asked to stop needs a moment to save, and the next one goes on from there.
SAVES_FOR_A_MOMENT = """
import pathlib, signal, sys, time
out = pathlib.Path(sys.argv[1])
asked = []
signal.signal(signal.SIGTERM, lambda *_: asked.append(1))
if (out / "state").exists():
    sys.exit(0)
(out / "begun").write_text("yes")
while not asked:
    time.sleep(0.05)
time.sleep(2.5)
(out / "state").write_text("saved")
sys.exit(143)
"""
# More than a pipe holds: somebody has to go on reading.
TALKS_AND_SAVES = SAVES_FOR_A_MOMENT.replace(
    "time.sleep(2.5)", "print('word ' * 50_000, file=sys.stderr, flush=True); time.sleep(2.5)"
)


def begun(job: Job) -> Job:
    wait_until((job.outputs / "begun").exists, 40, "the child's start")
    return job


def assert_saved_and_waiting(job: Job) -> None:
    assert (job.outputs / "state").exists()
    waiting = fresh(job)
    assert (waiting.state, waiting.attempt, waiting.maximum_attempts) == (JobState.QUEUED, 1, 2)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_runner_that_is_told_to_stop_lets_its_child_save_and_hands_the_job_back(start: Start, number):
    job = make_job(TALKS_AND_SAVES, maximum_attempts=1)
    runner = start("manage.py", "run_job", str(job.pk))
    begun(job)
    runner.send_signal(number)
    time.sleep(0.5)
    # Somebody who is in a hurry does not cost the child its state.
    runner.send_signal(number)
    runner.wait(30)
    assert_saved_and_waiting(job)
    assert start("manage.py", "run_job", str(job.pk)).wait(30) == 0
    assert fresh(job).state == JobState.DONE
    assert rows_loaded() == ["row of attempt 2"]


def test_a_child_that_does_not_end_when_its_runner_stops_is_killed_after_the_grace(start: Start, tmp_path):
    job = make_job(
        "import pathlib, signal, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "pathlib.Path(sys.argv[1], 'begun').write_text('yes')\n"
        "time.sleep(600)\n",
        maximum_attempts=1,
    )
    impatient = tmp_path / "run.py"
    impatient.write_text(
        "import sys; sys.path.insert(0, '.')\n"
        "import django; django.setup()\n"
        "from labelsite.jobs import child\n"
        "child.run.__defaults__ = (1.0,)\n"
        "from django.core.management import call_command; call_command('run_job', sys.argv[1])\n"
    )
    runner = start(str(impatient), str(job.pk))
    begun(job)
    left = child_of(job)
    runner.terminate()
    runner.wait(30)
    assert not is_alive(left)
    assert (fresh(job).state, fresh(job).maximum_attempts) == (JobState.QUEUED, 2)


def builder_of_the_demo(tmp_path: Path, how: str) -> str:
    """A script that builds the demo in another way."""
    script = tmp_path / "build.py"
    script.write_text(
        "import sys; sys.path.insert(0, '.')\n"
        "import django; django.setup()\n"
        "from labelsite.jobs.models import Job\n"
        "from labelsite.training import demo\n"
        f"{how}\n"
        "from django.core.management import call_command; call_command('build_demo')\n"
    )
    return str(script)


def test_the_build_of_the_demo_that_is_told_to_stop_hands_its_job_back(start: Start, tmp_path):
    job = make_job(SAVES_FOR_A_MOMENT, maximum_attempts=1)
    how = f"demo.build = lambda say: demo._finish([Job.objects.get(pk={job.pk})], say, 'a job')"
    builder = start(builder_of_the_demo(tmp_path, how))
    begun(job)
    builder.terminate()
    assert builder.wait(30) == 143
    assert_saved_and_waiting(job)


def test_the_build_of_the_demo_that_is_told_to_stop_ends_its_sampling(start: Start, tmp_path):
    builder = start(builder_of_the_demo(tmp_path, "demo.PROBLEMS = 10**6"), VAR=str(tmp_path))
    wait_until(lambda: " -m ml sample " in str(processes_of(tmp_path)), 40, "the sampling")
    builder.terminate()
    assert builder.wait(30) == 143
    assert processes_of(tmp_path) == []


def test_the_next_attempt_waits_for_an_orphan_that_is_saving(start: Start):
    job = make_job(SAVES_FOR_A_MOMENT)
    runner = start("manage.py", "run_job", str(job.pk))
    begun(job)
    os.kill(runner.pid, signal.SIGKILL)
    runner.wait()
    wait_until(services.reap, 10, "the reaper's notice")
    # Without the state this one would begin anew and never end.
    assert start("manage.py", "run_job", str(job.pk)).wait(30) == 0
    assert fresh(job).state == JobState.DONE


@pytest.mark.parametrize("pool", ["prefork", "solo"])
def test_a_celery_worker_that_is_told_to_stop_lets_the_child_save_and_hands_the_job_back(
    start: Start, broker_url, settings, monkeypatch, pool
):
    from labelsite.celery import application

    monkeypatch.setattr(application.conf, "broker_url", broker_url)
    settings.BROKER_URL = broker_url
    worker = start(
        *("-m", "celery", "-A", "labelsite", "worker", "-Q", "gpu", "--concurrency", "2", "-P", pool),
        *("--include", "tests.jobs.work", "-l", "warning", "--hostname", "stopped@here"),
        BROKER_URL=broker_url,
    )
    wait_until(Worker.objects.alive().filter(queues="gpu").exists, 40, "the worker's first word")
    job = begun(make_job(SAVES_FOR_A_MOMENT, queue="gpu", maximum_attempts=1))
    worker.terminate()
    worker.wait(40)
    assert_saved_and_waiting(job)


def test_a_group_waits_for_the_members_that_save_and_not_for_the_others(tmp_path):
    group = ProcessGroup(tmp_path, ROOT)
    saves = (
        "import signal, sys, time; signal.signal(15, lambda *_: (time.sleep(2), open('{}', 'w'), sys.exit()))"
    )
    stays = "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True); time.sleep(600)"
    saved = tmp_path / "saved"
    slow = Member(
        "slow", [sys.executable, "-c", f"{saves.format(saved)}; print(1, flush=True); time.sleep(600)"]
    )
    hung = Member("hung", [sys.executable, "-c", stays], patience=0.5)
    for member in (slow, hung):
        group.start(member)
        wait_until((tmp_path / "log" / f"{member.name}.log").read_text, what="its start")
    asked_at = time.monotonic()
    group.stop()
    assert saved.exists()
    assert time.monotonic() - asked_at < slow.patience
    assert hung.process is not None and hung.process.returncode == -signal.SIGKILL


def test_whoever_runs_jobs_outlasts_their_children():
    from labelsite.embedded import demo

    assert 30 < child.STOP_GRACE_SECONDS < demo.JOBS_SAVE_SECONDS - 5
