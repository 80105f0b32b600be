"""What a step printed, and which of it is its answer."""

import pytest

from ml.execution import Execution, Verdict
from ml.execution.outcome import path_keys


@pytest.mark.parametrize(
    ("printed", "answer"),
    [
        ("m =\n[[1 2]\n [3 4]]\n", "[[1 2] [3 4]]"),
        ("array([[1, 2],\n       [3, 4]])", "array([[1, 2], [3, 4]])"),
        ("[0, 1\n(3, 4]", "(3, 4]"),
        ("so\n  6\n\n", "6"),
        ("\n", None),
    ],
)
def test_the_answer_of_a_step_is_its_last_line_or_the_array_that_ends_there(printed, answer):
    assert Execution(Verdict.OK, printed, "none", 1).last_line == answer


def test_programs_that_differ_in_a_lone_surrogate_only_have_different_keys():
    programs = ["print('\ud800')", "print('\udfff')", "print('?')"]
    assert len({path_keys([program])[0] for program in programs}) == 3
