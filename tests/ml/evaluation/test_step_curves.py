"""Step curves against counting pairs and against worked numbers."""

from __future__ import annotations

import numpy as np
import pytest

from ml.evaluation.step_curves import calibration, curve, judged_steps, step_report


def test_steps_behind_the_first_mistake_do_not_count():
    scores, correct, positions = judged_steps([[0.9, 0.2, 0.8], [0.7, None]], [1, None])
    assert scores.tolist() == [0.9, 0.2, 0.7]
    assert correct.tolist() == [True, False, True] and positions.tolist() == [0, 1, 0]


def test_calibration_on_worked_numbers():
    found = calibration(np.array([0.9, 0.9, 0.1, 1.0]), np.array([True, False, False, True]))
    # Bins: 0.1 (said 0.1, happened 0), and 0.9 to 1.0 (said 2.8 / 3, happened 2 / 3).
    assert found["expected_calibration_error"] == pytest.approx(0.25 * 0.1 + 0.75 * (2.8 / 3 - 2 / 3))
    assert found["brier"] == pytest.approx((0.01 + 0.81 + 0.01 + 0.0) / 4)
    assert [row["count"] for row in found["bins"]] == [1, 3]


def drawn(count=20_000, share_wrong=0.03, digits=5):
    """Scores of steps of which few are wrong, most of these with low scores."""
    generator = np.random.default_rng(2)
    correct = generator.random(count) >= share_wrong
    scores = np.where(correct, generator.beta(8, 1, count), generator.beta(1.5, 4, count)).round(digits)
    return scores, correct


def counted(scores, correct, threshold):
    flagged = scores < threshold
    hits = (flagged & ~correct).sum()
    return hits / (~correct).sum(), (flagged & correct).sum() / correct.sum(), hits / max(flagged.sum(), 1)


def test_the_curve_climbs_from_nothing_flagged_to_all():
    rows = curve(np.array([0.1, 0.2, 0.8, 0.9]), np.array([False, True, True, True]))
    assert [(row["recall"], round(3 * row["false_alarms"])) for row in rows] == [
        (0.0, 0),
        (1.0, 0),
        (1.0, 1),
        (1.0, 2),
        (1.0, 3),
    ]
    assert [row["threshold"] for row in rows] == pytest.approx([0.1, 0.2, 0.8, 0.9, 0.9])


def test_every_point_of_the_curve_is_what_its_threshold_finds():
    for digits in (1, 5):
        scores, correct = drawn(2_000, digits=digits)
        for row in curve(scores, correct):
            found = (row["recall"], row["false_alarms"], row["precision"])
            assert found == pytest.approx(counted(scores, correct, row["threshold"]))


def test_few_distinct_scores_all_have_their_point():
    scores, correct = drawn(2_000, digits=1)
    assert len(curve(scores, correct)) == len(np.unique(scores)) + 1


def test_as_many_points_as_there_may_be_are_all_kept_however_unevenly_they_lie():
    scores = np.random.default_rng(0).random(100)
    rows = curve(scores, np.arange(100) > 1)
    assert len(rows) == 101 == len({row["threshold"] for row in rows})


def test_the_curve_is_fine_where_the_mistakes_lie():
    scores, correct = drawn()
    rows = curve(scores, correct)
    assert len(rows) <= 101
    recalls = [row["recall"] for row in rows]
    assert max(np.diff(recalls)) < 0.03 and max(np.diff([row["false_alarms"] for row in rows])) < 0.03
    area = np.trapezoid(recalls, [row["false_alarms"] for row in rows])
    assert area == pytest.approx(
        step_report([[s] for s in scores], np.where(correct, None, 0))["roc_auc"], abs=5e-4
    )


def test_the_area_under_the_curve_counts_pairs_and_is_not_read_off_its_points():
    scores, correct = drawn(400, 0.2, digits=2)
    pairs = [
        (right > wrong) + (right == wrong) / 2 for right in scores[correct] for wrong in scores[~correct]
    ]
    report = step_report([[score] for score in scores], [None if right else 0 for right in correct])
    assert report["roc_auc"] == pytest.approx(np.mean(pairs))


def test_there_is_no_curve_where_no_step_is_wrong():
    assert (
        curve(np.array([0.1, 0.2]), np.array([True, True]))
        == curve(np.array([]), np.array([], dtype=bool))
        == []
    )


def test_a_report_gathers_late_positions_in_its_last_row():
    report = step_report([[0.9] * 14], [13])
    assert report["count"] == 14 and report["wrong"] == 1
    assert report["by_position"][-1] == {"position": 9, "count": 5, "wrong": 1, "roc_auc": 0.5}
