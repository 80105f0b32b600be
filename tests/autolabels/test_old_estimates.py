"""Estimates from before a solution's row had its steps' values beside it."""

from __future__ import annotations

from importlib import import_module

import pytest
from django.db import connection

from labelsite.autolabels.models import DisputedAnswer, EstimateRun, SolutionEstimate
from tests.factories import make_estimate_run, make_estimates, make_problem, make_solution

pytestmark = pytest.mark.django_db


def test_the_migration_finds_what_no_run_knows() -> None:
    run = make_estimates(make_solution(["a", "b"]), [1.0, 1.0])
    gap, wrong = make_solution(["a", "b"]), make_solution(["a", "b"])
    make_estimates(gap, [1.0, 1.0], run)
    make_estimates(wrong, [0.0, 1.0], run, first_mistake=0)
    # Another run has looked at every step of them.
    make_estimates(gap, [1.0, 1.0])
    for solution in (gap, wrong):
        solution.step_rows.get(position=1).estimates.filter(run=run).update(hard=None)
    migration = import_module("labelsite.autolabels.migrations.0009_known_first_mistakes")
    with connection.cursor() as cursor:
        cursor.execute(migration.EARLIER)
    unknown = SolutionEstimate.objects.filter(is_known=False)
    assert [(row.run_id, row.solution_id) for row in unknown] == [(run.pk, gap.pk)]


def test_the_migration_takes_a_problem_s_answer_for_the_reference_of_answers_that_have_none() -> None:
    run, problem = make_estimate_run(), make_problem(answer="1/2")
    for reference in (None, "7"):
        DisputedAnswer.objects.create(
            run=run, problem=problem, reference=reference, answer="2/4", is_correct=True
        )
    migration = import_module("labelsite.autolabels.migrations.0013_references_of_disputed_answers")
    with connection.cursor() as cursor:
        cursor.execute(migration.EARLIER)
    assert set(run.disputed_answers.values_list("reference", flat=True)) == {"1/2", "7"}


@pytest.mark.parametrize(
    ("cut", "whole"),
    [
        ("monty, process:landlock7+seccomp-x86_64 ", "monty, process:landlock7+seccomp-x86_64 UNSAFE"),
        ("process:landlock10+seccomp-aarch64 UNSAF", "process:landlock10+seccomp-aarch64 UNSAFE"),
        ("monty, bwrap+process:landlock7+seccomp-x", "monty, bwrap+process:landlock7+seccomp-x"),
        ("process:landlock7+seccomp-x86_64 UNSAFE", "process:landlock7+seccomp-x86_64 UNSAFE"),
    ],
)
def test_the_migration_gives_a_level_its_last_word_back_where_it_was_cut_off(cut: str, whole: str) -> None:
    run = EstimateRun.objects.create(name="run", method="rstar", policy="pocket", sandbox_level=cut)
    migration = import_module("labelsite.autolabels.migrations.0010_whole_sandbox_levels")
    with connection.cursor() as cursor:
        cursor.execute(migration.CUT)
    run.refresh_from_db()
    assert run.sandbox_level == whole


def test_the_migration_fills_what_is_empty_in_the_order_of_the_steps_and_nothing_else() -> None:
    old, new = make_solution(["a", "b", "c"]), make_solution(["a", "b"])
    run = make_estimates(old, [1.0, 0.5, 0.0])
    other = make_estimates(old, [0.25, 0.25, 0.75])
    make_estimates(new, [0.5, 0.25], run)
    old.step_rows.filter(position=0).first().estimates.filter(run=run).update(q_value=None)
    SolutionEstimate.objects.filter(solution=old).update(q_values=[], soft_values=[])
    SolutionEstimate.objects.filter(solution=new).update(q_values=[0.125, 0.125])
    migration = import_module("labelsite.autolabels.migrations.0005_values_of_old_estimates")
    with connection.cursor() as cursor:
        cursor.execute(migration.FILL)
    found = {
        (row.run_id, row.solution_id): (row.q_values, row.soft_values)
        for row in SolutionEstimate.objects.all()
    }
    assert found == {
        (run.pk, old.pk): ([None, 0.5, 0.0], [1.0, 0.5, 0.0]),
        (other.pk, old.pk): ([0.25, 0.25, 0.75], [0.25, 0.25, 0.75]),
        (run.pk, new.pk): ([0.125, 0.125], [0.5, 0.25]),
    }
