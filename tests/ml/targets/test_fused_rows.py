"""What fusion hears of a snapshot's row, and when its labels are a verdict."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ml.snapshot import SnapshotRow
from ml.targets import LabelRule, Witnessed, decide_labels, fuse, has_verdict, label_rows
from ml.targets.snapshot_rows import with_posteriors, witnessed
from tests.ml.targets.test_fusion import four_steps, simulated

FUSION = LabelRule("mixed", mixture="fusion")


@pytest.mark.parametrize(("truth", "labels"), [(1, [1.0, 0.0, None, None]), (None, [1.0] * 4)])
def test_a_reviewers_word_holds_against_all_annotators(truth, labels):
    settled = {
        "ratings": [1, -1, None, None] if truth else [1] * 4, "first_mistake": truth,
        "finish_reason": "found_error" if truth else "solution", "origins": ["annotator", "adjudication"],
        "witnesses": dict.fromkeys("abc", None if truth else 1),
    }  # fmt: skip
    alone = {**settled, "witnesses": {}, "origins": ["adjudication"]}
    rows = [four_steps("a", settled), four_steps("b", alone)]
    for row in label_rows(rows, FUSION):
        assert (row.labels, row.first_mistake) == (labels, truth)
    assert witnessed(rows[1], FUSION).verdicts == {}


def test_what_a_reviewer_settled_teaches_who_errs():
    def settled(name, truth, **said):
        return four_steps(name, {"first_mistake": truth, "finish_reason": "found_error", "witnesses": said,
                                 "origins": ["annotator", "adjudication"]})  # fmt: skip

    taught = [settled(str(k), k % 3, good=k % 3, poor=3) for k in range(30)]
    open_row = four_steps("open", {"first_mistake": 1, "witnesses": {"good": 2, "poor": 1}})
    assert label_rows([*taught, open_row], FUSION)[-1].first_mistake == 2


def allows_two(**human) -> SnapshotRow:
    """A reviewer calls the last step but one and the last one right; annotators named one each."""
    said = {
        "first_mistake": 2,
        "finish_reason": "found_error",
        "witnesses": {"early": 2, "late": 3, "poor": 0},
    }
    return four_steps("a", {**said, "origins": ["annotator", "adjudication"], **human})


def test_whoever_named_a_place_that_the_reviewer_allows_is_not_taught_to_have_erred():
    fused, fusion = with_posteriors([allows_two(allowed=[2, 3])] * 60, FUSION)
    exact = {name: rates.exact for name, rates in fusion.rates.witnesses.items()}
    assert exact["person early"] == exact["person late"] > 0.95 and exact["person poor"] < 0.1
    assert all((row.human or {})["posterior"] == [1.0, 1.0, 0.0, 0.0] for row in fused)
    # A row from before such places were kept has only the one.
    assert witnessed(allows_two(), FUSION).verdicts["person late"] == 3


@pytest.mark.parametrize(
    ("allowed", "heard"),
    [
        ([2], [1.0, 1.0, 0.5, 0.0]),
        ([2, 3], [1.0, 1.0, None, 0.0]),
        ([1, None], [1.0, None, None, None]),
    ],
)
def test_shares_between_the_allowed_places_do_not_say_how_rollouts_behave(allowed, heard):
    row = replace(allows_two(allowed=allowed), automatic={"visits": [4] * 4, "correct": [4, 4, 2, 0]})
    assert witnessed(row, FUSION).shares == heard


@pytest.mark.parametrize(
    ("answer", "is_correct", "last_steps", "is_heard"),
    [
        ("4", True, ["s", "s"], False),
        (None, True, ["s", "s"], False),
        (None, False, ["s", "The answer is 5."], False),
        (None, False, ["The answer is:", "5"], False),
        ("5", False, ["s", "s"], False),
        # A sample that broke off: rollouts went on from its last step.
        (None, False, ["s", "s"], True),
        (None, False, ["s", "The answer is:"], True),
        (None, None, ["s", "The answer is 5."], True),
    ],
)
def test_the_last_share_of_a_finished_solution_is_its_answer_and_is_not_heard_twice(
    answer, is_correct, last_steps, is_heard
):
    row = four_steps("a", None, {"visits": [4] * 4, "correct": [4, 4, 0, 0]})
    row = replace(row, steps=["s", "s", *last_steps], final_answer=answer, is_correct=is_correct)
    found = witnessed(row, FUSION)
    assert found.shares == [1.0, 1.0, 0.0, 0.0 if is_heard else None]
    assert found.answer_correct == (None if is_heard else is_correct)


@pytest.mark.parametrize("names", [("careful", "careless", "search"), ("careless", "search"), ("careless",)])
def test_a_verdict_of_fusion_is_right_more_often_than_the_likelier_half_was(names):
    items, truths = simulated(1500, seed=6)
    items = [Witnessed(i.step_count, {n: i.verdicts[n] for n in names}) for i in items]
    fusion = fuse(items)
    found, halves = [], []
    for index, (item, truth) in enumerate(zip(items, truths, strict=True)):
        posterior = fusion.correct_through(index)
        decision = decide_labels({"posterior": posterior}, None, FUSION, item.step_count)
        row = SnapshotRow(
            "a", "p", "1 + 1 =", ["s"] * item.step_count, "train", *decision, human={"posterior": posterior}
        )
        if has_verdict(row):
            found.append(decision.first_mistake == truth)
        # A first mistake where the chance that all is right falls below a half, whatever the label says.
        halves.append(next((k for k, chance in enumerate(posterior) if chance < 0.5), None) == truth)
    assert len(found) > 0.4 * len(items)
    assert np.mean(found) > np.mean(halves)


def test_what_fusion_left_in_a_row_says_nothing_of_the_labels_that_another_rule_gives():
    # An annotator named the last step, and so do rollouts; a reviewer said that none is wrong.
    human = {"ratings": [1, 1, 1, 1], "first_mistake": None, "finish_reason": "solution", "annotators": 1,
             "witnesses": {"a": 3}, "origins": ["annotator", "adjudication"]}  # fmt: skip
    row = four_steps("a", human, {"visits": [4] * 4, "correct": [4, 4, 4, 0]})
    rule = LabelRule("mixed", mixture="agreement_weighted")
    (fresh,), (fused,) = label_rows([row], rule), label_rows([row], FUSION)
    (again,) = label_rows([fused], rule)
    assert not has_verdict(fresh) and has_verdict(fused) and not has_verdict(again)
    assert again.labels == fresh.labels and "posterior" not in (again.human or {})


def test_a_row_that_fusion_knows_by_rollouts_only_is_as_if_nobody_had_looked_under_another_rule():
    row = four_steps("a", None, {"visits": [4] * 4, "correct": [4, 0, 4, 4]})
    rule = LabelRule("mixed", after_mistake="keep")
    (fused,) = label_rows([row], FUSION)
    assert fused.human is not None and list(fused.human) == ["posterior"]
    assert list(label_rows([fused], rule)) == list(label_rows([row], rule))
