"""Answers as programs print them are compared with references in LaTeX."""

import ast
import json
import logging

import pytest

from ml.answer_grading import NoVerdict
from ml.answer_python import python_text
from ml.answers import judge
from tests.data import real_data

MATRIX = r"\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}"


@pytest.mark.parametrize(
    ("printed", "reference"),
    [
        ("pi/2", r"\frac{\pi}{2}"),
        ("8*pi", r"8 \pi"),
        ("x**2 + 1", "x^2+1"),
        ("x^2+1", "x**2 + 1"),
        (r"8\pi", "pi*8"),
        ("1 + 2*I", "1+2i"),
        ("(1+2j)", "1+2i"),
        ("oo", r"\infty"),
        ("exp(2)", "e^2"),
        ("3*sqrt(2)/2", r"\frac{3\sqrt{2}}{2}"),
        ("x**(n + 1)", "x^{n+1}"),
        ("2**(-3)", r"\frac{1}{8}"),
        ("Matrix([[1, 2], [3, 4]])", MATRIX),
        ("sqrt(x**2 + (y + 1)**2)", r"\sqrt{x^2+(y+1)^2}"),
        (r"\sqrt{x^2+(y+1)^2}", "sqrt(x**2 + (y + 1)**2)"),
        ("exp(2*(x + 1))", "e^{2(x+1)}"),
        ("x**(n*(m + 1)) + 1", "x^{n(m+1)}+1"),
        ("Rational(1, 3)", r"\frac13"),
        ("-1/2 + sqrt(3)*I/2", r"\frac{-1+i\sqrt{3}}{2}"),
        ("log(2) + sin(x)", r"\sin x + \ln 2"),
        ("factorial(5)", "120"),
    ],
)
def test_a_printed_answer_is_that_of_the_reference(printed, reference):
    assert judge(printed, reference).primary


@pytest.mark.parametrize(
    ("printed", "reference"),
    [
        ("[-2, 2]", "-2,2"),
        ("[2, -2]", "-2,2"),
        ("[-2, 2]", "[-2,2]"),
        ("[3, 1, 2]", "1,2,3"),
        ("[2, 2]", "2,2"),
        ("[0, 0]", r"\begin{pmatrix}0\\0\end{pmatrix}"),
        ("[(1, 2), (4, 3)]", "(1,2),(4,3)"),
        ("(sqrt(2), -sqrt(2))", r"\pm\sqrt{2}"),
        ("[-sqrt(2)*I, sqrt(2)*I]", r"\pm i\sqrt{2}"),
        ("[np.float64(1.0), np.float64(2.5)]", "1,2.5"),
        ("[[1, 2], [3, 4]]", MATRIX),
        ("[[1. 2.]\n [3. 4.]]", MATRIX),
        ("[ -1.    0.5]", "(-1,0.5)"),
        ("[1 2 3]", "1,2,3"),
        ("array([[1, 2],\n       [3, 4]])", MATRIX),
        ("{1, sqrt(2)}", r"\{\sqrt{2}, 1\}"),
        ("FiniteSet(1, 2)", "1,2"),
        ("{x: 2, y: 3}", "x=2,y=3"),
        ("(2, pi/3)", r"\left(2,\frac{\pi}{3}\right)"),
        ("Interval(3, 4)", "[3,4]"),
        ("Interval.Ropen(0, oo)", r"[0,\infty)"),
        ("(-oo, 3]", r"(-\infty,3]"),
        ("Union(Interval.open(-oo, 2), Interval.open(3, oo))", r"(-\infty,2)\cup(3,\infty)"),
        ("Eq(y, 2*x)", "y=2x"),
        ("(x >= 2) & (x < 3)", r"2 \le x < 3"),
        ("(-oo < x) & (x < 2)", "x<2"),
    ],
)
def test_what_a_printed_answer_puts_together_is_read_with_its_parts(printed, reference):
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
        ("x**2 + $1", "1"),
        ("sqrt(x**2 + (y + 1)**2)", r"\sqrt{x^2+(y-1)^2}"),
        ("2**100000000", "5"),
    ],
)
def test_a_printed_power_is_read_whole_and_not_by_its_beginning(printed, reference):
    try:
        assert not judge(printed, reference).primary
    except NoVerdict:
        # Too large to compute is no evidence.
        assert printed == "2**100000000"


@pytest.mark.parametrize(
    ("printed", "reference"),
    [
        ("(3, 4)", "[3,4]"),
        ("[3, 4)", "(3,4)"),
        ("[3, oo]", r"(3,\infty)"),
        ("-2, 2", "[-2,2]"),
        ("Interval(1, 2)", "1,2"),
        ("Interval.open(0, 1)", "[0,1]"),
        ("[1, 2, 2]", "1,2,3"),
        ("[0, 0]", "0"),
        (r"\left[2,2\right]", "2"),
        ("0", "[0,0]"),
        ("[1, 2]", "1,2,3"),
        ("[1 2]", "12"),
        ("[1 - 2]", "(1,-2)"),
        ("[1 200]", "1200"),
        ("[1. 2.]", "[1,3]"),
        ("[[1 3] [2 4]]", MATRIX),
        ("[[1, 3], [2, 4]]", MATRIX),
        ("[1, 2, 3, 4]", MATRIX),
        ("{x: 2, y: 3}", "x=3,y=2"),
        ("(x >= 2) & (x < 3)", r"2 < x < 3"),
    ],
)
def test_brackets_and_parts_that_differ_are_no_match(printed, reference):
    assert not judge(printed, reference).primary


