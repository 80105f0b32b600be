"""The careless writer: right when careful, found out when not, faithful to its slips."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.answers_found import extract_final_answer
from ml.execution import sandbox
from ml.pocket import writer
from ml.pocket.checker import first_mistake
from ml.pocket.expression import evaluate, parse
from ml.pocket.problems import draw_expression, question
from ml.pocket.slips import CAREFUL, CARELESS_CODE, CARELESS_PROSE, CARELESS_STRANGER, Care
from ml.search.grading import codes_of

STYLES = (writer.write_prose, writer.write_code, writer.write_freely)
CARE = dict(zip(STYLES, (CARELESS_PROSE, CARELESS_CODE, CARELESS_STRANGER), strict=True))


@pytest.mark.parametrize("write", STYLES)
@given(seed=st.integers(0, 10**9))
def test_a_careful_writer_is_always_right(write: writer.Write, seed: int) -> None:
    rng = random.Random(seed)
    expression = draw_expression(rng)
    written = write(expression, rng, CAREFUL)
    assert written.first_slip is None
    assert written.answer == evaluate(expression)
    assert first_mistake(question(expression), written.steps) is None


@pytest.mark.parametrize("write", STYLES)
@given(seed=st.integers(0, 10**9))
def test_the_checker_finds_exactly_the_step_of_the_first_slip(write: writer.Write, seed: int) -> None:
    rng = random.Random(seed)
    expression = draw_expression(rng)
    written = write(expression, rng, CARE[write])
    assert first_mistake(question(expression), written.steps) == written.first_slip


@pytest.mark.parametrize("kind", ["sign", "product", "carry", "copying", "brackets"])
def test_each_kind_of_slip_shows_in_prose_and_is_found(kind: str) -> None:
    assert _wrong_share(writer.write_prose, Care(**{kind: 0.3})) >= 0.03


@pytest.mark.parametrize("kind", ["double_sign", "copying", "brackets"])
def test_each_kind_of_slip_shows_in_code_and_is_found(kind: str) -> None:
    assert _wrong_share(writer.write_code, Care(**{kind: 0.3})) > 0.03


def _wrong_share(write: writer.Write, care: Care) -> float:
    rng = random.Random(5)
    wrong = 0
    for _ in range(60):
        expression = draw_expression(rng)
        written = write(expression, rng, care)
        assert first_mistake(question(expression), written.steps) == written.first_slip
        wrong += written.first_slip is not None
    return wrong / 60


def test_code_prints_and_prose_states_the_answer_that_the_writer_reached() -> None:
    rng = random.Random(6)
    for _ in range(20):
        expression = draw_expression(rng)
        prose = writer.write_prose(expression, rng, CARELESS_PROSE)
        assert extract_final_answer(prose.steps[-1]) == str(prose.answer)
        code = writer.write_code(expression, rng, CARELESS_CODE)
        assert sandbox().execute(codes_of(code.steps)).last_line == str(code.answer)


def test_code_after_a_strangers_prose_takes_over_what_the_prose_claims_wrong_or_not() -> None:
    rng = random.Random(7)
    wrong_prefixes = 0
    for _ in range(200):
        expression = draw_expression(rng)
        written = writer.continue_in_code(expression, rng, CAREFUL)
        prefix = written.steps[: written.prefix]
        assert all("```" not in step for step in prefix)
        assert all("```" in step for step in written.steps[written.prefix :])
        if first_mistake(question(expression), prefix, finished=False) is not None:
            wrong_prefixes += 1
            result = sandbox().execute(codes_of(written.steps))
            assert result.last_line == str(written.answer)
    assert wrong_prefixes > 40
    assert written.prefix >= 1


def test_a_wrong_prefix_is_not_mended_by_the_code_that_follows() -> None:
    rng = random.Random(8)
    mended = wrong = 0
    for _ in range(300):
        expression = draw_expression(rng)
        written = writer.continue_in_code(expression, rng, CAREFUL)
        prefix = written.steps[: written.prefix]
        if first_mistake(question(expression), prefix, finished=False) is not None:
            wrong += 1
            mended += written.answer == evaluate(expression)
    # What is left are products with zero and slips that cancel.
    assert mended < 0.1 * wrong


def test_strangers_cut_and_bracket_formulas_in_many_ways() -> None:
    rng = random.Random(9)
    expression = parse("(((1 + 2) - (3 + 4)) + ((5 + 6) * (7 + 8)))")
    openings = {writer.write_freely(expression, rng, CAREFUL).steps[0].split('"')[1] for _ in range(400)}
    assert {"A + B", "(A + B)", "A - B + C", "(A - B) + C", "(A - B) + (C * D)", "A - B + C * D"} <= openings


def test_a_stranger_may_melt_a_negative_value_into_the_sign_before_it() -> None:
    rng = random.Random(10)
    expression = parse("((1 + 2) + (3 - 9))")
    endings = {writer.write_freely(expression, rng, CAREFUL).steps[-1] for _ in range(100)}
    assert any("A + B = 3 - 6" in ending for ending in endings)
    assert any("A + B = 3 + -6" in ending for ending in endings)
