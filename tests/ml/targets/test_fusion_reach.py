"""Fusion with a search whose policy cannot solve some of the problems."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest

from ml.targets.fusion import Witnessed, fuse


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
    best = [int(np.argmax(place)) for place in fusion.places]
    fused = [None if k == item.step_count else k for k, item in zip(best, items, strict=True)]
    stated = np.mean([place.max() for place, there in zip(fusion.places, unsolved, strict=True) if there])

    def right(verdicts, among):
        told = zip(verdicts, truths, among, strict=True)
        return np.mean([said == truth for said, truth, there in told if there])

    everywhere = [True] * len(items)
    assert right(fused, everywhere) > right(voted, everywhere)
    assert right(fused, unsolved) > right(voted, unsolved) - 0.02
    assert stated == pytest.approx(right(fused, unsolved), abs=0.1)
    assert fusion.rates.reaches[0] == pytest.approx(0.2, abs=0.03)
