"""Final answers are compared fairly, and never waited for."""

import threading
import time

import pytest

from ml.answer_grading import GraderTimedOut, GradingPool, math_verify_verdict
from ml.answer_size import is_beyond_computing
from ml.answers import LONGEST_ANSWER, _compared, is_equivalent, judge, judge_at_once


@pytest.mark.parametrize(
    "answer,reference,primary,strict",
    [
        ("1/2", "0.5", True, True),
        (r"\frac12", r"\dfrac{1}{2}", True, True),
        ("1,000", "1000", True, True),
        ("$18", "18", True, True),
        ("-9", "\u22129", True, True),
        ("18.0", "18", True, True),
        ("3", "13", False, False),
        ("(1, 2)", "(1,2)", True, True),
        ("2/4", "1/2", True, False),
        ("1,-2", "-2,1", True, False),
        ("x+1", "1+x", True, False),
        (r"\sqrt{8}", r"2\sqrt{2}", True, False),
        (r"\$32", "32", True, True),
        (r"50\%", "50", True, True),
        ("50%", r"50\%", True, True),
        ("50%", "0.5", True, False),
        ("50%", "1/2", True, False),
        (r"\pi/2", r"\frac{\pi}{2}", True, True),
        ("a/b", r"\tfrac{a}{b}", True, True),
        (r"(\frac{\pi}{2}, x=\frac{a}{3})", r"(\pi/2,x=a/3)", True, True),
        (r"2^{\frac{1}{2}}", "2^{1/2}", True, True),
        ("2^1/2", r"2^\frac{1}{2}", False, False),
        (r"1/2x", r"\frac{1}{2}x", False, False),
        (r"31/2", r"3\frac{1}{2}", False, False),
        ("72 inches", "72", True, False),
        ("4343", "4343_6", True, False),
        ("", "1", False, False),
        ("1/0", "1", False, False),
    ],
)
def test_two_opinions_on_one_answer(answer, reference, primary, strict):
    verdict = judge(answer, reference)
    assert (verdict.primary, verdict.strict) == (primary, strict)
    assert verdict.agree == (primary == strict)


@pytest.mark.parametrize(
    "percentage,number",
    [
        (r"12.5\%", "12.5"),
        ("0.5 %", r"0.5\%"),
        ("1.5 %", "1.5"),
        (r"66.67\%", "66.67"),
        (r"33\frac13\%", r"33\frac13"),
        (r"1,250\%$", "$1250$"),
        ("12.0%", r"12\%"),
    ],
)
def test_a_percentage_is_its_number_without_the_sign_also_where_that_is_not_whole(percentage, number):
    for one, other in ((percentage, number), (number, percentage)):
        assert (judge(one, other).primary, judge(one, other).strict) == (True, True)


@pytest.mark.parametrize(
    "percentage,number", [("12.5%", "12.6"), ("0.5%", "50"), (r"12.5\%", "1.25"), ("%", "0"), ("5%%", "50")]
)
def test_a_percentage_is_no_other_number(percentage, number):
    for one, other in ((percentage, number), (number, percentage)):
        assert not judge(one, other).primary and not judge(one, other).strict


@pytest.mark.parametrize(
    "percentage,number",
    [
        ("0.5%", r"\frac{1}{2}"),
        ("0.5 %", "0.5"),
        (r"-0.5\%", "-0.5"),
        ("12.5%", "$12.50"),
        (r"12.5\%", r"\$12.50"),
    ],
)
def test_a_percentage_is_not_surely_a_share_or_a_price(percentage, number):
    for one, other in ((percentage, number), (number, percentage)):
        assert not judge(one, other).primary


@pytest.mark.parametrize(
    "exclaimed,number",
    [("12!", "12"), ("$12$!", "12.0"), ("1,200!", "1200"), ("5!", "120")],
)
def test_an_exclamation_mark_may_end_a_sentence_or_be_a_factorial_so_that_either_is_disputed(
    exclaimed, number
):
    for one, other in ((exclaimed, number), (number, exclaimed)):
        assert (judge(one, other).primary, judge(one, other).strict) == (True, False)
    assert not judge(exclaimed, "13").primary and not judge("13", exclaimed).primary


