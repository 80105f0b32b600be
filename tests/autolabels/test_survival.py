"""A search whose worker and child are killed in the middle goes on: no tree is lost, and none counts twice."""

from __future__ import annotations

import contextlib
import json
import os
import signal

import pytest

from labelsite.autolabels.services import start_search
from labelsite.embedded.process import is_alive
from labelsite.jobs import services
from labelsite.jobs.models import Job, JobState
from labelsite.problems.models import Problem
from ml.commands import autolabel
from ml.pocket.problems import generate
from tests.factories import make_problem
from tests.jobs.conftest import Start, environment, fresh, start
from tests.waiting import wait_until

__all__ = ["environment", "start"]

TREES = 100


@pytest.fixture(autouse=True)
def _each_in_its() -> None:
    """The worker is a process with settings of its own, and finds the job in the folder that all tests share."""


def finished_trees(job: Job) -> int:
    """How many whole lines the search has written so far."""
    progress = job.outputs / "progress.jsonl.partial"
    return progress.read_bytes().count(b"\n") if progress.exists() else 0


def kill_worker_and_child(job: Job, start: Start, before: int) -> int:
    """Let a worker search until more than `before` trees are done, then kill it and its child at once."""
    worker = start("manage.py", "run_job", str(job.pk))
    wait_until(lambda: finished_trees(job) > before, 60, "another finished tree")
    child = json.loads((job.folder / "child.json").read_text())["pid"]
    assert worker.poll() is None and is_alive(child), "the search ended before it could be killed"
    os.kill(worker.pid, signal.SIGKILL)
    with contextlib.suppress(
        ProcessLookupError
    ):  # It follows its worker into death, perhaps before we strike.
        os.kill(child, signal.SIGKILL)
    worker.wait()
    wait_until(lambda: not is_alive(child), 5, "the child's end")
    assert [waiting.pk for waiting in services.reap()] == [job.pk]
    return finished_trees(job)


def trees_of_a_straight_run(job: Job, folder) -> list[str]:
    arguments = [str(part).replace("{in}", str(job.inputs)) for part in job.spec["arguments"]]
    autolabel.main([*arguments[:-1], str(folder)])
    return (folder / "trees.jsonl").read_text().splitlines()


def test_a_search_of_100_trees_killed_twice_loses_no_tree_and_counts_none_twice(
    transactional_db, start, tmp_path
):
    ids = [make_problem(problem.text, problem.answer).pk for problem in generate(TREES, seed=3)]
    parameters = {"style": "code", "candidates": 2}
    run = start_search(Problem.objects.filter(pk__in=ids), rollouts=3, parameters=parameters)
    job = run.shards.get().job
    first = kill_worker_and_child(job, start, before=0)
    second = kill_worker_and_child(job, start, before=first)
    assert 0 < first < second < TREES
    assert start("manage.py", "run_job", str(job.pk)).wait(120) == 0

    job = fresh(job)
    assert (job.state, job.attempt) == (JobState.DONE, 3), job.error
    run.refresh_from_db()
    assert run.loaded_at is not None and run.cost["trees"] == TREES
    assert sorted(run.trees.values_list("problem_id", flat=True)) == sorted(ids)
    straight = {line["id"]: line for line in map(json.loads, trees_of_a_straight_run(job, tmp_path / "out"))}
    assert {str(tree.problem_id): tree.data for tree in run.trees.all()} == straight
