"""A mean of people's word and a low share of rollouts is no mistake unless somebody named the step."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ml.snapshot import SnapshotRow
from ml.targets import LabelRule, has_verdict, label_rows
from ml.targets.snapshot_rows import is_wrong, last_place_for_alternatives

FAULTLESS = {"ratings": [1] * 4, "first_mistake": None, "finish_reason": "solution", "annotators": 1}
RULE = LabelRule("mixed", mixture="agreement_weighted", target="soft", automatic_weight=2.0)


def judged(correct: list[int], human: dict[str, Any] = FAULTLESS, rule: LabelRule = RULE) -> SnapshotRow:
    """Four steps that one person and eight rollouts each judged."""
    row = SnapshotRow(
        "a",
        "p",
        "1 + 1 =",
        ["s"] * 4,
        "validation",
        [None] * 4,
        [None] * 4,
        human=human,
        automatic={"visits": [8] * 4, "correct": correct},
    )
    return label_rows([row], rule)[0]


@pytest.mark.parametrize(("right", "label"), [(2, 0.5), (1, 5 / 12)])
def test_a_step_that_a_person_calls_right_is_right_where_the_search_only_has_a_low_share(right, label):
    row = judged([8, right, 8, 8])
    assert row.labels[1] == pytest.approx(label) and row.first_mistake is None
    assert has_verdict(row, RULE) and not is_wrong(row, 1, RULE)
    assert last_place_for_alternatives(row, RULE) == 4


@pytest.mark.parametrize("after_mistake", ["none", "keep"])
def test_half_is_undecided_where_a_person_or_the_search_named_the_step(after_mistake):
    by_search = LabelRule(
        "mixed", mixture="agreement_weighted", target="soft", threshold=0.25, automatic_weight=2.0,
        after_mistake=after_mistake,
    )  # fmt: skip
    named = {
        "ratings": [1, -1, None, None],
        "first_mistake": 1,
        "finish_reason": "found_error",
        "annotators": 1,
    }
    by_person = LabelRule("mixed", mixture="agreement_weighted", target="soft", after_mistake=after_mistake)
    for row, rule in ((judged([8, 2, 8, 8], rule=by_search), by_search),
                      (judged([8] * 4, named, by_person), by_person)):  # fmt: skip
        assert row.labels[1] == 0.5 and row.first_mistake is None
        assert not has_verdict(row, rule) and last_place_for_alternatives(row, rule) == 1


def test_a_mistake_that_the_search_named_and_a_person_did_not_outvote_stays_one():
    row = judged([8, 0, 8, 8])
    assert row.first_mistake == 1 and is_wrong(row, 1, RULE) and has_verdict(row, RULE)
    assert last_place_for_alternatives(row, RULE) == 1


def test_a_witness_whom_a_reviewer_overruled_names_no_step():
    overruled = FAULTLESS | {"origins": ["adjudication"], "witnesses": {"annotator": 1}}
    row = judged([8, 2, 8, 8], overruled, replace(RULE, automatic_weight=6.0))
    assert row.labels[1] < 0.5 and row.first_mistake is None
    assert not is_wrong(row, 1, replace(RULE, automatic_weight=6.0))
