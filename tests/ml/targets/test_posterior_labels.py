"""What labels a posterior of fusion becomes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ml.snapshot import SnapshotRow
from ml.targets import LabelRule, decide_labels, has_verdict
from ml.targets.rules import CHOICES
from ml.targets.snapshot_rows import last_place_for_alternatives


def test_a_posterior_becomes_conditional_soft_labels():
    human = {"ratings": None, "posterior": [0.9, 0.45, 0.0]}
    decision = decide_labels(human, None, LabelRule("mixed", mixture="fusion"))
    assert decision.labels == [pytest.approx(0.9), pytest.approx(0.5), None]
    assert decision.first_mistake is None
    human = {"ratings": None, "posterior": [0.9, 0.27, 0.0]}
    decision = decide_labels(human, None, LabelRule("mixed", mixture="fusion"))
    assert decision.labels == [pytest.approx(0.9), pytest.approx(0.3), None]
    assert decision.first_mistake == 1


@pytest.mark.parametrize(
    ("after", "behind"),
    [("none", [None, None, None]), ("wrong", [0.0, 0.0, 0.0]), ("keep", [pytest.approx(0.5), 0.0, None])],
)
def test_steps_behind_fusions_first_mistake_are_labelled_as_after_mistake_says(after, behind):
    # More probably than not the mistake stands at or before the second step, and for sure before the last one.
    people = {"ratings": [1, -1, None, None, None], "posterior": [0.9, 0.2, 0.1, 0.0, 0.0]}
    found = decide_labels(people, None, LabelRule("mixed", mixture="fusion", after_mistake=after))
    assert found.first_mistake == 1
    assert found.labels[:2] == [pytest.approx(0.9), pytest.approx(0.2 / 0.9)]
    assert found.labels[2:] == behind
    assert found.sources == [None if label is None else "fused" for label in found.labels]


@pytest.mark.parametrize("after", CHOICES["after_mistake"])
def test_fusion_names_no_mistake_at_a_step_that_its_own_label_calls_right(after):
    # P(first mistake at 0) = 0.4, at 1 = 0.2, none = 0.4: step 0 is right with 0.6, step 1 behind it with 0.4 / 0.6.
    rule = LabelRule("mixed", mixture="fusion", after_mistake=after)
    row = SnapshotRow("a", "p", "1 + 1 =", ["s"] * 2, "validation", [None] * 2, [None] * 2)
    row = replace(row, human={"ratings": None, "posterior": [0.6, 0.4]})
    found = decide_labels(row.human, None, rule)
    assert found == ([0.6, pytest.approx(0.4 / 0.6)], ["fused", "fused"], None)
    labelled = replace(row, labels=found.labels, label_source=found.sources)
    assert not has_verdict(labelled)
    assert last_place_for_alternatives(labelled, rule) == 1
    sure = replace(row, human={"posterior": [0.9, 0.8]}, labels=[0.9, 8 / 9], label_source=["fused"] * 2)
    assert has_verdict(sure)
