"""Fusion with a search whose policy cannot solve some of the problems."""

from __future__ import annotations

import random
from collections import Counter
from itertools import compress, product

import numpy as np
import pytest

from ml.snapshot import SnapshotRow
from ml.targets import LabelRule, label_rows
from ml.targets.fusion import SHARE_PRIOR, Witnessed, fuse
from ml.targets.reach import PROBLEM_PRIOR, REACHES, SOLUTION_PRIOR
from ml.targets.testimony import share_class
from tests.ml.targets.test_fusion import likeliest, right


@pytest.mark.parametrize("people", [1, 3])
def test_a_policy_that_cannot_solve_a_problem_does_not_outvote_people(people):
    generator = random.Random(2)
    items, truths, unsolved, voted = [], [], [], []
    for _ in range(1500):
        steps = generator.randint(5, 12)
        truth = generator.randrange(steps) if generator.random() < 0.5 else None
        beyond = generator.random() < 0.2
        said = {}
        for person in range(people):
            others = [place for place in (None, *range(steps)) if place != truth]
            said[str(person)] = truth if generator.random() < 0.85 else generator.choice(others)
        # Of a problem beyond the policy's reach hardly a rollout comes right, whatever the prefix.
        wrong = [beyond or (truth is not None and k >= truth) for k in range(steps)]
        shares = [sum(generator.random() < (0.03 if w else 0.7) for _ in range(8)) / 8 for w in wrong]
        items.append(Witnessed(steps, said, answer_correct=truth is None, shares=[*shares[:-1], None]))
        truths.append(truth)
        unsolved.append(beyond and truth is not None)
        voted.append(Counter(said.values()).most_common(1)[0][0])
    fusion = fuse(items)
    fused = likeliest(fusion)
    stated = np.mean([place.max() for place, there in zip(fusion.places, unsolved, strict=True) if there])
    there = [list(compress(said, unsolved)) for said in (fused, voted, truths)]
    assert right(fused, truths) > right(voted, truths)
    assert right(there[0], there[2]) > right(there[1], there[2]) - 0.02
    assert stated == pytest.approx(right(there[0], there[2]), abs=0.1)
    assert fusion.rates.reaches.problems[0] == pytest.approx(0.2, abs=0.03)


def test_what_the_policy_reaches_behind_a_problems_other_solutions_tells_of_this_one():
    unlabelled = {"steps": ["x"] * 4, "split": "train", "labels": [None] * 4, "label_source": [None] * 4}

    def searched(problem: str, correct: list[int], human: dict[str, object] | None) -> SnapshotRow:
        automatic = {"visits": [4] * 4, "correct": correct}
        return SnapshotRow(problem, problem, problem, human=human, automatic=automatic, **unlabelled)

    rows = []
    for problem in range(40):
        right = problem % 2 * 3
        rows.append(searched(str(problem), [right] * 4, {"witnesses": {"ann": None}}))
        rows.append(searched(str(problem), [right, right, 0, 0], {"witnesses": {"ann": 2}}))
    rows += [searched("1", [0] * 4, None), searched("0", [0] * 4, None)]
    found = label_rows(rows, LabelRule("mixed", mixture="fusion"))
    # The policy solves the first one's problem, so that its zeros speak of this solution; and not the second's.
    of_solved, of_unsolved = [(row.human or {})["posterior"][0] for row in found[-2:]]
    assert of_solved < 0.5 < 0.9 < of_unsolved


def test_one_round_equals_the_plain_sum_over_everything_that_is_hidden():
    problems = [
        [
            Witnessed(3, {"a": 1, "b": None}, False, shares=[1.0, 0.0, None], problem="p"),
            Witnessed(1, {"b": 0}, problem="p"),
            Witnessed(2, {}, shares=[0.25, 0.5], problem="p"),
        ],
        [Witnessed(3, {"a": None}, True, shares=[0.0, None, None])],
        # Nothing is known here of how far the policy reaches.
        [Witnessed(2, {"a": 1})],
    ]
    # Solutions of one problem need not stand together.
    order = [(1, 0), (0, 0), (2, 0), (0, 1), (0, 2)]
    fusion = fuse([problems[which][place] for which, place in order], iterations=1)
    total, of_problems, of_solutions = 0.0, PROBLEM_PRIOR.copy(), SOLUTION_PRIOR.copy()
    for which, items in enumerate(problems):
        places, levels, own, chance = plainly(items)
        for place, expected in enumerate(places):
            assert fusion.places[order.index((which, place))] == pytest.approx(expected)
        total += np.log(chance)
        has_shares = [any(share is not None for share in item.shares) for item in items]
        of_problems += any(has_shares) * levels
        of_solutions += sum(pairs * searched for pairs, searched in zip(own, has_shares, strict=True))
    assert fusion.log_likelihood == [pytest.approx(total)]
    assert fusion.rates.reaches.problems == pytest.approx(of_problems / of_problems.sum())
    assert fusion.rates.reaches.solutions == pytest.approx(of_solutions / of_solutions.sum(1, keepdims=True))


def plainly(items: list[Witnessed]) -> tuple[list[np.ndarray], np.ndarray, list[np.ndarray], float]:
    """By the first round's rates, for the solutions of one problem: P(place) of each, P(level of the problem), P(level
    of the problem, own level) of each, and the likelihood. Every combination of what is hidden is looked at.
    """
    strays = SOLUTION_PRIOR / SOLUTION_PRIOR.sum(1, keepdims=True)
    hidden = [list(product(range(item.step_count + 1), range(REACHES))) for item in items]
    places = [np.zeros(item.step_count + 1) for item in items]
    levels, own = np.zeros(REACHES), [np.zeros((REACHES, REACHES)) for _ in items]
    for level, *those in product(range(REACHES), *hidden):
        chance = 1 / REACHES
        for item, (truth, reach) in zip(items, those, strict=True):
            chance *= strays[level, reach] * plain_likelihood(item, truth, reach)
        levels[level] += chance
        for place, pairs, (truth, reach) in zip(places, own, those, strict=True):
            place[truth] += chance
            pairs[level, reach] += chance
    whole = levels.sum()
    return [place / whole for place in places], levels / whole, [pairs / whole for pairs in own], whole


def plain_likelihood(item: Witnessed, truth: int, reach: int) -> float:
    """P(all that was said, truth | reach). Of three steps one is the first, one the last: any is as likely at first."""
    is_right = truth == item.step_count
    chance = 0.5 if is_right else 0.5 / item.step_count
    for said in item.verdicts.values():
        chance *= plain_verdict(said, truth, item.step_count)
    # The table's last row is of wrong prefixes.
    shares = SHARE_PRIOR / SHARE_PRIOR.sum(1, keepdims=True)
    for k, share in enumerate(item.shares):
        if share is not None:
            chance *= shares[-1 if k >= truth else reach, share_class(share)]
    if item.answer_correct is not None:
        good = 1.0 - 1e-3 if is_right else 0.1
        chance *= good if item.answer_correct else 1.0 - good
    return chance


def plain_verdict(said: int | None, truth: int, steps: int) -> float:
    """P(said | truth) of a witness who errs once in five in every way."""
    if truth == steps:
        return 0.8 if said is None else 0.2 / steps
    if said is None:
        return 0.2
    exact = 0.8 if steps > 1 else 1.0
    return 0.8 * (exact if said == truth else (1.0 - exact) / (steps - 1))
