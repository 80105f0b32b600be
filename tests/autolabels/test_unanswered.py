"""What the policy could not answer is counted on the run's page, and named there with the reason."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from labelsite.autolabels.loading import load_estimates, load_shard
from labelsite.autolabels.models import EstimateRun, UnansweredProblem
from labelsite.autolabels.services import start_search
from labelsite.autolabels.unanswered import MOST_KEPT
from labelsite.problems.models import Problem
from ml.errors import MisstepError
from tests.autolabels.files import estimate_line, small_tree, write_lines, write_run
from tests.factories import make_estimate_run, make_problem, make_solution, make_user

pytestmark = pytest.mark.django_db
HEADING = "What the policy could not answer"


def write_search(folder: Path, problems: list[Problem], reason: str = "too <b>long</b>") -> Path:
    """A shard's folder: a tree for each problem, and none of them answered."""
    write_run(folder, [], counts={"items": len(problems), "unanswered": len(problems)})
    write_lines(folder / "trees.jsonl", [small_tree(problem.pk) for problem in problems])
    lines = [{"id": str(problem.pk), "why": reason} for problem in problems]
    write_lines(folder / "unanswered.jsonl", lines)
    return folder


def page_of(client: Client, run: EstimateRun) -> str:
    client.force_login(make_user("reviewer"))
    return client.get(reverse("autolabels:run", args=[run.pk])).content.decode()


def test_shards_add_up_and_the_reasons_outlive_their_folders(client: Client, tmp_path: Path) -> None:
    problems = [make_problem(f"{number} + <i>2</i> =") for number in range(3)]
    run = start_search(Problem.objects.all(), shard_size=2)
    for shard, part in zip(run.shards.order_by("number"), (problems[:2], problems[2:]), strict=True):
        folder = write_search(tmp_path / str(shard.number), part)
        load_shard(shard, folder)
        shutil.rmtree(folder)
    run.refresh_from_db()
    assert run.cost["unanswered"] == 3
    assert list(run.unanswered_problems.order_by("pk").values_list("problem", "reason")) == [
        (problem.pk, "too <b>long</b>") for problem in problems
    ]
    page = page_of(client, run)
    assert HEADING in page and "3 have no estimate" in page and "is listed" not in page
    listed = page[page.index(HEADING) :].partition("</details>")[0]
    assert listed.count(">too &lt;b&gt;long&lt;/b&gt;</td>") == 3 and "1 + &lt;i&gt;2&lt;/i&gt; =" in listed
    assert listed.count('<td lang="en"') == 3
    assert "<b>long" not in page and "<i>2" not in page


def test_of_very_many_the_first_are_kept_and_all_are_counted(client: Client, tmp_path: Path) -> None:
    problems = [make_problem(f"{number} + 2 =") for number in range(MOST_KEPT + 5)]
    run = start_search(Problem.objects.all(), shard_size=MOST_KEPT - 1)
    parts = (problems[: MOST_KEPT - 1], problems[MOST_KEPT - 1 :])
    for shard, part in zip(run.shards.order_by("number"), parts, strict=True):
        load_shard(shard, write_search(tmp_path / str(shard.number), part, "long " * 1000))
    run.refresh_from_db()
    assert run.unanswered_problems.count() == MOST_KEPT
    page = page_of(client, run)
    assert "105 have no estimate" in page and "100 problems are listed." in page


def test_a_solution_stands_by_its_problem_and_a_run_that_is_loaded_again_by_its_new_files(
    tmp_path: Path,
) -> None:
    problem = make_problem("Why?")
    solutions = [make_solution(["One.", "Two."], problem) for _ in range(2)]
    folder = write_run(
        tmp_path / "run",
        [estimate_line(solution.pk, [0, 0], visits=0) for solution in solutions],
        counts={"items": 2, "unanswered": 2},
    )
    lines = [{"id": str(solution.pk), "why": "\x00 too long"} for solution in solutions]
    write_lines(folder / "unanswered.jsonl", lines)
    run = make_estimate_run()
    for _ in range(2):
        load_estimates(run, folder)
    kept = run.unanswered_problems.get()
    assert (kept.problem, kept.reason) == (problem, "\N{REPLACEMENT CHARACTER} too long")
    run.refresh_from_db()
    assert run.cost["unanswered"] == 2
    (folder / "unanswered.jsonl").unlink()
    load_estimates(run, folder)
    assert not UnansweredProblem.objects.exists()


def test_a_problem_that_is_not_here_is_refused(tmp_path: Path) -> None:
    problem = make_problem("Why?")
    run = start_search(Problem.objects.all())
    folder = write_search(tmp_path / "run", [problem])
    write_lines(folder / "unanswered.jsonl", [{"id": "987654321", "why": "too long"}])
    with pytest.raises(MisstepError, match="names 987654321, which is not here"):
        load_shard(run.shards.get(), folder)
    assert not run.trees.exists()


def test_the_page_of_a_run_that_was_answered_whole_says_nothing_of_it(client: Client, tmp_path: Path) -> None:
    solution = make_solution(["One."])
    run = make_estimate_run(loaded_at=timezone.now())
    load_estimates(run, write_run(tmp_path / "run", [estimate_line(solution.pk, [4])]))
    assert HEADING not in page_of(client, run)
