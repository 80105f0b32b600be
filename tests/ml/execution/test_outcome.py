"""What a step printed, and which of it is its answer."""

import pytest

from ml.execution import Execution, Verdict


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
