"""Quality values from labels."""

from __future__ import annotations

import pytest

from ml.targets.values import values_from_labels


def test_quality_values_from_labels_of_the_reference_cases():
    # After v = 1/2, with two steps to go, a wrong step at distance 2, and again.
    labels, wrong = [1.0, 1.0, 0.0, 0.0], [False, False, True, True]
    assert values_from_labels(labels, wrong) == pytest.approx([0.25, 0.5, 1 / 3, 1 / 9])
    # From the problem itself, four steps from its answer: 0; then 1 of the 2 that remain from the third on.
    labels, wrong = [0.0, 0.0, 1.0, 0.0], [True, True, False, True]
    assert values_from_labels(labels, wrong) == pytest.approx([0.0, 0.0, 0.5, 0.25])
    cut = values_from_labels([1.0, 1.0, None], [False] * 3)
    assert cut == [pytest.approx(1 / 3), pytest.approx(2 / 3), None]
