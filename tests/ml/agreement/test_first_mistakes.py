"""First mistakes of people and machine, against tables filled in by hand and against plain loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml import agreement

PEOPLE = [0, 2, None, None, 3, 1]
MACHINE = [0, 1, None, 2, None, 3]
mistakes = st.lists(
    st.tuples(st.none() | st.integers(0, 4), st.none() | st.integers(0, 4)), min_size=1, max_size=30
)


def test_the_confusion_has_people_in_rows_and_none_last():
    table = agreement.first_mistake_confusion(PEOPLE, MACHINE)
    expected = np.zeros((5, 5), dtype=int)
    for row, column in [(0, 0), (2, 1), (4, 4), (4, 2), (3, 4), (1, 3)]:
        expected[row, column] += 1
    assert table.tolist() == expected.tolist()


def test_the_confusion_can_be_as_wide_as_the_longest_solution():
    table = agreement.first_mistake_confusion([0], [None], positions=10)
    assert table.shape == (11, 11)
    assert table[0, 10] == table.sum() == 1


def test_the_confusion_of_nothing_is_one_empty_cell():
    assert agreement.first_mistake_confusion([], []).tolist() == [[0]]


def test_the_report_of_six_solutions_by_hand():
    report = agreement.compare_first_mistakes(PEOPLE, MACHINE)
    assert report is not None
    assert (report.count, report.exact) == (6, pytest.approx(2 / 6))
    # Equal: 0-0 and none-none; one step apart: 2-1. "None" is near nothing.
    assert report.within_one == pytest.approx(3 / 6)
    # Both found one in 0-0, 2-1 and 1-3: differences 0, -1, +2.
    assert report.bias == pytest.approx(1 / 3)
    # Chance: people use 0,1,2,3,none = 1,1,1,1,2 times; machine 1,1,1,1,2 times: (4 + 4) / 36.
    assert report.kappa == pytest.approx((2 / 6 - 8 / 36) / (1 - 8 / 36))
    assert report.exact_interval == pytest.approx(agreement.wilson_interval(2, 6))


def test_a_late_machine_has_a_positive_bias():
    assert agreement.step_bias([1, 2, None], [2, 4, 0]) == pytest.approx(1.5)
    assert agreement.step_bias([None], [3]) is None


def test_no_solutions_give_no_report():
    assert agreement.compare_first_mistakes([], []) is None


def test_arrays_of_different_length_are_refused():
    with pytest.raises(ValueError, match="expected two of one length"):
        agreement.compare_first_mistakes([1], [1, 2])


@settings(deadline=None)
@given(mistakes)
def test_every_measure_equals_a_plain_loop(pairs):
    people, machine = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    report = agreement.compare_first_mistakes(people, machine)
    assert report is not None
    assert report.exact == pytest.approx(sum(a == b for a, b in pairs) / len(pairs))
    near = [a == b or (a is not None and b is not None and abs(a - b) == 1) for a, b in pairs]
    assert report.within_one == pytest.approx(sum(near) / len(pairs))
    both = [b - a for a, b in pairs if a is not None and b is not None]
    assert report.bias == (pytest.approx(sum(both) / len(both)) if both else None)
    table = agreement.first_mistake_confusion(people, machine)
    assert table.sum() == len(pairs)
    assert np.trace(table) == sum(a == b for a, b in pairs)
    assert agreement.first_mistake_confusion(machine, people).tolist() == table.T.tolist()
