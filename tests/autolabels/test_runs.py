"""A run spreads over jobs, each loads its part once, and the last one completes the run."""

from __future__ import annotations

from itertools import pairwise

import pytest

from labelsite.autolabels.loading import load_shard
from labelsite.autolabels.models import EstimateRun, Shard, SolutionEstimate
from labelsite.autolabels.progress import progress_of
from labelsite.autolabels.services import start_estimates, start_search
from labelsite.jobs.models import JobState
from labelsite.jobs.tasks import run_here
from labelsite.problems.models import Problem, Solution
from ml.errors import MisstepError
from ml.result_lines import read_estimates
from tests.autolabels.files import estimate_line, write_run
from tests.factories import make_problem, make_solution


def two_shards() -> tuple[EstimateRun, list[Shard], list[Solution]]:
    solutions = [make_solution() for _ in range(3)]
    ids = [solution.pk for solution in solutions]
    run = start_estimates(Solution.objects.filter(pk__in=ids), shard_size=2)
    return run, list(run.shards.order_by("number")), solutions


@pytest.mark.django_db
def test_the_last_shard_completes_the_run_and_the_costs_add_up(tmp_path):
    run, (first, second), solutions = two_shards()
    assert [shard.job.spec["solutions"] for shard in (first, second)] == [
        [solutions[0].pk, solutions[1].pk], [solutions[2].pk],
    ]  # fmt: skip
    folder = write_run(tmp_path / "1", [estimate_line(solution.pk, [4, 0]) for solution in solutions[:2]])
    load_shard(first, folder)
    run.refresh_from_db()
    assert run.loaded_at is None
    assert progress_of(run, run.shards.select_related("job")).done == 2
    load_shard(second, write_run(tmp_path / "2", [estimate_line(solutions[2].pk, [4, 4])]))
    run.refresh_from_db()
    assert run.loaded_at is not None
    assert run.cost["tokens"] == 200 and run.cost["solutions"] == 3


@pytest.mark.django_db
def test_a_shard_that_is_loaded_twice_counts_once(tmp_path):
    run, (first, _second), solutions = two_shards()
    folder = write_run(tmp_path / "1", [estimate_line(solution.pk, [4, 0]) for solution in solutions[:2]])
    load_shard(first, folder)
    load_shard(first, folder)
    assert SolutionEstimate.objects.filter(run=run).count() == 2


@pytest.mark.django_db
def test_a_shard_with_too_few_results_is_refused(tmp_path):
    run, (first, _second), solutions = two_shards()
    folder = write_run(tmp_path / "1", [estimate_line(solutions[0].pk, [4, 0])])
    with pytest.raises(MisstepError, match="results of 1 items, expected 2"):
        load_shard(first, folder)
    assert not SolutionEstimate.objects.filter(run=run).exists()


@pytest.mark.django_db
def test_a_variant_that_is_asked_for_reaches_the_command_and_one_that_is_not_there_is_refused():
    problem = make_problem("((1 + 2) * (3 - 1)) =", answer="6")
    chosen = Problem.objects.filter(pk=problem.pk)
    parameters = {"style": "code", "unvisited": "zero", "fill": True, "errors_threshold": None}
    run = start_search(chosen, rollouts=3, parameters=parameters)
    asked = run.shards.get().job.spec["arguments"]
    named = [value for name, value in pairwise(asked) if name == "--set"]
    assert named == ["unvisited=zero", "fill=true", "errors_threshold=none"]
    assert "--style" in asked and run.parameters == {"rollouts": 3, **parameters}
    for wrong in ({"unvisited": "never"}, {"unvisted": "zero"}, {"needed_right": 2}):
        with pytest.raises(MisstepError, match=r"rstar with fresh problems takes .*; or some of candidates"):
            start_search(chosen, parameters=wrong)


@pytest.mark.django_db(transaction=True)
def test_a_real_search_leaves_trees_that_can_be_walked():
    problem = make_problem("((1 + 2) * (3 - 1)) =", answer="6")
    run = start_search(Problem.objects.filter(pk=problem.pk), rollouts=3, parameters={"style": "code"})
    job = run.shards.get().job
    run_here(job)
    job.refresh_from_db()
    assert job.state == JobState.DONE, job.error
    tree = run.trees.get()
    assert tree.problem_id == problem.pk and tree.node_count > 1
    assert {"text", "visits", "q_value", "verdict"} <= set(tree.data["nodes"][1])


@pytest.mark.django_db(transaction=True)
def test_real_rollouts_judge_each_step_and_a_policy_that_is_not_there_is_one_clear_error():
    steps = ["Let's calculate A.\n```python\nA = 1 + 2\n```", "So the answer is A.\n```python\nprint(A)\n```"]
    solution = make_solution(steps=steps, problem=make_problem("((1 + 2) * (3 - 2)) =", answer="3"))
    chosen = Solution.objects.filter(pk=solution.pk)
    run = start_estimates(chosen, rollouts=2)
    job = run.shards.get().job
    run_here(job)
    run.refresh_from_db()
    assert run.loaded_at is not None
    assert len(SolutionEstimate.objects.get(run=run).q_values) == 2
    assert [line.id for line in read_estimates(job.outputs / "estimates.jsonl")] == [str(solution.pk)]

    lost = start_estimates(chosen, policy="/no/such/folder")
    job = lost.shards.get().job
    run_here(job)
    job.refresh_from_db()
    assert job.state == JobState.FAILED
    assert "/no/such/folder" in job.error and "Traceback" not in job.error
    assert not SolutionEstimate.objects.filter(run=lost).exists()
