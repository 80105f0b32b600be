"""What leads to an answer in its sentence, surrounds it and follows it is no part of it."""

import pytest

from ml.answers_found import extract_final_answer


@pytest.mark.parametrize(
    "text,answer",
    [
        ("The answer is **18** dollars.", "18 dollars"),
        ("The answer is **$18** per day.", "$18 per day"),
        ("The answer is: *18* dollars", "18 dollars"),
        ("Answer: ***3/4*** cup", "3/4 cup"),
        ("**Answer:** **18** eggs", "18 eggs"),
        ("**The answer is 18** eggs.", "18 eggs"),
        ("The answer is about **18** eggs.", "18 eggs"),
        ("#### **18** eggs", "18 eggs"),
        ("The answer is **5*x** cm.", "5*x cm"),
        ("The answer is **Tom** and **Bob**.", "Tom and Bob"),
        ("The answer is **x**2**.", "x**2"),
        ("The answer is x**2 + y**2.", "x**2 + y**2"),
        ("The answer is x**2, **not** 5.", "x**2, not 5"),
        ("The answer is 2*x*y.", "2*x*y"),
        ("The answer is 2 *x* y.", "2 *x* y"),
    ],
)
def test_stars_round_a_part_of_an_answer_are_none_of_it_and_powers_stay(text, answer):
    assert extract_final_answer(text) == answer
