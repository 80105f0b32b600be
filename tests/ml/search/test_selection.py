"""The rules against the published vectors, and on bandits whose best arm is known."""

import random
from collections import Counter

import pytest

from ml.search.selection import best, mcts_star, rollout_bonus, rollout_value, uct

ARMS = (0.2, 0.5, 0.75, 0.4)


def test_rules_give_the_published_vectors():
    assert uct([0.5], [4], 16, c=2.0)[0] == pytest.approx(2.165109, abs=1e-6)
    assert mcts_star([0.5], [4], 16, c=0.4)[0] == pytest.approx(0.970964, abs=1e-6)
    assert rollout_value(0.5, 500) == pytest.approx(0.636396, abs=1e-6)
    assert rollout_bonus(2, 30) == pytest.approx(0.228218, abs=1e-6)


def test_an_unvisited_child_comes_first_unless_the_public_code_is_asked_for():
    assert uct([0.9, None], [5, 0], 5)[1] == float("inf")
    assert uct([0.9, None], [5, 0], 5, unvisited="zero")[1] == 0.0
    assert mcts_star([0.3], [0], 5, unvisited_bonus=0.8) == [pytest.approx(1.1)]


def pull(rule, pulls=600, seed=0):
    """Play a Bernoulli bandit by a rule of (means, counts, total); returns how often each arm was pulled."""
    generator = random.Random(seed)
    counts, wins = [0] * len(ARMS), [0] * len(ARMS)
    for total in range(pulls):
        means = [wins[arm] / counts[arm] if counts[arm] else None for arm in range(len(ARMS))]
        arm = best(rule(means, counts, total), generator)
        counts[arm] += 1
        wins[arm] += generator.random() < ARMS[arm]
    return counts


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "rule",
    [
        lambda means, counts, total: uct(means, counts, total, c=1.0),
        # rStar-Math's own: rewards of -1 and +1, c = 2.
        lambda means, counts, total: uct(
            [None if m is None else 2 * m - 1 for m in means], counts, total, c=2.0
        ),
        lambda means, counts, total: mcts_star([m or 0.0 for m in means], counts, total, c=0.4),
        lambda means, counts, total: [
            rollout_value(0.5 if m is None else m, 0) + rollout_bonus(n, total)
            for m, n in zip(means, counts, strict=True)
        ],
    ],
    ids=["uct", "rstar", "mcts_star", "omegaprm"],
)
def test_every_rule_finds_the_best_arm(rule, seed):
    counts = pull(rule, seed=seed)
    assert counts.index(max(counts)) == 2
    assert max(counts) > 0.5 * sum(counts)


def test_ties_are_broken_by_seed_and_not_by_order():
    picks = Counter(best([1.0, 1.0, 0.5], random.Random(seed)) for seed in range(200))
    assert set(picks) == {0, 1} and min(picks.values()) > 60
    assert best([1.0, 1.0], random.Random(3)) == best([1.0, 1.0], random.Random(3))


def test_a_tie_of_merged_candidates_is_broken_as_among_the_draws():
    picks = Counter(best([1.0, 1.0], random.Random(seed), weights=[9, 1]) for seed in range(500))
    assert 0.8 < picks[0] / 500 < 0.97
