"""Records that go into the tables come out the same."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module

import pytest
from django.apps import apps
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from labelsite.problems.models import Problem as ProblemRow
from labelsite.problems.models import Solution as SolutionRow
from labelsite.problems.models import Step
from labelsite.problems.queries import as_records
from labelsite.problems.services import BATCH_OPTIONS, batches, store, store_problems
from ml.records import LabelledSolution, Option, Position, Problem, Solution
from tests.problems.imported import as_imported

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=30)
options = st.builds(Option, texts, st.sampled_from(["model", "human"]))


@st.composite
def positions(draw: st.DrawFn) -> Position:
    candidates = tuple(draw(st.lists(options, max_size=3)))
    chosen = draw(st.none() | st.integers(0, len(candidates) - 1)) if candidates else None
    return Position(candidates, chosen)


problems = st.builds(Problem, texts, texts, st.none() | texts, st.none() | texts)
solutions = st.builds(
    Solution,
    texts,
    problems,
    st.lists(positions(), min_size=1, max_size=4).map(tuple),
    st.none() | texts,
    st.none() | texts,
    st.none() | st.booleans(),
    st.dictionaries(texts, texts, max_size=2),
)


def labelled(solution: Solution, line: int = 1) -> LabelledSolution:
    return LabelledSolution(line, solution)


def simple(identity: str, *steps: str, problem: str = "What is 1 + 1?") -> Solution:
    chain = tuple(Position((Option(step),)) for step in steps)
    return Solution(identity, Problem("p", problem, "2"), chain)


class AnyRecord(TestCase):
    @given(st.lists(solutions, min_size=1, max_size=4, unique_by=lambda solution: solution.id))
    @settings(max_examples=60, deadline=None)
    def test_any_record_comes_back_as_it_went_in(self, records: list[Solution]) -> None:
        stored = list(store(map(labelled, records), "source"))
        back = {row.pk: record for row, record in as_imported(SolutionRow.objects.all())}
        assert [back[row.pk] for row, _ in stored] == records


@pytest.mark.django_db
def test_solutions_of_one_problem_share_its_row_and_the_same_problem_elsewhere_does_not():
    list(store(map(labelled, [simple("1", "a"), simple("2", "b")]), "first"))
    list(store([labelled(simple("1", "a"))], "second"))
    assert ProblemRow.objects.count() == 2
    assert SolutionRow.objects.count() == 3


@pytest.mark.django_db
def test_a_later_file_with_a_reference_solution_changes_neither_record():
    plain = simple("1", "a")
    told = replace(plain, id="2", problem=replace(plain.problem, reference_solution="1 + 1 is 2"))
    list(store([labelled(plain)], "s"))
    list(store([labelled(told)], "s"))
    records = [record for _, record in as_imported(SolutionRow.objects.order_by("pk"))]
    assert records == [plain, told]


@pytest.mark.django_db
def test_the_same_solution_twice_in_one_batch_is_stored_once():
    pairs = list(store([labelled(simple("1", "a", "b"), 1), labelled(simple("1", "a", "b"), 2)], "s"))
    assert pairs[0][0].pk == pairs[1][0].pk
    assert Step.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_storing_never_commits_by_itself():
    with transaction.atomic():
        list(store([labelled(simple("1", "a"))], "s"))
        transaction.set_rollback(True)
    assert not ProblemRow.objects.exists() and not Step.objects.exists()


@pytest.mark.django_db
def test_reading_back_takes_a_fixed_number_of_queries(django_assert_num_queries):
    list(store((labelled(simple(str(number), "a", "b")) for number in range(30)), "s"))
    with django_assert_num_queries(2):
        records = list(as_records(SolutionRow.objects.order_by("pk")))
    assert [record.steps for record in records] == [("a", "b")] * 30
    assert records[0].id == str(SolutionRow.objects.order_by("pk")[0].pk)


def test_a_batch_ends_when_it_holds_many_options():
    heavy = Solution("1", Problem("p", "?"), (Position(tuple(Option("x") for _ in range(BATCH_OPTIONS))),))
    sizes = [len(batch) for batch in batches(map(labelled, [heavy, heavy, simple("3", "a")]))]
    assert sizes == [1, 1, 1]


@pytest.mark.django_db
def test_a_blank_answer_of_an_earlier_version_becomes_none_and_its_file_finds_it_again():
    asked = Problem("p", "1 + 1?")
    (row,) = store_problems([replace(asked, answer=" ")], "s")
    import_module("labelsite.problems.migrations.0003_blank_answers_are_none").forget_blank_answers(
        apps, None
    )
    assert ProblemRow.objects.get().answer is None
    assert store_problems([asked], "s") == [row]
