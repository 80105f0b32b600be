from __future__ import annotations

import json
import threading
import time

import pytest
from django.db import connection

from labelsite.jobs import services
from labelsite.jobs.cancelling import cancel
from labelsite.jobs.lease import claim
from labelsite.jobs.models import Job, JobState
from tests.jobs.conftest import fresh
from tests.jobs.work import make_job, rows_loaded, run_and_load
from tests.waiting import wait_until

PROGRESS = """
import json, sys, time
for step in range(3):
    print(json.dumps({"progress": {"done": step, "total": 3, "unit": "steps", "message": "", "metrics": {"loss": 1 / (step + 1)}}}), flush=True)
    time.sleep(0.6)
print("a word for the log", file=sys.stderr)
open(sys.argv[1] + "/made.txt", "w").write("made")
print("not JSON")
print(json.dumps({"answer": 42}))
"""  # noqa: E501


@pytest.mark.django_db(transaction=True)
def test_a_child_runs_and_its_progress_log_result_and_files_arrive():
    job = make_job(PROGRESS)
    seen = []

    def watch():
        try:
            while not (now := fresh(job)).is_finished:
                seen.append(now.progress.get("done"))
                time.sleep(0.1)
        finally:
            connection.close()

    watcher = threading.Thread(target=watch)
    watcher.start()
    run_and_load(job.pk)
    watcher.join()
    job = fresh(job)
    assert (job.state, job.attempt, job.error) == (JobState.DONE, 1, "")
    assert job.result == {"answer": 42, "loaded_by": 1, "files": ["made.txt"]}
    assert 1 in seen or 2 in seen
    assert "a word for the log" in (job.attempt_folder / "log.txt").read_text()
    series = [json.loads(line) for line in (job.folder / "progress.jsonl").read_text().splitlines()]
    assert [point["metrics"]["loss"] for point in series] == [1, 0.5, 1 / 3]
    assert json.loads((job.attempt_folder / "spec.json").read_text())["command"][1] == "-c"


@pytest.mark.django_db
def test_the_child_sees_no_address_and_no_secret(monkeypatch):
    for name in ("DATABASE_URL", "BROKER_URL", "SECRET_KEY", "AWS_SECRET_ACCESS_KEY", "PGPASSWORD"):
        monkeypatch.setenv(name, "hidden-from-children")
    job = make_job("import json, os; print(json.dumps({'environment': dict(os.environ)}))")
    run_and_load(job.pk)
    job = fresh(job)
    assert job.state == JobState.DONE
    assert "hidden-from-children" not in json.dumps(job.result)
    assert job.result["environment"]["MISSTEP_PROGRESS"] == "json"


@pytest.mark.django_db
def test_a_real_verb_that_refuses_its_input_fails_the_job_with_its_own_words():
    job = services.enqueue(
        "ml", "train", {"arguments": ["--no-such-option"]}, task_name="tests.jobs.work.run_and_load"
    )
    run_and_load(job.pk)
    job = fresh(job)
    assert job.state == JobState.FAILED
    assert job.attempt == 1
    # Nobody typed a command, so none is named.
    assert "--snapshot" in job.error and "python -m ml" not in job.error
    assert job.failure.code == "failed"


@pytest.mark.django_db
def test_an_error_while_loading_undoes_what_was_loaded():
    job = make_job("")

    def load_and_stumble(job, folder, guard):
        from tests.jobs.work import load

        load(job, folder, guard)
        raise RuntimeError("the third row is odd")

    services.perform(job.pk, job.task_name, load=load_and_stumble)
    job = fresh(job)
    assert (job.state, job.error) == (JobState.FAILED, "RuntimeError: the third row is odd")
    assert rows_loaded() == []
    assert "Traceback" in (job.attempt_folder / "log.txt").read_text()


@pytest.mark.django_db
def test_a_child_that_is_killed_is_tried_again_until_the_cap():
    job = make_job("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", maximum_attempts=2)
    run_and_load(job.pk)
    assert fresh(job).state == JobState.QUEUED
    run_and_load(job.pk)
    job = fresh(job)
    assert job.state == JobState.FAILED
    assert job.failure.code == "killed" and "attempt 2 of 2" in job.error
    run_and_load(job.pk)
    assert fresh(job).attempt == 2


