"""A decimal whose digits repeat for ever is the fraction that it writes, and not its first digits."""

import pytest

from ml.answers import judge
from ml.answers_found import extract_final_answer


@pytest.mark.parametrize(
    "answer,reference",
    [
        (r"0.\overline{3}", r"\frac13"),
        (r"0.1\overline{6}", "1/6"),
        (r"-1.\overline{27}", r"-\frac{14}{11}"),
        (r"$0.\bar 3$", "1/3"),
        (r"0.\overline{33}", r"0.\overline{3}"),
    ],
)
def test_a_line_over_digits_is_read_exactly_by_both_opinions(answer, reference):
    for one, other in ((answer, reference), (reference, answer)):
        assert (judge(one, other).primary, judge(one, other).strict) == (True, True)


@pytest.mark.parametrize(
    "answer,reference",
    [
        ("0.333...", r"\frac13"),
        ("0.1666...", "1/6"),
        ("-0.1212...", "-4/33"),
        ("0.333\u2026", "1/3"),
        (r"0.333\ldots", r"0.\overline{3}"),
        ("0.333....", "1/3"),
        ("12.000...", "12"),
        (r"0.\overline{3}", "0.3333333333333333"),
    ],
)
def test_dots_behind_digits_that_repeat_are_right_and_disputed(answer, reference):
    for one, other in ((answer, reference), (reference, answer)):
        assert (judge(one, other).primary, judge(one, other).strict) == (True, False)


@pytest.mark.parametrize(
    "answer,reference",
    [
        ("0.333...", "0.333"),
        ("0.333...", "0.3333"),
        ("0.333...", "2/3"),
        (r"0.\overline{3}", "0.333"),
        (r"0.\overline{3}", "0.3"),
        (r"0.\overline{12}", r"0.1\overline{2}"),
        ("0.1212...", "0.12"),
    ],
)
def test_the_first_digits_are_another_number_to_the_strict_opinion(answer, reference):
    for one, other in ((answer, reference), (reference, answer)):
        assert not judge(one, other).strict and not judge(one, other).primary


@pytest.mark.parametrize(
    "text,answer",
    [
        ("The answer is 0.333...", "0.333..."),
        ("The answer is 5...", "5"),
        ("The answer is 3.14159...", "3.14159"),
        ("The answer is 2.5.", "2.5"),
    ],
)
def test_only_dots_that_say_that_digits_repeat_stay_with_an_answer(text, answer):
    assert extract_final_answer(text) == answer
