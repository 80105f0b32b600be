"""How answers are written: a blank or a comma between digits can be all that tells two answers from one."""

from fractions import Fraction

import pytest

from ml.answer_notation import normalise, parse_number, without_float_noise
from ml.answers import judge


@pytest.mark.parametrize(
    "answer,reference",
    [
        ("1, 200", "1200"),
        ("2, 100", "2,100"),
        ("-2, 100", "-2100"),
        ("1 1/2", "11/2"),
        ("2 3", "23"),
        ("1 000", "1000"),
        ("1234,567", "1234567"),
        ("3,100,200", "3, 100, 200"),
        ("0,100", "100"),
        ("3 1/2", "3/2"),
        (r"3\frac{1}{2}", r"\frac{3}{2}"),
        (r"3\frac{1}{2}", r"\frac{31}{2}"),
        (r"2\,3", "23"),
    ],
)
def test_two_numbers_side_by_side_are_not_one_number_to_either_opinion(answer, reference):
    for one, other in ((answer, reference), (reference, answer)):
        verdict = judge(one, other)
        assert (verdict.primary, verdict.strict) == (False, False)


@pytest.mark.parametrize(
    "answer,reference",
    [
        ("1,200", "1200"),
        (r"1{,}200", "1200"),
        (r"1\,200", "1,200"),
        (r"1,\!200", "1200"),
        (r"\$12,345,678.5", "12345678.5"),
        ("1, 200", "1 ,200"),
        ("(1,200)", "(1, 200)"),
        ("(10,100,200)", "(10, 100, 200)"),
        ("(1,000, 2,000)", "(1000, 2000)"),
        ("3 1/2", "7/2"),
        (r"3\frac{1}{2}", "7/2"),
        (r"3 \frac12", "3.5"),
        ("-3 1/2", r"-\frac{7}{2}"),
        (r"3\;\tfrac{1}{2}", "3 1/2"),
        (r"\frac{1,000}{3}", "1000/3"),
        (r"\frac 1 2", r"\frac{1}2"),
        ("x = 2", "x=2"),
    ],
)
def test_separators_and_mixed_numbers_mean_the_same_to_both_opinions(answer, reference):
    for one, other in ((answer, reference), (reference, answer)):
        verdict = judge(one, other)
        assert (verdict.primary, verdict.strict) == (True, True)


def test_a_mixed_number_with_an_unreduced_fraction_is_disputed():
    verdict = judge("3 2/4", "7/2")
    assert (verdict.primary, verdict.strict) == (True, False)


def test_a_printed_float_is_compared_with_a_mixed_number_too():
    assert judge("2.6666666666666665", "2 2/3").primary


@pytest.mark.parametrize(
    "text,value",
    [
        ("2 7/3", None),
        ("1/0", None),
        ("2 1/0", None),
        ("", None),
        (".", None),
        ("1,2", None),
        ("$1,000.50$", Fraction(2001, 2)),
        (".5", Fraction(1, 2)),
        (r"-\frac{1}{3}", Fraction(-1, 3)),
        ("9" * 500, None),
    ],
)
def test_numbers_are_read_exactly_or_not_at_all(text, value):
    assert parse_number(text) == value


def test_one_blank_is_kept_between_digits_and_none_elsewhere():
    assert normalise(" x \n +  1   2 ") == "x+1 2"


@pytest.mark.parametrize(
    "answer",
    [
        r"0.123456789012345\overline{6}",
        r"0.123456789012345 \bar 6",
        r"0.123456789012345\dot{6}",
        "0.1010101010101011_2",
        "0.1010101010101011_{2}",
        "{0.1010101010101011}_2",
        r"3.14159265358979\ldots",
        r"3.14159265358979\,\dots",
        "3.14159265358979...",
        "3.14159265358979 ...",
        "3.14159265358979\u2026",
        # Rounded, there would be a thousand and a thousand, or twelve.
        "1,999.9999999999998",
        "1,012.0000000000001",
    ],
)
def test_digits_that_go_on_or_mean_another_number_are_not_rounded(answer):
    assert without_float_noise(answer) == answer


@pytest.mark.parametrize(
    ("answer", "rounded"),
    [
        ("(0,100.00000000000001)", "(0,100)"),
        ("(0,99.99999999999999)", "(0,100)"),
        ("1,234.0000000000002", "1,234"),
        (r"2.9999999999999996\cdot x", r"3\cdot x"),
    ],
)
def test_digits_behind_a_comma_are_rounded_where_they_stay_as_many(answer, rounded):
    assert without_float_noise(answer) == rounded
