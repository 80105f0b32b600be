"""An answer is the same with and without the signs that display its mathematics."""

import pytest

from ml.answer_signs import plainly_written
from ml.answers import judge
from ml.answers_found import extract_final_answer


@pytest.mark.parametrize(
    "displayed,plain",
    [
        (r"\[ 5 \]", "5"),
        (r"\[ x^2 + 1 \]", "x^2+1"),
        (r"\(1,200\).", "1200"),
        (r"$$ x^2 $$", "x^2"),
        (r"\(x=5\) and \(y=3\)", "$x=5$ and $y=3$"),
    ],
)
def test_what_displays_an_answer_says_nothing_of_it_to_either_opinion(displayed, plain):
    for one, other in ((displayed, plain), (plain, displayed)):
        assert (judge(one, other).primary, judge(one, other).strict) == (True, True)


def test_a_displayed_expression_is_compared_by_its_meaning():
    assert judge(r"\[ 1 + x^2 \]", "x^2+1").primary


@pytest.mark.parametrize(
    "answer,reference",
    [
        (r"\[ 5 \]", "6"),
        (r"\[0, 1\]", "[0, 1)"),
        (r"\(1, 200\)", "1200"),
        (r"\begin{pmatrix} 1 \\\\ (2) \end{pmatrix}", r"\begin{pmatrix} 1 \\\\ 3 \end{pmatrix}"),
    ],
)
def test_another_answer_is_wrong_however_it_is_displayed(answer, reference):
    for one, other in ((answer, reference), (reference, answer)):
        assert not judge(one, other).primary and not judge(one, other).strict


@pytest.mark.parametrize(
    "written,latex",
    [
        ("√3", r"\sqrt{3}"),
        ("5√2", r"5\sqrt{2}"),
        ("√(x+1)", r"\sqrt{x+1}"),
        ("x²", "x^2"),
        ("x²y", "x^{2}y"),
        ("10⁻³", "10^{-3}"),
        ("x₁", "x_1"),
        ("½", "1/2"),
        ("½", "0.5"),
        ("3½", "3.5"),
        ("–¾", "-0.75"),
        ("∞", r"\infty"),
        ("(–∞, 3]", r"(-\infty, 3]"),
        ("5×10³", "5000"),
        ("5 × 10³", r"5 \times 10^3"),
        ("–12", "-12"),
        ("x = –12", "x=-12"),
        ("x ≤ 5", r"x \leq 5"),
        ("2π", r"2\pi"),
        ("∅", r"\emptyset"),
    ],
)
def test_unicode_s_signs_are_latex_s_to_both_opinions(written, latex):
    for one, other in ((written, latex), (latex, written)):
        assert (judge(one, other).primary, judge(one, other).strict) == (True, True)


@pytest.mark.parametrize(
    "one,other",
    [
        ("£12", "12"),
        ("12 €", "12"),
        ("¥1,200", "1200"),
        ("£12", "12 pounds"),
        ("½ cup", "1/2"),
        ("12 cm²", "12"),
        ("√12", r"2\sqrt{3}"),
        ("x ∈ (1, 2)", "(1,2)"),
    ],
)
def test_what_unicode_s_signs_mean_is_right_and_disputed_where_they_say_more(one, other):
    for answer, reference in ((one, other), (other, one)):
        assert (judge(answer, reference).primary, judge(answer, reference).strict) == (True, False)


@pytest.mark.parametrize(
    "one,other",
    [
        ("3–5", "-2"),
        ("£12", "$12"),
        ("£12", "€12"),
        ("£12", "13"),
        ("√3", "3"),
        ("x²", "x2"),
        ("2½", "21/2"),
        ("½x", "1/(2x)"),
        ("2³", "23"),
        ("x²3", "x^{23}"),
        ("1011₂", "10112"),
        ("√12", r"\sqrt{1}2"),
        ("–5", "5"),
        ("2³√8", r"8\sqrt{8}"),
    ],
)
def test_unicode_s_signs_are_no_other_answer(one, other):
    for answer, reference in ((one, other), (other, one)):
        assert not judge(answer, reference).primary and not judge(answer, reference).strict


@pytest.mark.parametrize(
    "one,other",
    [
        (r"\frac{1 \pm \sqrt{5}}{2}", r"\frac{1-\sqrt5}{2}, \frac{1+\sqrt5}{2}"),
        (r"x = \frac{1 \pm \sqrt{5}}{2}", r"\frac12 \pm \frac{\sqrt5}{2}"),
        (r"\frac{2 \pm \sqrt{20}}{4}", r"\frac{1\pm\sqrt5}{2}"),
        (r"\left\{\frac{1+\sqrt5}{2}, \frac{1-\sqrt5}{2}\right\}", r"\frac{1±\sqrt5}{2}"),
        (r"e^{\pm i}", "e^i, e^{-i}"),
    ],
)
def test_plus_or_minus_in_braces_stands_for_two_values_and_is_disputed(one, other):
    for answer, reference in ((one, other), (other, one)):
        assert (judge(answer, reference).primary, judge(answer, reference).strict) == (True, False)


@pytest.mark.parametrize(
    "one,other",
    [
        (r"\frac{1 \pm \sqrt{5}}{2}", r"\frac{1+\sqrt5}{2}"),
        (r"\frac{1 \pm \sqrt{5}}{2}", r"\frac{1\pm\sqrt3}{2}"),
        (r"\frac{1 \pm \sqrt{5}}{2}", r"\frac{-1\pm\sqrt5}{2}"),
        (r"\frac{\pm 1 \pm \sqrt{5}}{2}", r"\frac{1+\sqrt5}{2}, \frac{1-\sqrt5}{2}"),
    ],
)
def test_plus_or_minus_stands_for_no_other_values(one, other):
    for answer, reference in ((one, other), (other, one)):
        assert not judge(answer, reference).primary and not judge(answer, reference).strict


@pytest.mark.parametrize("text", ["서울", "Αθήνα", "naïve", "mass–volume", "30° east", "red × blue"])
def test_words_of_any_script_stay_as_they_are(text):
    assert plainly_written(text) == text


@pytest.mark.parametrize(
    "text,answer",
    [
        (r"The answer is \(1,200\).", "1,200"),
        (r"The answer is: \[ \frac{1}{2} \]", r"\frac{1}{2}"),
        (r"The answer is **$$18$$**.", "18"),
        (r"#### \(x\)", "x"),
        (r"The answer is \(2\) or \(3\).", r"\(2\) or \(3\)"),
        (r"The answer is \(\).", None),
    ],
)
def test_an_answer_is_found_without_the_signs_that_display_it(text, answer):
    assert extract_final_answer(text) == answer