@pytest.mark.django_db
def test_a_child_killed_once_finishes_at_the_next_attempt_with_the_files_it_kept():
    job = make_job(
        "import os, pathlib, signal, sys\n"
        "kept = pathlib.Path(sys.argv[1]) / 'checkpoint'\n"
        "if not kept.exists():\n"
        "    kept.write_text('half'); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    run_and_load(job.pk)
    run_and_load(job.pk)
    job = fresh(job)
    assert job.state == JobState.DONE
    assert rows_loaded() == ["row of attempt 2"]
    assert job.result["files"] == ["checkpoint"]


@pytest.mark.django_db(transaction=True)
def test_cancelling_a_running_job_ends_the_child_and_all_that_it_started():
    job = make_job(
        "import subprocess, sys, time, pathlib\n"
        "other = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "pathlib.Path(sys.argv[1], 'other').write_text(str(other.pid))\n"
        "time.sleep(60)\n"
    )
    runner = threading.Thread(target=lambda: (run_and_load(job.pk), connection.close()))
    runner.start()
    note = job.outputs / "other"
    wait_until(lambda: note.exists() and note.read_text(), what="the child's start")
    cancel(job)
    runner.join(timeout=10)
    assert not runner.is_alive()
    assert fresh(job).state == JobState.CANCELLED
    assert rows_loaded() == []
    from labelsite.embedded.process import is_alive

    wait_until(lambda: not is_alive(int(note.read_text())), what="the grandchild's end")


@pytest.mark.django_db
def test_a_waiting_job_is_cancelled_at_once_and_can_be_retried():
    job = make_job("")
    # Its second attempt: what ended the first is not why it ends.
    Job.objects.filter(pk=job.pk).update(error="the worker was lost")
    cancel(job)
    assert (fresh(job).state, fresh(job).error) == (JobState.CANCELLED, "")
    run_and_load(job.pk)
    assert rows_loaded() == []
    assert services.retry(job)
    run_and_load(job.pk)
    assert fresh(job).state == JobState.DONE
    assert not cancel(job) and fresh(job).state == JobState.DONE
    assert not services.retry(fresh(job))


@pytest.mark.django_db(transaction=True)
def test_of_many_workers_that_want_one_job_exactly_one_gets_it():
    job = make_job("")
    together, got = threading.Barrier(8), []

    def try_to_claim():
        try:
            together.wait()
            got.append(claim(job.pk))
        finally:
            connection.close()

    workers = [threading.Thread(target=try_to_claim) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len([one for one in got if one is not None]) == 1
    assert fresh(job).attempt == 1


@pytest.mark.django_db(transaction=True)
def test_the_late_write_of_a_stopped_runner_is_rejected():
    """The job is given away while a zombie loads; the zombie's rows and its "done" must both vanish."""
    job = make_job("")

    def load_late(zombie, folder, guard):
        from tests.jobs.work import load

        load(zombie, folder, guard)

        def give_away():
            # What the reaper and the next worker do after the zombie's lease has run out.
            Job.objects.filter(pk=job.pk).update(state=JobState.QUEUED)
            run_and_load(job.pk)
            connection.close()

        other = threading.Thread(target=give_away)
        other.start()
        other.join()

    services.perform(job.pk, job.task_name, load=load_late)
    job = fresh(job)
    assert (job.state, job.attempt) == (JobState.DONE, 2)
    assert job.result["loaded_by"] == 2
    assert rows_loaded() == ["row of attempt 2"]


@pytest.mark.django_db
def test_an_expired_lease_of_another_machine_is_reaped_and_a_living_one_is_not():
    from django.utils import timezone

    late, alive = make_job(""), make_job("")
    for job in (late, alive):
        claim(job.pk)
    Job.objects.filter(pk=late.pk).update(
        holder="another-machine/ 1 abc", expires_at=timezone.now() - timezone.timedelta(seconds=1)
    )
    assert [job.pk for job in services.reap()] == [late.pk]
    assert fresh(late).state == JobState.QUEUED
    assert fresh(alive).state == JobState.RUNNING


@pytest.mark.django_db
def test_a_job_whose_worker_vanishes_each_time_fails_at_the_cap():
    from django.utils import timezone

    job = make_job("", maximum_attempts=2)
    for _ in range(2):
        assert claim(job.pk)
        Job.objects.filter(pk=job.pk).update(
            holder="another-machine/ 1 abc", expires_at=timezone.now() - timezone.timedelta(seconds=1)
        )
        services.reap()
    job = fresh(job)
    assert job.state == JobState.FAILED
    assert job.failure.code == "vanished"


@pytest.mark.django_db
def test_an_unknown_queue_is_refused_by_name():
    with pytest.raises(ValueError, match="expected one of default, gpu"):
        make_job("", queue="fast")


@pytest.mark.django_db
def test_a_job_without_a_task_fails_instead_of_waiting_for_ever():
    from labelsite.jobs.tasks import run_here

    job = make_job("", task_name="labelsite.nowhere.tasks.run")
    run_here(job)
    job = fresh(job)
    assert (job.state, job.failure.code) == (JobState.FAILED, "unknown_work")
    assert "does not know the work labelsite.nowhere.tasks.run" in job.error


@pytest.mark.django_db
def test_a_child_that_floods_fills_neither_the_disk_nor_the_memory():
    job = make_job(
        "import json, sys\n"
        "for _ in range(400): sys.stderr.write('x' * 9999 + '\\n')\n"
        "for _ in range(100): sys.stdout.write('y' * 99999)\n"
        "print(); print(json.dumps({'answer': 1}))\n"
    )
    run_and_load(job.pk)
    job = fresh(job)
    assert job.state == JobState.DONE and job.result["answer"] == 1
    log = job.attempt_folder / "log.txt"
    assert log.stat().st_size < 2.2 * 2**20 and log.read_text().endswith("[the log is full]\n")


@pytest.mark.django_db
def test_a_job_that_leaves_a_process_behind_ends_and_takes_it_along():
    job = make_job(
        "import json, subprocess, sys\n"
        "left = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(json.dumps({'left': left.pid}))\n"
    )
    begun = time.monotonic()
    run_and_load(job.pk)
    assert time.monotonic() - begun < 30
    assert fresh(job).state == JobState.DONE
    from labelsite.embedded.process import is_alive

    wait_until(lambda: not is_alive(fresh(job).result["left"]), what="the end of what was left")
