"""The comparison's charts: what stands in them fits and reads as a sentence."""

from __future__ import annotations

import re
from dataclasses import fields

import numpy as np
import pytest

from labelsite.comparison.evidence import NONE, Judgements
from labelsite.comparison.kinds import kinds
from labelsite.comparison.measures import StepFigures, confusion
from labelsite.comparison.plots import calibration, heatmap
from ml.agreement.curves import reliability


def looks_with(first: list[int], machine: list[int]) -> Judgements:
    others = {field.name: np.arange(len(first)) for field in fields(Judgements)}
    return Judgements(**{**others, "first": np.array(first), "machine": np.array(machine)})


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
    chart = heatmap(np.array([[count, 0], [0, 0]]), count, "people", "run")
    assert re.findall(r'class="heat-number[^"]*">([^<]*)<', chart.svg) == [written]
    assert chart.rows[0][1] == count


@pytest.mark.parametrize(
    ("machine", "agree", "outlined"),
    [
        # Steps 13 and 14 stand in one cell, of whose two looks only the first agrees.
        ([12, 13, NONE], 2, 12),
        ([12, 12, NONE], 3, 13),
    ],
)
def test_different_steps_that_are_shown_together_are_no_agreement(
    machine: list[int], agree: int, outlined: int
) -> None:
    looks = looks_with([12, 12, NONE], machine)
    chart = heatmap(confusion(looks), kinds(looks).agree, "people", "run")
    assert f"In {agree} of 3 looks both name the same step, or both none." in chart.description
    assert chart.rows[-2] == ("12+", *[0] * 11, 2, 0)
    assert chart.svg.count("heat-agree") == outlined


@pytest.mark.parametrize(("count", "words"), [(1, "1 step;"), (2, "2 steps;")])
def test_a_calibration_says_how_many_steps_it_rests_on(count: int, words: str) -> None:
    found = reliability([0.5] * count, [True] * count)
    chart = calibration(StepFigures(count, None, None, None, found))
    assert chart is not None and chart.note.startswith(words)
