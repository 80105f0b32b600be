"""Exports say what the frozen labels say: a search's low share on a right step is no mistake."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from labelsite.autolabels.models import StepEstimate
from labelsite.campaigns.models import Campaign, Task
from labelsite.snapshots.exports import StepwiseChoices, prm800k_lines, stepwise_lines
from labelsite.snapshots.freezing import freeze_or_queue
from labelsite.snapshots.models import Snapshot
from labelsite.snapshots.services import freeze
from ml import formats
from ml.errors import MisstepError
from ml.records import FinishReason, LabelledSolution
from ml.targets import LabelRule
from tests import factories
from tests.factories import make_annotation, make_campaign, make_solution, make_task, make_user

pytestmark = pytest.mark.django_db
STEPS = ["one", "two", "three", ["four", "four again"]]
LOW_SHARES = [0.875, 0.25, 0.125, 0.5]


@pytest.fixture
def campaign() -> Campaign:
    return make_campaign("Sums")


def searched(campaign: Campaign, q_values: list[float]) -> Task:
    """A task whose steps a search estimated; its last step has an alternative, which always came right."""
    task = make_task(campaign, make_solution(STEPS, problem="What is 1 + 2?"))
    campaign.estimate_run = factories.make_estimates(task.solution, q_values)
    campaign.save()
    other = task.solution.step_rows.get(text="four again")
    StepEstimate.objects.create(
        run=campaign.estimate_run, step=other, visits=4, correct=4, q_value=1.0, hard=1, soft=1.0
    )
    return task


def searched_in_part(campaign: Campaign, shares: list[float | None]) -> None:
    """A task of which the search passed over the steps without a share."""
    task = searched(campaign, [share or 0.0 for share in shares])
    passed_over = [place for place, share in enumerate(shares) if share is None]
    StepEstimate.objects.filter(step__solution=task.solution, step__position__in=passed_over).delete()


def two_solutions(campaign: Campaign) -> None:
    """One of which people and the search are sure, and another of which the search has fractions."""
    task = searched(campaign, [1.0, 1.0, 1.0, 1.0])
    other = make_task(campaign, make_solution(STEPS, problem="What is 2 + 2?"))
    factories.make_estimates(other.solution, LOW_SHARES, run=campaign.estimate_run)
    for one in (task, other):
        value_steps(one)
        make_annotation(one, make_user(), [1, 1, 1, 1])


def value_steps(task: Task) -> None:
    """The quality values of a right solution: v_k = k / K."""
    for estimate in StepEstimate.objects.filter(step__solution=task.solution):
        estimate.quality_value = (estimate.step.position + 1) / 4
        estimate.save()


def exported(snapshot: Snapshot, folder: Path) -> LabelledSolution:
    """The snapshot's only line, as our own reader understands it."""
    path = folder / "prm800k.jsonl"
    path.write_text("".join(prm800k_lines(snapshot)))
    (labelled,) = formats.read(path, "prm800k")
    return labelled


def said_of(labelled: LabelledSolution) -> tuple[list[int | None], FinishReason, str]:
    assert labelled.annotation is not None
    ratings = [rating.rating for rating in labelled.annotation.ratings]
    return ratings, labelled.annotation.finish_reason, labelled.broken_rule


def stepwise(snapshot: Snapshot, **choices: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stepwise_lines(snapshot, StepwiseChoices(**choices))]


@pytest.mark.parametrize("labels", ["automatic", "mixed"])
def test_low_shares_before_any_mistake_are_exported_as_right_steps(
    campaign: Campaign, tmp_path: Path, labels: str
):
    searched(campaign, LOW_SHARES)
    snapshot = freeze(campaign, labels, LabelRule(target="soft"))
    assert said_of(exported(snapshot, tmp_path)) == ([1, 1, 1, 1], FinishReason.SOLUTION, "")


def test_low_quality_values_of_a_right_solution_are_exported_as_right_steps(
    campaign: Campaign, tmp_path: Path
):
    value_steps(searched(campaign, [1.0, 1.0, 1.0, 1.0]))
    snapshot = freeze(campaign, "automatic", LabelRule(target="quality_value"))
    assert stepwise(snapshot)[0]["labels"] == [0.25, 0.5, 0.75, 1.0]
    assert said_of(exported(snapshot, tmp_path)) == ([1, 1, 1, 1], FinishReason.SOLUTION, "")


def test_the_first_mistake_of_a_search_is_the_only_wrong_step_of_its_export(
    campaign: Campaign, tmp_path: Path
):
    searched(campaign, [0.875, 0.25, 0.0, 0.0])
    snapshot = freeze(campaign, "automatic", LabelRule(target="soft", after_mistake="keep"))
    assert said_of(exported(snapshot, tmp_path)) == ([1, 1, -1], FinishReason.FOUND_ERROR, "")


