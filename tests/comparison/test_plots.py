"""The comparison's charts: what stands in them fits and reads as a sentence."""

from __future__ import annotations

import re

import numpy as np
import pytest

from labelsite.comparison.measures import StepFigures
from labelsite.comparison.plots import calibration, heatmap
from ml.agreement.curves import reliability


@pytest.mark.parametrize(
    ("count", "written"),
    [
        (9_999, "9999"),
        (10_000, "10k"),
        (123_457, "123k"),
        (999_499, "999k"),
        (999_500, "1.0M"),
        (12_345_678, "12.3M"),
    ],
)
def test_a_cell_has_room_for_its_number_and_the_table_has_all_of_it(count: int, written: str) -> None:
    chart = heatmap(np.array([[count, 0], [0, 0]]), "people", "run")
    assert re.findall(r'class="heat-number[^"]*">([^<]*)<', chart.svg) == [written]
    assert chart.rows[0][1] == count


@pytest.mark.parametrize(("count", "words"), [(1, "1 step;"), (2, "2 steps;")])
def test_a_calibration_says_how_many_steps_it_rests_on(count: int, words: str) -> None:
    found = reliability([0.5] * count, [True] * count)
    chart = calibration(StepFigures(count, None, None, None, found))
    assert chart is not None and chart.note.startswith(words)
