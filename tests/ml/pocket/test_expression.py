"""Expressions: shown as they were parsed, valued as Python values them."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.pocket.expression import NotAnExpression, as_number, evaluate, letters, number, parse, show
from ml.pocket.problems import draw_expression


@given(st.integers(0, 10_000))
def test_an_expression_shows_the_text_it_was_parsed_from_and_has_pythons_value(seed: int) -> None:
    text = show(draw_expression(random.Random(seed)))
    assert show(parse(text)) == text
    assert evaluate(parse(text)) == eval(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2 + 3 * 4", 14),
        ("-(2 - 5) * 2", 6),
        ("- 7 - -7", 0),
        ("4 * -(3)", -12),
        ("(((9)))", 9),
        ("10 - 3 - 2", 5),
        ("-9 * -9", 81),
    ],
)
def test_signs_and_precedence_are_read_as_on_paper(text: str, value: int) -> None:
    assert evaluate(parse(text)) == value


def test_letters_take_the_values_that_are_given() -> None:
    formula = parse("(A - B) * (C + A)")
    assert letters(formula) == ("A", "B", "C")
    assert evaluate(formula, {"A": 2, "B": 5, "C": 1}) == -9


def test_a_letter_without_a_value_is_refused_by_name() -> None:
    with pytest.raises(NotAnExpression, match="letter B"):
        evaluate(parse("A + B"), {"A": 1})


@pytest.mark.parametrize("text", ["", "2 +", "2 / 3", "(2 + 3", "2 + 3)", "two", "2 3", "9" * 30, "(" * 500])
def test_what_is_no_expression_is_refused(text: str) -> None:
    with pytest.raises(NotAnExpression):
        parse(text)


@pytest.mark.parametrize(("text", "value"), [("((2 + 3) * 4", 20), ("(2 + 3)) * 4", 20), ("(-2) * 2)", -4)])
def test_unbalanced_brackets_are_mended_only_on_request(text: str, value: int) -> None:
    assert evaluate(parse(text, lenient=True)) == value


def test_a_bracketed_number_is_a_number() -> None:
    assert as_number(parse("((-14))")) == -14
    assert as_number(parse("-(3)")) == -3
    assert as_number(parse("3 + 1")) is None
    assert as_number("A") is None
    assert number(-4) == parse("-4")
