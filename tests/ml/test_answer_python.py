"""Answers as programs print them are compared with references in LaTeX."""

import pytest

from ml.answer_python import from_python
from ml.answers import judge


@pytest.mark.parametrize(
    ("printed", "reference"),
    [
        ("pi/2", r"\frac{\pi}{2}"),
        ("8*pi", r"8 \pi"),
        ("x**2 + 1", "x^2+1"),
        ("x^2+1", "x**2 + 1"),
        (r"8\pi", "pi*8"),
        ("1 + 2*I", "1+2i"),
        ("oo", r"\infty"),
        ("exp(2)", "e^2"),
        ("3*sqrt(2)/2", r"\frac{3\sqrt{2}}{2}"),
        ("x**(n + 1)", "x^{n+1}"),
        ("2**(-3)", r"\frac{1}{8}"),
        ("Matrix([[1, 2], [3, 4]])", r"\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}"),
    ],
)
def test_a_printed_answer_is_that_of_the_reference(printed, reference):
    assert judge(printed, reference).primary


@pytest.mark.parametrize(
    ("printed", "reference"),
    [
        ("x**2 + 1", "1"),
        ("3*r**2", "3"),
        ("5*r**5", "5"),
        ("8*pi", "8"),
        ("pi/2", r"\pi"),
        ("x**2", "2x"),
        ("1", "x**2 + 1"),
        ("x**(n*(m + 1)) + 1", "1"),
        (r"\frac{x}{2}**2 + 1", "1"),
    ],
)
def test_a_printed_power_is_read_whole_and_not_by_its_beginning(printed, reference):
    assert not judge(printed, reference).primary


@pytest.mark.parametrize(
    "text", [r"8 \pi", "E", "I", "42", "x^2+1", "(3,4)", "18 dollars", "$5*2$", "a; import os"]
)
def test_what_is_no_printed_expression_is_left_as_it_is(text):
    assert from_python(text) is None


def test_a_long_printed_answer_takes_no_time():
    assert from_python("(" * 5000 + "x**2" + ")" * 5000) is not None
