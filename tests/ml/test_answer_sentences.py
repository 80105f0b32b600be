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


@pytest.mark.parametrize(
    "text,answer",
    [
        ("The answer is 18 (rounded to the nearest integer).", "18"),
        ("The answer is **18** (since 3 * 6 = 18).", "18"),
        ("The answer is $\\frac{1}{2}$ (after both are simplified).", "\\frac{1}{2}"),
        ("The answer is 18 (as expected).", "18"),
        ("The answer is 18 (to the nearest integer).", "18"),
        ("The answer is (2, 3) (open interval).", "(2, 3)"),
        ("The answer is $18; that is all.", "$18"),
        ("The answer is 18; so we are done.", "18"),
        ("The answer is 18; therefore she has enough.", "18"),
    ],
)
def test_a_remark_in_brackets_or_behind_a_semicolon_is_no_part_of_a_value(text, answer):
    assert extract_final_answer(text) == answer


@pytest.mark.parametrize(
    "answer",
    [
        "18 (square feet)",
        "18 (cents)",
        "5 (million dollars)",
        "5 (mod 7)",
        "5 (base seven)",
        "2 (x, y)",
        "3 (sqrt of 2)",
        "x = (length) (width)",
        "18 (see above) eggs",
        "[0, 1)",
        "(x, y)",
        "x = 2; y = 3",
        "2; 3",
        "2; three",
        "2 apples; and 3 pears",
        "Paris (the capital of France)",
    ],
)
def test_what_may_belong_to_the_answer_stays(answer):
    assert extract_final_answer(f"The answer is {answer}.") == answer
