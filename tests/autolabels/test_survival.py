"""A search whose process is killed in the middle goes on: no tree is lost, and none counts twice."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
import time

import pytest

from labelsite.autolabels.services import start_search
from labelsite.jobs.models import Job, JobState
from labelsite.jobs.tasks import run_here
from labelsite.problems.models import Problem
from ml.pocket.problems import generate
from tests.factories import make_problem

TREES = 24


def kill_child_once_a_tree_is_done(job: Job, before: int) -> None:
    """Wait until the attempt has finished more trees than `before`, then end its process without warning."""
    finished = job.outputs / "progress.jsonl.partial"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        lines = finished.read_bytes().count(b"\n") if finished.exists() else 0
        if lines > before:
            with contextlib.suppress(ProcessLookupError):
                os.kill(json.loads((job.folder / "child.json").read_text())["pid"], signal.SIGKILL)
            return
        time.sleep(0.01)


@pytest.mark.django_db(transaction=True)
def test_a_search_that_is_killed_twice_loses_no_tree_and_counts_none_twice(settings, tmp_path):
    settings.VAR = tmp_path / "var"
    ids = [make_problem(problem.text, problem.answer).pk for problem in generate(TREES, seed=3)]
    chosen = Problem.objects.filter(pk__in=ids)
    run = start_search(chosen, rollouts=4, parameters={"style": "code"})
    survivors = []
    for _ in range(2):
        before = survivors[-1] if survivors else 0
        killer = threading.Thread(target=kill_child_once_a_tree_is_done, args=(run.job, before))
        killer.start()
        run_here(run.job)
        killer.join()
        job = Job.objects.get(pk=run.job_id)
        assert job.state == JobState.QUEUED, f"the child was not killed in time: {job.state} {job.error}"
        survivors.append((job.outputs / "progress.jsonl.partial").read_bytes().count(b"\n"))
    assert 0 < survivors[0] < survivors[1] <= TREES
    run_here(run.job)
    job = Job.objects.get(pk=run.job_id)
    assert (job.state, job.attempt) == (JobState.DONE, 3), job.error
    assert sorted(run.trees.values_list("problem_id", flat=True)) == sorted(ids)
    run.refresh_from_db()
    assert run.loaded_at is not None and run.cost["trees"] == TREES
