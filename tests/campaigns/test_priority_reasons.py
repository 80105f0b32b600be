"""Why a task comes is kept as a code and told in the reader's language; what is no code stands as it is."""

from __future__ import annotations

import pytest
from django.utils import translation

from labelsite.campaigns.priority_reasons import reason_text
from ml import acquisition
from ml.acquisition import Priority

PRIORITIES = [
    acquisition.convincing_wrong([0.9, 0.9], False),
    acquisition.convincing_wrong([0.1], False),
    acquisition.convincing_wrong([0.9], True),
    acquisition.convincing_wrong([0.9], None),
    acquisition.uncertainty([0.9, 0.6]),
    acquisition.disagreement([0.9, 0.1], [0.0, 0.0], 0, is_known=True),
    acquisition.disagreement([0.9, 0.9], [0.5, 0.0], 1, is_known=True),
    acquisition.disagreement([0.1, 0.9], [0.5, 0.5], None, is_known=True),
    acquisition.disagreement([1.0, 1.0], [0.5, 0.5], None, is_known=True),
    acquisition.random_order("1"),
    Priority(-1.0, "unscored"),
    Priority(0.0, "import_order"),
]


def test_every_rule_that_speaks_is_tried_here() -> None:
    assert {priority.kind for priority in PRIORITIES} == set(acquisition.REASONS)


@pytest.mark.parametrize("priority", PRIORITIES, ids=lambda priority: priority.kind)
def test_a_code_is_read_back_as_the_reason_it_stands_for(priority: Priority) -> None:
    assert reason_text(priority.code) == priority.reason
    assert len(priority.code) <= 200


def test_the_reader_gets_it_in_their_language() -> None:
    with translation.override("ko"):
        assert reason_text("uncertainty step=2 score=0.60") == "PRM이 2단계를 확신하지 못함 (0.60)"


@pytest.mark.parametrize(
    "text", ["", "wrong answer, yet the PRM gives it 0.93", "uncertainty", "uncertainty step=2", "a=b c"]
)
def test_what_is_no_code_is_shown_as_it_stands(text: str) -> None:
    assert reason_text(text) == text
