"""An implausible pace: a median time below a third of the others'."""

from __future__ import annotations

import pytest

from labelsite.annotations.pace import Pace, too_fast


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [((30, 30, 9), {2}), ((30, 30, 10), set()), ((30, 9), {1}), ((30,), set()), ((30, 60, 15, 25), set())],
)
def test_who_takes_less_than_a_third_of_the_others_median_is_too_fast(seconds, expected) -> None:
    assert too_fast({person: Pace(8, pace) for person, pace in enumerate(seconds)}) == expected


def test_whose_labels_are_excluded_is_no_measure_of_the_others() -> None:
    paces = {1: Pace(8, 2.0), 2: Pace(8, 60.0), 3: Pace(8, 15.0)}
    assert too_fast(paces) == {1}
    assert too_fast(paces, excluded=[1]) == {1, 3}


def test_a_few_looks_say_nothing_of_a_persons_pace_nor_of_the_teams() -> None:
    assert too_fast({1: Pace(7, 1.0), 2: Pace(8, 30.0)}) == set()
    assert too_fast({1: Pace(8, 1.0), 2: Pace(7, 30.0)}) == set()