def test_a_list_is_the_pair_of_the_reference_until_a_person_says_that_it_is_an_open_interval():
    assert not (verdict := judge("[3, 4]", "(3,4)")).agree
    assert verdict.primary


@pytest.mark.parametrize(
    ("written", "reference"),
    [
        ("2pi", r"2\pi"),
        ("1/2pi", r"\frac{1}{2\pi}"),
        ("pi r^2", r"\pi r^2"),
        ("2ab*pi", r"2ab\pi"),
        ("x^{2}*pi", r"\pi x^2"),
        ("pi*3!", r"6\pi"),
        ("x(x+1)*pi", r"\pi x(x+1)"),
        ("f(x) = x**2", "f(x)=x^2"),
        ("pi/6, 5pi/6", r"\frac{\pi}{6},\frac{5\pi}{6}"),
        ("1,200*pi", r"1200\pi"),
        ("I*R", "IR"),
    ],
)
def test_what_people_write_nearly_as_python_does_is_read_as_they_mean_it(written, reference):
    assert judge(written, reference).primary


@pytest.mark.parametrize("text", [r"8 \pi", "42", "x^2+1", "(3,4)", "18 dollars", "$5*2$", "a; import os"])
def test_what_is_no_printed_expression_is_left_as_it_is(text):
    assert python_text(text) is None


@pytest.mark.parametrize(
    "text",
    ["__import__('os').getpid()*2", "x.__class__**2", "(lambda: 1)()**2", "pi.evalf(10)", "open(1)**2"],
)
def test_nothing_but_known_names_is_called(text):
    python = python_text(text)
    assert python is None or python.tree is None
    assert not judge(text, "1").primary


def test_a_long_or_deep_printed_answer_takes_no_time():
    for text in ("(" * 5000 + "x**2" + ")" * 5000, "x**2" + "+x" * 5000):
        python = python_text(text)
        assert python is not None and python.tree is None


def test_a_tower_of_powers_is_not_computed():
    with pytest.raises(NoVerdict, match="not asked"):
        judge("9**9**9**9", "8")


def test_factors_without_a_sign_bind_before_a_division():
    python = python_text("1/2pi")
    assert python is not None and python.tree is not None and ast.unparse(python.tree) == "1 / (2 * pi)"


# In the manner of the references of competition problems.
REFERENCES = (
    r"\frac{3}{8}",
    r"-\frac{7\sqrt{5}}{12}",
    r"2\sqrt{13} + \sqrt[3]{4}",
    r"\frac{4 - \sqrt{11}}{5}",
    r"9\pi - 6\sqrt{3}",
    r"\left( \frac{5}{2}, -1 \right)",
    r"(2,7,-4)",
    r"\left(3, \frac{\pi}{4}\right)",
    r"[-1,6)",
    r"(-\infty, -2] \cup [5, \infty)",
    r"(1,4) \cup (4,9)",
    r"\{2, 3, 11\}",
    r"-3, \frac{1}{2}, 5",
    r"1 \pm \sqrt{6}",
    r"5 - 12i",
    r"-\frac{1}{2} + \frac{\sqrt{7}}{2}i",
    r"7x^3 - 2x^2 + x - 9",
    r"(x-2)(x^2+2x+4)",
    r"\frac{x+3}{(x-1)(x+5)}",
    r"y = -\frac{2}{3}x + 4",
    r"x^2 + (y-2)^2 = 49",
    r"k \ge -6",
    r"0 < t < 8",
    r"\begin{pmatrix} 0 & -1 \\ 1/2 & 3 \end{pmatrix}",
    r"\begin{pmatrix} 4 \\ -1 \\ 2 \end{pmatrix}",
    r"e^{2x} - \ln 5",
    r"\tan 2\theta",
    r"3^{40}",
    r"\log_3 7",
    r"\binom{9}{4}",
    r"|a - 2b|",
    r"\lfloor \frac{n}{2} \rfloor",
    r"\alpha + 2\beta_1",
)


def _printed(reference: str) -> str | None:
    """As sympy prints what math-verify reads in a reference; None where it reads nothing."""
    from math_verify import parse

    logging.disable(logging.WARNING)
    try:
        found = parse(f"${reference}$", parsing_timeout=None)
    finally:
        logging.disable(logging.NOTSET)
    return str(found[0]) if found and not isinstance(found[0], str) else None


@pytest.mark.parametrize("reference", REFERENCES)
def test_a_reference_as_sympy_prints_it_is_that_reference(reference):
    printed = _printed(reference)
    assert printed is not None
    assert judge(printed, reference).primary, printed
    assert judge(reference, printed).primary, printed


def test_the_references_of_a_dataset_are_what_sympy_prints_of_them():
    references = [json.loads(line)["answer"] for line in real_data("math/math500.jsonl").open()]
    pairs = [(printed, one) for one in references if (printed := _printed(one)) is not None]
    assert len(pairs) > 100
    assert [pair for pair in pairs if not judge(*pair).primary] == []
