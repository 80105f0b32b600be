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


def test_the_curve_climbs_from_nothing_flagged():
    rows = curve(np.array([0.1, 0.2, 0.8, 0.9]), np.array([False, True, True, True]), points=4)
    assert rows[0]["recall"] == 0.0 and rows[-1]["recall"] == 1.0
    assert [row["false_alarms"] for row in rows] == sorted(row["false_alarms"] for row in rows)


def test_a_report_gathers_late_positions_in_its_last_row():
    report = step_report([[0.9] * 14], [13])
    assert report["count"] == 14 and report["wrong"] == 1
    assert report["by_position"][-1] == {"position": 9, "count": 5, "wrong": 1, "roc_auc": 0.5}
