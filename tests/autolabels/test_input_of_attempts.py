"""Every attempt of a job reads the same input, since what an earlier one left goes on with no other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from labelsite.autolabels.executions import prepare_paths, start_executions
from labelsite.autolabels.services import prepare_input, start_estimates, start_scores, start_search
from labelsite.jobs.models import Job
from labelsite.problems.models import Problem, Solution, Step
from tests.factories import make_solution

pytestmark = pytest.mark.django_db
CODE = "```python\nprint(1)\n```"


def estimates() -> Job:
    return start_estimates(Solution.objects.all()).shards.get().job


def search() -> Job:
    return start_search(Problem.objects.all()).shards.get().job


def scores() -> Job:
    job = start_scores(Solution.objects.all(), "/a/checkpoint", "0" * 64).job
    assert job
    return job


def executions() -> Job:
    return start_executions(list(Solution.objects.values_list("pk", flat=True)))[0]


def files_of(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("start", "prepare"),
    [
        (estimates, prepare_input),
        (search, prepare_input),
        (scores, prepare_input),
        (executions, prepare_paths),
    ],
)
def test_an_attempt_reads_what_the_first_one_read_whatever_was_put_right_since(
    tmp_path: Path, start: Callable[[], Job], prepare: Callable[[Job, Path], None]
) -> None:
    make_solution(steps=[CODE], is_correct=None)
    job = start()
    prepare(job, tmp_path)
    first = files_of(tmp_path)
    Solution.objects.update(is_correct=True)
    Problem.objects.update(answer="another")
    Step.objects.update(text=f"Put right.\n{CODE}")
    prepare(job, tmp_path)
    assert first and files_of(tmp_path) == first
