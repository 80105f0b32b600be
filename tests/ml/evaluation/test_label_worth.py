"""What one more human label is worth in automatic labels and rollouts, worked out by hand."""

from __future__ import annotations

import pytest

from ml.evaluation.curve_report import answers, report
from ml.evaluation.label_worth import curves, reaching, rising, worth


def points(labels, *figures, seed=0, rollouts=10):
    return [
        {
            "labels": labels,
            "size": size,
            "seed": seed,
            "f1": f1,
            "step_auc": None,
            "rollouts": rollouts * size,
        }
        for size, f1 in figures
    ]


def human(*figures, seed=0):
    return points("human", *figures, seed=seed, rollouts=0)


def test_a_labels_worth_is_read_between_the_automatic_points():
    found = worth([*human((50, 0.5), (100, 0.6)), *points("automatic", (100, 0.4), (400, 0.6))])
    first, second = found
    # Half way between 0.4 and 0.6 on a logarithmic axis is the geometric mean of 100 and 400.
    assert first["automatic_labels"] == pytest.approx(200) and first["rollouts"] == pytest.approx(2000)
    assert first["automatic_per_label"] == pytest.approx(4) and first["rollouts_per_label"] == pytest.approx(
        40
    )
    assert second["automatic_labels"] == pytest.approx(400)
    # From 50 to 100 human labels the same takes 200 more automatic ones.
    assert first["next_label_in_automatic_labels"] == pytest.approx(4)
    assert first["next_label_in_rollouts"] == pytest.approx(40) and second["next_label_in_rollouts"] is None


def test_curves_that_never_meet_are_said_to():
    measured = [*human((50, 0.2), (100, 0.9)), *points("automatic", (100, 0.4), (400, 0.6))]
    assert [row["reached"] for row in worth(measured)] == ["below", "above"]
    below, above, seeds = answers(measured, "f1")
    assert "fewer than 100 automatic labels reach the same" in below
    assert "the curves never meet; up to 400 automatic labels reach 0.600 at most" in above
    assert "Fewer than three seeds" in seeds


def test_each_seeds_own_answer_is_told_beside_that_of_the_means():
    measured = []
    for seed, f1 in enumerate((0.5, 0.5, 0.9)):
        measured += human((50, f1), seed=seed)
        measured += points("automatic", (100, 0.4), (400, 0.8), seed=seed)
    row = worth(measured)[0]
    assert row["by_seed"] == [pytest.approx(20 * 2**0.5), row["by_seed"][0], None]
    assert "in 1 of 3 the curves do not meet" in answers(measured, "f1")[0]


def test_without_known_rollouts_the_worth_is_told_in_labels():
    measured = [*human((50, 0.5)), *points("automatic", (100, 0.4), (400, 0.6))]
    measured = [point | {"rollouts": None} if point["labels"] == "automatic" else point for point in measured]
    row = worth(measured)[0]
    assert row["rollouts"] is None and row["by_seed"] == [pytest.approx(4)]
    assert "One is worth 4 automatic labels" in answers(measured, "f1")[0]


def test_spread_is_the_deviation_over_seeds():
    measured = [*human((50, 0.5)), *human((50, 0.7), seed=1)]
    (row,) = curves(measured)["human"]
    assert row["f1"] == pytest.approx(0.6) and row["f1_spread"] == pytest.approx(0.02**0.5)
    assert row["seeds"] == 2 and row["step_auc"] is None
    assert "| human | 50 | 0 | 2 | 0.600 ± 0.141 | – |" in report(measured)
    assert "takes points with human and with automatic labels" in report(measured)


def test_a_rising_curve_is_the_mean_of_what_falls():
    assert rising([0.5, 0.75, 0.25, 1.0]) == [0.5, 0.5, 0.5, 1.0]
    assert reaching([10, 20, 40, 80], [0.5, 0.5, 0.5, 1.0], 0.5) == 10
    assert reaching([10, 20, 40, 80], [0.5, 0.5, 0.5, 1.0], 0.75) == pytest.approx(40 * 2**0.5)
    assert reaching([10, 20], [0.5, 0.6], 0.7) is None and reaching([10, 20], [0.5, 0.6], 0.4) is None
