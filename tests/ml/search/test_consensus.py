"""Labels without the reference answer: the majority stands in for it, and only the majority."""

from dataclasses import replace

from ml.search import math_shepherd
from ml.search.consensus import estimate_by_consensus
from tests.ml.search.toy import ChainPolicy, chain_problem, prose_solution, run

PROBLEM = chain_problem(3, 4, 5, 6)
OPTIONS = math_shepherd.MathShepherd(rollouts=16)


def label(problem, error):
    solution = replace(prose_solution(PROBLEM, [7, 13, 19], 19), problem=problem)
    search = estimate_by_consensus(solution, lambda s: math_shepherd.estimate(s, OPTIONS, 0), 32, 0, "prose")
    return run(search, ChainPolicy(error))


def test_a_false_or_absent_reference_changes_nothing():
    found = label(PROBLEM, 0.1)
    assert found.first_mistake == 1
    assert label(replace(PROBLEM, answer="999"), 0.1) == found
    assert label(replace(PROBLEM, answer=None), 0.1) == found


def test_a_mostly_wrong_policy_gives_wrong_labels():
    # Each addition is one too high: the majority answer is 21, and no step leads from 7, 13 to it... but from
    # 3 it does.
    assert label(PROBLEM, 1.0).first_mistake == 0


def test_without_any_answer_nothing_is_estimated():
    class Silent(ChainPolicy):
        def complete(self, prefixes, count, temperature, seed):
            return [[] for _ in prefixes]

    solution = prose_solution(PROBLEM, [7, 13, 19], 19)
    search = estimate_by_consensus(solution, lambda s: math_shepherd.estimate(s, OPTIONS, 0), 4, 0, "prose")
    found = run(search, Silent())
    assert found.first_mistake is None and all(step.visits == 0 for step in found.steps)