def test_an_absent_answer_is_wrong_to_both_opinions():
    assert judge(None, "1").agree and not judge(None, "1").primary
    assert not is_equivalent(None, "1") and not is_equivalent("1", None)


def test_numbers_are_compared_without_asking_the_slow_grader(monkeypatch):
    monkeypatch.setattr("ml.answers.math_verify_verdict", lambda *pair: pytest.fail("asked"))
    assert is_equivalent("7", "7.0") and not is_equivalent("123456789", "123456788")


@pytest.mark.parametrize(
    "printed,reference",
    [
        ("0.6666666666666666", "2/3"),
        ("0.6666666666666666", r"\frac{2}{3}"),
        ("0.30000000000000004", "0.3"),
        ("33.333333333333336", r"\frac{100}{3}"),
        ("-1.1428571428571428", "-8/7"),
        ("2.9999999999999996", "3"),
        ("7.000000000000001", "$7.0$"),
        ("-0.00029999999999999997", "-0.0003"),
        ("1,234.9999999999998", "1235"),
        ("12345678.999999998", "12345679"),
        ("2.9999999999999996 inches", "3 inches"),
        ("(2.9999999999999996, 1)", "(3, 1)"),
        ("x = 2.9999999999999996", "x = 3"),
        ("(0,100.00000000000001)", "(0,100)"),
        ("[0,333.33333333333337]", r"[0,333.333333333333]"),
        ("2.9999999999999996", "3.0000000000000004"),
    ],
)
def test_a_float_that_a_program_prints_is_right_to_the_primary_opinion_and_disputed(printed, reference):
    verdict = judge(printed, reference)
    assert (verdict.primary, verdict.strict) == (True, False)
    assert is_equivalent(reference, printed)


@pytest.mark.parametrize(
    "answer,reference",
    [
        ("3.0001", "3"),
        ("3.0000001", "3"),
        # Twelve digits are trusted, and this one is different in its eleventh.
        ("3.0000000001234567", "3"),
        # Nobody's float has so many digits: it is meant exactly.
        ("2.99999999999999999999", "3"),
        ("10000000000000001", "10000000000000000"),
        ("1234567890123.0002", "1234567890120"),
        ("1234567890123.0002", "1234567890123"),
        ("0.00000000000001", "0"),
        ("(2.9999, 1)", "(3, 1)"),
        (r"0.333333333333333\overline{4}", r"0.333333333333\overline{4}"),
    ],
)
def test_what_is_no_rounding_error_of_a_float_stays_different(answer, reference):
    assert not is_equivalent(answer, reference) and not is_equivalent(reference, answer)


@pytest.mark.parametrize(
    "answer,reference",
    [
        ("0.67", "2/3"),
        ("0.3333", "1/3"),
        ("3.14", "22/7"),
        ("12.5", "12.49998"),
        ("2.9999", "3"),
        ("0.00002", "0"),
        ("1/3", "1/2"),
        ("99999.99", "100000"),
        ("10000000000000001", "10000000000000000"),
    ],
)
def test_numbers_that_the_fast_path_refuses_are_refused_by_the_grader_too(answer, reference, monkeypatch):
    assert math_verify_verdict(answer, reference) is False
    assert math_verify_verdict(reference, answer) is False
    monkeypatch.setattr("ml.answers.math_verify_verdict", lambda *pair: pytest.fail("asked"))
    assert not is_equivalent(answer, reference) and not is_equivalent(reference, answer)


def test_the_grader_that_decided_is_named():
    assert judge("7", "8").grader == "number"
    assert judge("x+2", "2+x").grader.startswith("math-verify")


