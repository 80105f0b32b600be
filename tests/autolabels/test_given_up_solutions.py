"""PRM800K has solutions that somebody gave up before any step was chosen: nothing in them can be judged."""

from __future__ import annotations

from pathlib import Path

import pytest

from labelsite.autolabels.budget import budget_for
from labelsite.autolabels.models import SolutionEstimate
from labelsite.autolabels.requests import Request
from labelsite.autolabels.services import prepare_input, start_estimates, start_scores
from labelsite.jobs.models import Job, JobState
from labelsite.jobs.tasks import run_here
from labelsite.problems.models import Solution
from ml import formats
from ml.errors import MisstepError
from tests.factories import make_problem, make_solution

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("warm_children")]


def given_up() -> Solution:
    """One position with two options, neither of them chosen."""
    solution = make_solution([["Try this.", "Or try that."]])
    solution.step_rows.update(is_chosen=False)
    return solution


def test_a_scoring_leaves_out_what_was_given_up_before_the_first_step(tmp_path: Path) -> None:
    whole, empty = make_solution(), given_up()
    run = start_scores(Solution.objects.filter(pk__in=[whole.pk, empty.pk]), tmp_path, "0" * 64)
    assert run.job.spec["solutions"] == [whole.pk]
    prepare_input(run.job, tmp_path)
    read = [labelled.solution.id for labelled in formats.read(tmp_path / "solutions.jsonl", "records")]
    assert read == [str(whole.pk)]
    with pytest.raises(MisstepError, match="no solution with a step"):
        start_scores(Solution.objects.filter(pk=empty.pk), tmp_path, "0" * 64)


@pytest.mark.django_db(transaction=True)
def test_rollouts_leave_out_what_was_given_up_before_the_first_step() -> None:
    whole = make_solution(["1 + 2 = 3.", "The answer is 3."], make_problem("(1 + 2) =", answer="3"))
    empty = given_up()
    run = start_estimates(Solution.objects.filter(pk__in=[whole.pk, empty.pk]), rollouts=1)
    shard = run.shards.get()
    assert shard.size == 1
    run_here(shard.job)
    job = Job.objects.get(pk=shard.job_id)
    assert job.state == JobState.DONE, job.error
    assert SolutionEstimate.objects.get(run=run).solution == whole


def test_the_price_counts_only_what_would_be_judged() -> None:
    make_solution(["one", "two"])
    given_up()
    found = budget_for(Solution.objects.all(), Request("math-shepherd", rollouts=4))
    assert (found.items, found.steps, found.without_answer) == (1, 2, 0)
