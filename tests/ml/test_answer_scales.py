"""Words of scale and comparisons behind a number: the number that they say, and a question for people."""

import pytest

from ml.answers import judge


@pytest.mark.parametrize(
    "answer,reference",
    [
        ("12 apples left over", "12"),
        ("12 degrees above", "12"),
        ("12 more apples than Bob", "12"),
        ("12 fewer red apples than him", "12"),
        ("1.5 million", "1500000"),
        ("$1.5 million", "1,500,000"),
        (r"1\frac{1}{2} million", "1500000"),
        ("2 Hundred Thousand people", "200000"),
        ("12 million dollars", "12000000"),
        (r"12\text{ million dollars}", "$12 million"),
        ("3 million", r"3\cdot 10^6"),
        ("1.5 million", r"1\,500\,000"),
        ("3 dozen", "36"),
        ("3 dozen eggs", "36 eggs"),
        ("5 lakhs.", "500000"),
    ],
)
def test_a_number_with_a_word_of_scale_or_a_comparison_is_right_and_disputed(answer, reference):
    for one, other in ((answer, reference), (reference, answer)):
        assert (judge(one, other).primary, judge(one, other).strict) == (True, False)


@pytest.mark.parametrize(
    "answer,reference",
    [
        ("5 over", "5"),
        ("12 apples over x", "12"),
        ("5 more than x", "5"),
        ("5 more apples than x", "5"),
        ("5 more apples than twice seven", "5"),
        ("3 dozen", "35"),
        ("3 dozen eggs", "36 apples"),
        ("5 million x", "5000000"),
        ("2 hundred fifty", "200"),
        ("5 million and two", "5000000"),
    ],
)
def test_another_number_beside_words_of_scale_and_comparisons_is_wrong(answer, reference):
    for one, other in ((answer, reference), (reference, answer)):
        assert not judge(one, other).primary and not judge(one, other).strict
