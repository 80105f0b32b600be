"""An answer is the same with and without the signs that display its mathematics."""

import pytest

from ml.answers import extract_final_answer, judge


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
