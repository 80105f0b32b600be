"""Numbers as Python prints them: an exponent changes how a number is written, never what it is."""

import time
from fractions import Fraction

import pytest

from ml.answer_exponents import without_exponents
from ml.answer_grading import NoVerdict
from ml.answer_notation import parse_number
from ml.answers import judge
from ml.execution import sandbox
from ml.records import Problem
from ml.search.grading import grade


@pytest.mark.parametrize(
    "printed,reference",
    [
        ("1e-05", "0.00001"),
        ("1e+16", "10000000000000000"),
        ("1e3", "1000"),
        ("1E5", "100,000"),
        ("-2.5e-07", r"-2.5 \times 10^{-7}"),
        ("6.02e+23", "602000000000000000000000"),
        ("1e-05", r"\frac{1}{100000}"),
        ("1.e-05", "1e-5"),
        ("[1e-05, 2.0]", "[0.00001, 2]"),
        ("x = 1e-05", "x = 0.00001"),
        ("1e-05 meters", "0.00001 meters"),
        ("3.0", "3"),
        ("-0.0", "0"),
    ],
)
def test_an_exponent_is_read_as_the_number_that_it_writes_by_both_opinions(printed, reference):
    for one, other in ((printed, reference), (reference, printed)):
        verdict = judge(one, other)
        assert (verdict.primary, verdict.strict) == (True, True)


@pytest.mark.parametrize(
    "printed,reference",
    [
        ("1e-05", "0.00002"),
        ("1e-07", "3e-07"),
        ("1e-07", "0"),
        ("1e3", "103"),
        ("3e+5", "300005"),
        ("1e3_{16}", "1000"),
        ("0x1e3", "1000"),
        ("1,1e2", "1100"),
        ("5.551115123125783e-17", "1"),
        ("1.2676506002282294e+30", "1267650600230000000000000000000"),
    ],
)
def test_another_number_is_wrong_to_both_opinions_however_small_it_is(printed, reference):
    for one, other in ((printed, reference), (reference, printed)):
        verdict = judge(one, other)
        assert (verdict.primary, verdict.strict) == (False, False)


@pytest.mark.parametrize(
    "printed,reference",
    [
        ("0.30000000000000004", "0.3"),
        ("1.0000000000000002e-05", "0.00001"),
        ("1.6666666666666667e+16", r"\frac{50000000000000000}{3}"),
        ("1.2676506002282294e+30", str(2**100)),
        ("1.2246467991473532e-16", "0"),
        ("-5.551115123125783e-17", "0"),
        ("1e+16", "10^{16}"),
        ("1e5 dollars", "100000"),
        # 2e minus 5, or 0.00002.
        ("2e-5", "0.00002"),
        ("2e-5", "0.43656365691809"),
    ],
)
def test_a_rounding_error_and_an_exponent_that_may_be_none_are_right_and_disputed(printed, reference):
    for one, other in ((printed, reference), (reference, printed)):
        verdict = judge(one, other)
        assert (verdict.primary, verdict.strict) == (True, False)


@pytest.mark.parametrize(
    "word", ["2e", "e5", "e^5", "2e-5", "x1e5", "1e5x", "1e5!", "2^1e5", "1e5.2", "1e3e3"]
)
def test_what_may_be_no_exponent_stays_as_it_is(word):
    assert without_exponents(word) == word
    assert parse_number(word) is None


@pytest.mark.parametrize("number", ["1e999999999", "1E999999999", "1E-999999999"])
def test_an_exponent_that_no_float_has_is_no_number_and_costs_nothing(number):
    started = time.monotonic()
    assert parse_number(number) is None
    assert judge(number, number).primary
    for one, other in ((number, "1"), ("1", number)):
        with pytest.raises(NoVerdict):
            judge(one, other)
    assert time.monotonic() - started < 1


def test_the_largest_and_the_smallest_float_are_numbers():
    assert parse_number("1.7976931348623157e+308") == 17976931348623157 * 10**292
    assert parse_number("2.5e-323") == Fraction(25, 10**324)


def test_a_text_of_many_exponents_is_not_written_out():
    text = ",".join(["1e300"] * 300)
    assert without_exponents(text) == text
    assert without_exponents("7" * 100_000 + "e") == "7" * 100_000 + "e"


@pytest.mark.parametrize(
    "code,reference", [("print(10 / 1000000)", "0.00001"), ("print(10.0**16)", "10000000000000000")]
)
def test_a_right_solution_whose_code_prints_an_exponent_is_right_and_not_disputed(code, reference):
    graded = grade(Problem("p", "?", reference), [f"```python\n{code}\n```"], sandbox())
    assert "e" in (graded.answer or "")
    assert graded.is_correct and not graded.is_disputed
