"""Labels without the reference answer: the majority stands in for it, and only the majority."""

from dataclasses import replace

from ml.search import math_shepherd
from ml.search.consensus import agreed_problem, estimate_by_consensus
from ml.search.sampling import request_for, sample
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


def test_no_sampled_solution_votes_for_itself():
    class Remembering(ChainPolicy):
        def complete(self, prefixes, count, temperature, seed):
            written = super().complete(prefixes, count, temperature, seed)
            self.texts = [one.steps for one in written[0]]
            return written

    policy, blind = Remembering(0.5), replace(PROBLEM, answer=None)
    run(agreed_problem(PROBLEM, 4, seed=0, style="prose", temperature=0.8), policy)
    voters = policy.texts
    run(sample(request_for(blind, "prose", 4, 0.8, seed=0)), policy)
    assert voters != policy.texts


def test_without_any_answer_nothing_is_estimated():
    class Silent(ChainPolicy):
        def complete(self, prefixes, count, temperature, seed):
            return [[] for _ in prefixes]

    solution = prose_solution(PROBLEM, [7, 13, 19], 19)
    search = estimate_by_consensus(solution, lambda s: math_shepherd.estimate(s, OPTIONS, 0), 4, 0, "prose")
    found = run(search, Silent())
    assert found.first_mistake is None and all(step.visits == 0 for step in found.steps)