def test_where_nobody_knows_an_export_does_not_call_the_solution_right(campaign: Campaign, tmp_path: Path):
    task = searched(campaign, [1.0, 0.0, 0.0, 0.0])
    make_annotation(task, make_user(), [1, 1, 1, 1])
    snapshot = freeze(campaign, "mixed", LabelRule(mixture="agreement_weighted"))
    labelled = exported(snapshot, tmp_path)
    assert said_of(labelled) == ([1], FinishReason.GIVE_UP, "")
    assert labelled.annotation is not None and "does not decide" in labelled.annotation.reason


@pytest.mark.parametrize(
    ("shares", "ratings"),
    [
        ([1.0, None, 1.0, 1.0], [1]),
        ([1.0, None, 0.0, 0.0], [1]),
        ([1.0, 1.0, None, None], [1, 1]),
        ([None, 1.0, 1.0, 1.0], []),
    ],
)
def test_a_step_of_which_nobody_knows_anything_ends_its_export_undecided(
    campaign: Campaign, tmp_path: Path, shares: list[float | None], ratings: list[int]
):
    searched_in_part(campaign, shares)
    labelled = exported(freeze(campaign, "automatic", LabelRule()), tmp_path)
    assert said_of(labelled) == (ratings, FinishReason.GIVE_UP, "")
    assert labelled.annotation is not None and "does not decide" in labelled.annotation.reason


def test_a_neutral_step_that_counts_as_wrong_is_exported_as_neutral_before_the_named_mistake(
    campaign: Campaign, tmp_path: Path
):
    task = searched(campaign, [1.0, 1.0, 1.0, 0.0])
    make_annotation(task, make_user(), [1, 0, 1, -1])
    snapshot = freeze(campaign, "mixed", LabelRule(neutral="negative"))
    assert said_of(exported(snapshot, tmp_path)) == ([1, 0, 1, -1], FinishReason.FOUND_ERROR, "")


@pytest.mark.parametrize(
    "rule", [LabelRule(mixture="fusion"), LabelRule(mixture="agreement_weighted", target="soft")]
)
def test_a_neutral_step_that_counts_as_right_is_exported_as_right_whatever_the_fraction_of_its_label(
    campaign: Campaign, tmp_path: Path, rule: LabelRule
):
    task = searched(campaign, [1.0, 0.875, 1.0, 1.0])
    make_annotation(task, make_user(), [1, 0, 1, 1])
    assert said_of(exported(freeze(campaign, "mixed", rule), tmp_path))[0] == [1, 1, 1, 1]


def test_a_high_share_at_the_first_mistake_is_exported_as_wrong(campaign: Campaign, tmp_path: Path):
    searched(campaign, [0.875, 0.75, 0.75, 0.75])
    snapshot = freeze(campaign, "automatic", LabelRule(target="soft", threshold=0.8))
    assert said_of(exported(snapshot, tmp_path)) == ([1, -1], FinishReason.FOUND_ERROR, "")


def test_an_alternative_behind_low_shares_is_exported(campaign: Campaign):
    searched(campaign, LOW_SHARES)
    snapshot = freeze(campaign, "automatic", LabelRule(target="soft"))
    whole, other = stepwise(snapshot)
    assert whole["labels"] == LOW_SHARES
    assert other["completions"] == ["one", "two", "three", "four again"]
    assert other["labels"] == [*LOW_SHARES[:3], 1.0]


def test_an_alternative_behind_the_first_mistake_of_a_search_is_not_exported(campaign: Campaign):
    searched(campaign, [0.875, 0.75, 0.0, 0.0])
    for rule in (LabelRule(), LabelRule(target="soft"), LabelRule(target="soft", threshold=0.8)):
        assert len(stepwise(freeze(campaign, "automatic", rule))) == 1


@pytest.mark.parametrize(("frozen", "asked"), [("positive", "negative"), ("negative", "positive")])
def test_an_alternative_behind_a_neutral_step_is_exported_where_neutral_counts_as_right(
    campaign: Campaign, frozen: str, asked: str
):
    solution = make_solution(STEPS)
    annotation = make_annotation(make_task(campaign, solution), make_user(), [1, 0, 1, 1])
    annotation.ratings.create(step=solution.step_rows.get(text="four again"), rating=1)
    snapshot = freeze(campaign, "human", LabelRule(neutral=frozen))
    rows = {"positive": 2, "negative": 1, "drop": 2}
    assert len(stepwise(snapshot)) == rows[frozen]
    assert len(stepwise(snapshot, neutral=asked)) == rows[asked]
    assert len(stepwise(snapshot, neutral="drop")) == rows["drop"]


@pytest.mark.parametrize(
    ("ratings", "labels"), [([1, 0, 1, 1], [True, False]), ([1, 0, -1], [True, False, False])]
)
def test_a_neutral_that_counts_as_wrong_ends_a_row_as_if_it_had_been_frozen_so(
    campaign: Campaign, ratings: list[int], labels: list[bool]
):
    make_annotation(make_task(campaign, make_solution(STEPS)), make_user(), ratings)
    frozen = stepwise(freeze(campaign, "human", LabelRule(neutral="negative")))
    asked = stepwise(freeze(campaign, "human"), neutral="negative")
    assert frozen[0]["labels"] == asked[0]["labels"] == labels


