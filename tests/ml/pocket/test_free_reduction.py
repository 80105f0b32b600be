"""Strangers' chains: every hop keeps the value unless the hand slips, whatever the habits are."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import pairwise

import pytest

from ml.pocket.expression import as_number, evaluate, parse, show
from ml.pocket.free_reduction import LONGEST_FREE_CHAIN, free_chain
from ml.pocket.problems import draw_expression
from ml.pocket.slips import CAREFUL, Care, Hand
from ml.pocket.taste import Taste, draw_taste

STEADY = Taste(bracket=0.0, keep=0.0, leap=0.0, elsewhere=0.0, single=0.0, signs=0.0)


def shown(text, taste, care=CAREFUL, seed=0):
    hops, slipped = free_chain(parse(text), Hand(random.Random(seed), care), taste)
    return [show(hop) for hop in hops], slipped


def test_a_careful_stranger_never_changes_a_value():
    rng = random.Random(3)
    for _ in range(300):
        expression = draw_expression(rng)
        hops, slipped = free_chain(expression, Hand(rng, CAREFUL), draw_taste(rng))
        assert not slipped and {evaluate(hop) for hop in hops} == {evaluate(expression)}
        assert as_number(hops[-1]) is not None and len(hops) <= LONGEST_FREE_CHAIN


def test_what_a_hop_claims_is_a_slip_exactly_where_its_value_changes():
    rng = random.Random(4)
    care = Care(sign=0.1, product=0.1, carry=0.1, copying=0.02, grouping=0.1)
    for _ in range(300):
        expression = draw_expression(rng)
        hops, slipped = free_chain(expression, Hand(rng, care), draw_taste(rng))
        values = [evaluate(expression), *map(evaluate, hops)]
        assert slipped == any(a != b for a, b in pairwise(values))


@pytest.mark.parametrize(
    ("habit", "chain"),
    [
        ({}, ["(8 + -14 + 5)", "(-6 + 5)", "-1"]),
        ({"leap": 1.0}, ["-1"]),
        ({"signs": 1.0}, ["(8 + -14 + 5)", "(8 - 14 + 5)", "(-6 + 5)", "-1"]),
        ({"keep": 1.0}, ["(8 + (-14) + 5)", "((-6) + 5)", "(-1)"]),
    ],
)
def test_habits_on_one_hand_worked_group(habit, chain):
    found, slipped = shown("(8 + -2 * 7 + 5)", replace(STEADY, **habit), seed=1)
    assert not slipped
    # Brackets around a lone number may be taken off in a hop of its own, which is chance here.
    assert [hop for hop in found if hop in chain] == chain


def test_a_leap_is_rarer_the_more_is_left():
    taste = replace(STEADY, leap=1.0)
    chains = [shown("(1 + 2 + 3 + 4)", taste, seed=seed)[0] for seed in range(400)]
    at_once = sum(len(hops) == 1 for hops in chains) / len(chains)
    assert at_once == pytest.approx(0.3, abs=0.07)
    # With two sums left nobody waits any longer.
    assert {tuple(hops) for hops in chains} == {("10",), ("(3 + 3 + 4)", "10")}


def test_brackets_around_everything_and_terms_of_nothing_may_be_left_out():
    bare = replace(STEADY, bare=1.0, bracket=1.0)
    assert shown("(2 * 3 + 4)", bare, seed=2)[0] == ["(2 * 3) + 4", "6 + 4", "10"]
    nothing = replace(STEADY, nothing=1.0)
    assert shown("(5 - 0 + 4 + 0)", nothing)[0] == ["(5 + 4)", "9"]


def test_a_line_may_be_copied_out_before_it_is_worked_on():
    taste = replace(STEADY, repeat=0.5, leap=1.0)
    chains = {tuple(shown("(2 + 3 + 6)", taste, seed=seed)[0]) for seed in range(40)}
    assert {("11",), ("(2 + 3 + 6)", "11")} <= chains


def test_a_minus_beside_a_double_one_may_be_carried_away():
    chain = ["5 + 4 + 2", "9 + 2", "11"]
    assert shown("5 - -4 - 2", replace(STEADY, signs=1.0), Care(contagion=1.0)) == (chain, True)
    assert shown("5 - -4 - 2", replace(STEADY, signs=1.0))[0][0] == "5 + 4 - 2"


def test_a_misgrouped_difference_is_a_slip():
    chains = (shown("5 - 3 + 2", STEADY, Care(grouping=1.0), seed) for seed in range(9))
    found = {(hops[0], slipped) for hops, slipped in chains}
    assert found == {("2 + 2", False), ("5 - 5", True)}


@pytest.mark.parametrize(
    ("text", "habit", "hop"),
    [
        ("8 - 6 * 0 - -4", {"sooner": 1.0}, "8 - 6 * 0 + 4"),
        ("-7 * 3 + -3 - -1", {"together": 1.0}, "-21 - 3 + 1"),
        ("9 * 3 + (-4 * 4)", {"beside": 1.0}, "27 + -16"),
        ("-9 + (30 * -3)", {"melt": 1.0}, "-9 - 90"),
        ("5 + 5 + 3 + 7", {"pairs": 1.0}, "10 + 10"),
        ("3 * 2 * 3 * 4", {"bracket": 1.0, "pairs": 1.0}, "(3 * 2) * (3 * 4)"),
        ("5 - 3 * 6 + 4", {"group": 1.0}, "(5 - 3 * 6) + 4"),
        ("-1 + -5 + -2", {"bracket": 1.0, "together": 1.0}, "(-1 - 5) - 2"),
        ("8 * 8 - 0", {"nothing": 1.0}, "8 * 8"),
        ("2 * -3 + 4 * 5", {"keep": 1.0, "plain": 1.0}, "(-6) + 20"),
        ("2 * -3", {"keep": 1.0, "finish": 1.0}, "-6"),
    ],
)
def test_habits_that_one_hop_shows(text, habit, hop):
    chains = [shown(text, replace(STEADY, **habit), seed=seed) for seed in range(20)]
    assert hop in {hops[0] for hops, _ in chains}
    assert not any(slipped for _, slipped in chains)


def test_a_number_may_be_added_and_left_standing():
    hops, slipped = shown("18 + 5 - 9", STEADY, Care(twice=1.0))
    assert hops == ["14 - 9", "5"] and slipped


def test_a_wrong_sum_or_product_may_be_any_other_number():
    hand = Hand(random.Random(5), Care(carry=1.0, product=1.0, near=1.0))
    sums = [hand.add(-6, -4) for _ in range(200)]
    products = [hand.multiply(1215, -159) for _ in range(200)]
    assert -10 not in sums and len(set(sums)) > 10
    assert -193185 not in products and len(set(products)) > 30