def test_an_answer_that_hangs_the_grader_is_stopped_by_the_wall_clock_also_in_a_thread():
    # Long enough for a plain comparison on a crowded machine, far too short for the hanging one.
    pool = GradingPool(size=1, seconds=2.0)
    assert pool.compare("x", "x")
    found = []
    hanging = "(" * 40 + "x^{9^{9^{9}}}" + ")" * 40 + "+".join(f"\\sin(x^{{{n}}})" for n in range(200))

    def ask():
        with pytest.raises(GraderTimedOut):
            pool.compare(f"\\int {hanging} dx", "9^{9^{9^9}}+1")
        found.append(pool.timeouts)

    started = time.monotonic()
    thread = threading.Thread(target=ask)
    thread.start()
    thread.join(60)
    assert found == [2]
    assert time.monotonic() - started < 50
    assert pool.compare("x+1", "1+x") is True
    pool.close()


def test_a_run_away_text_is_no_answer():
    assert not is_equivalent("9" * 5000, "9" * 5001)


def test_run_away_texts_are_not_kept_in_memory():
    before = _compared.cache_info().currsize
    assert not is_equivalent("9" * 5_000, "8") and not is_equivalent("8", "9" * 5_000)
    assert _compared.cache_info().currsize == before


@pytest.mark.parametrize("answer", ["3^{2^{100}}", "9^{9^9}", "2^{10^9}", "10^{100000000}", "100000000!"])
def test_a_number_that_no_computer_holds_is_ungraded_at_once_as_it_is_after_two_tries(answer):
    started = time.monotonic()
    with pytest.raises(GraderTimedOut):
        judge(answer, "8")
    with pytest.raises(GraderTimedOut):
        judge("8", f"${answer}$")
    assert time.monotonic() - started < 1
    # Beside its own text, or what math-verify tells apart without computing, it has its verdict.
    assert (
        judge(answer, answer).primary and not judge(answer, "x").primary and not judge(answer, None).primary
    )


@pytest.mark.parametrize(
    "tower",
    [
        "**".join(["2"] * 667),
        "2**(" * 399 + "2" + ")" * 399,
        "2^{" * 499 + "2" + "}" * 499,
        "1**" * 499 + "2",
    ],
)
def test_a_tower_of_more_powers_than_python_s_stack_has_room_for_gets_a_verdict_or_none(tower):
    assert len(tower) <= LONGEST_ANSWER
    assert not is_equivalent(tower, "7") and not is_equivalent("7", tower)
    if tower.startswith("2"):
        with pytest.raises(GraderTimedOut):
            judge(tower, "7")


@pytest.mark.parametrize("reference", ["0", "-3", "0.5"])
@pytest.mark.parametrize("power", ["2^{400000000}", "4^{200000000}"])
def test_a_power_of_two_is_refused_later_since_it_is_computed_faster(power, reference):
    assert not is_beyond_computing(power, reference) and not is_beyond_computing(reference, power)
    assert is_beyond_computing("3^{300000000}", reference) and is_beyond_computing("2^{2^{30}}", reference)


def test_what_is_refused_for_its_size_does_hang_the_grader():
    pool = GradingPool(size=1, seconds=1.0)
    with pytest.raises(GraderTimedOut):
        pool.compare("10^{100000000}", "8.5")
    pool.close()


@pytest.mark.parametrize(
    "answer,reference",
    [("2^{100}", "8"), ("1^{10^{99}}", "1"), ("20!", "7"), ("2^{-10}", "8"), ("2^{2^{2^2}}", "65536")],
)
def test_a_power_that_can_be_computed_is_compared(answer, reference):
    assert judge(answer, reference).grader.startswith("math-verify")


def test_what_is_known_at_once_is_what_the_whole_judgement_says():
    for answer, reference in (("7", "7.0"), ("1/2", "0.5"), ("18 dollars", "18"), ("x", "x"), (None, "1")):
        assert judge_at_once(answer, reference) == judge(answer, reference)
    assert judge_at_once("x+1", "1+x") is None