@pytest.mark.parametrize(("asked", "labels"), [("positive", [True] * 4), ("drop", [True] * 3)])
def test_a_neutral_that_was_frozen_as_wrong_hides_no_step_behind_it_where_it_counts_as_another(
    campaign: Campaign, asked: str, labels: list[bool]
):
    make_annotation(make_task(campaign, make_solution(STEPS)), make_user(), [1, 0, 1, 1])
    frozen = stepwise(freeze(campaign, "human", LabelRule(neutral=asked)))
    rows = stepwise(freeze(campaign, "human", LabelRule(neutral="negative")), neutral=asked)
    assert rows == frozen
    assert rows[0]["labels"] == labels


def test_a_row_without_agreement_is_left_out_where_neutral_counts_as_something_else(campaign: Campaign):
    task = searched(campaign, [1.0, 0.0, 0.0, 0.0])
    annotation = make_annotation(task, make_user(), [1, 0, 1, 1])
    annotation.ratings.create(step=task.solution.step_rows.get(text="four again"), rating=1)
    snapshot = freeze(campaign, "mixed", LabelRule(mixture="consensus", neutral="negative"))
    assert [row["labels"] for row in stepwise(snapshot)] == [[True, False]]
    assert stepwise(snapshot, neutral="drop") == stepwise(snapshot, neutral="positive") == []


def test_an_alternative_stays_where_every_step_of_the_solution_was_neutral_and_is_left_out(
    campaign: Campaign,
):
    solution = make_solution([["one", "one again"]])
    annotation = make_annotation(make_task(campaign, solution), make_user(), [0])
    annotation.ratings.create(step=solution.step_rows.get(text="one again"), rating=1)
    (row,) = stepwise(freeze(campaign, "human"), neutral="drop")
    assert (row["completions"], row["labels"]) == (["one again"], [True])


@pytest.mark.parametrize(
    "freeze_it", [freeze, lambda *asked: freeze_or_queue(*asked, None, make_user("admin"))]
)
def test_shares_of_the_distinct_ends_of_a_search_are_not_frozen(campaign: Campaign, freeze_it: Any):
    searched(campaign, LOW_SHARES)
    assert campaign.estimate_run is not None
    campaign.estimate_run.method = "rstar"
    campaign.estimate_run.save()
    with pytest.raises(MisstepError, match="rstar counts each distinct end once"):
        freeze_it(campaign, "automatic", LabelRule(target="soft"))
    assert freeze_it(campaign, "automatic", LabelRule()).pk


RULES_WITH_FRACTIONS = [
    ("automatic", LabelRule(target="soft")),
    ("automatic", LabelRule(target="quality_value")),
    ("mixed", LabelRule(target="soft")),
    ("mixed", LabelRule(mixture="fusion")),
    ("mixed", LabelRule(mixture="agreement_weighted")),
]
HARD_RULES = [
    ("human", LabelRule()),
    ("automatic", LabelRule()),
    ("mixed", LabelRule()),
    ("mixed", LabelRule(mixture="consensus", target="soft")),
]


@pytest.mark.parametrize(
    ("labels", "rule", "kind"),
    [(*one, float) for one in RULES_WITH_FRACTIONS] + [(*one, bool) for one in HARD_RULES],
)
def test_a_stepwise_file_has_labels_of_one_type_and_is_read_back_with_the_same_labels(
    campaign: Campaign, tmp_path: Path, labels: str, rule: LabelRule, kind: type
):
    two_solutions(campaign)
    snapshot = freeze(campaign, labels, rule)
    rows = stepwise(snapshot)
    assert {type(label) for row in rows for label in row["labels"]} == {kind}
    path = tmp_path / "stepwise.jsonl"
    path.write_text("".join(stepwise_lines(snapshot, StepwiseChoices())))
    found = list(formats.read(path, "stepwise"))
    assert [one.solution.extra["labels"] for one in found] == [row["labels"] for row in rows]
    # A row of ones alone is no person's word where its neighbours are probabilities.
    assert {one.annotation is not None for one in found} == {kind is bool}


@pytest.mark.parametrize(("labels", "rule"), RULES_WITH_FRACTIONS[:3])
def test_the_data_sets_library_reads_a_stepwise_file_of_fractions_and_ones(
    campaign: Campaign, tmp_path: Path, labels: str, rule: LabelRule
):
    datasets = pytest.importorskip("datasets")
    two_solutions(campaign)
    path = tmp_path / "stepwise.jsonl"
    snapshot = freeze(campaign, labels, rule)
    path.write_text("".join(stepwise_lines(snapshot, StepwiseChoices())))
    found = datasets.load_dataset("json", data_files=str(path), cache_dir=str(tmp_path / "cache"))["train"]
    assert list(found["labels"]) == [row["labels"] for row in stepwise(snapshot)]
