"""What a search says where the sandbox, not the solution, failed: nothing, and never that a step is mistaken."""

from __future__ import annotations

import pytest

from ml.execution import Execution, Verdict
from ml.execution import sandbox as shared
from ml.policies.protocol import Continuation
from ml.search.recipes import RECIPES
from ml.search.solved import Setting
from ml.search.solving import METHODS, solve
from tests.ml.search.toy import ChainPolicy, chain_problem, run, solution_of

PROBLEM = chain_problem(3, 4, 5)
START, ADD, SLIP, ADD_LAST, END, AT_ONCE = (
    f"Do it.\n```python\n{line}\n```"
    for line in ("x = 3", "x = x + 4", "x = x + 9", "x = x + 5", "print(x + 0)", "print(12 + 0)")
)


class FailsAtTheEnd:
    """The real sandbox, but for given solutions: it runs their code and loses their grading."""

    level = "failing"

    def execute(self, codes, keep_states=True):
        if not keep_states and "+ 0)" in codes[-1]:
            return Execution(Verdict.INFRASTRUCTURE, "", self.level, 0, "no worker")
        return shared().execute(codes, keep_states)


def estimate(method, steps):
    recipe = RECIPES[method]
    options = recipe.with_options({"rollouts": 4})
    return run(recipe.estimate(solution_of(PROBLEM, steps), options, 0), ChainPolicy(0.0), FailsAtTheEnd())


@pytest.mark.parametrize("method", RECIPES)
@pytest.mark.parametrize("steps", [[AT_ONCE], [START, ADD, ADD_LAST, END]])
def test_a_last_step_whose_answer_could_not_be_graded_is_no_mistake(method, steps):
    found = estimate(method, steps)
    assert found.first_mistake is None
    assert [step.hard for step in found.steps] == [1] * (len(steps) - 1) + [None]


def test_what_follows_a_mistake_stays_mistaken_where_the_answer_could_not_be_graded():
    found = estimate("omegaprm", [START, SLIP, ADD_LAST, END])
    assert found.first_mistake == 1
    assert [step.hard for step in found.steps] == [1, 0, 0, 0]


class Numbered:
    """Writes one step an end, with its number: those of `wrong` answer wrongly."""

    name = "numbered"

    def __init__(self, wrong):
        self.written, self.wrong = 0, wrong

    def complete(self, prefixes, count, temperature, seed):
        return [[self._end() for _ in range(count)] for _ in prefixes]

    def _end(self):
        number = self.written
        self.written += 1
        answer = 13 if number in self.wrong else 12
        return Continuation((f"End.\n```python\nprint({answer})  # {number}\n```",), True, 1)


class LosesAllBut:
    """The real sandbox, but for the ends from the number `kept` on."""

    level = "failing"

    def __init__(self, kept):
        self.kept = kept

    def execute(self, codes, keep_states=True):
        if "#" in codes[-1] and int(codes[-1].partition("# ")[2]) >= self.kept:
            return Execution(Verdict.INFRASTRUCTURE, "", self.level, 0, "no worker")
        return shared().execute(codes, keep_states)


@pytest.mark.parametrize("adaptive", [True, False])
@pytest.mark.parametrize(
    ("kept", "wrong", "first"), [(1, (), None), (3, (0, 2), None), (9, range(1, 9), 0), (1, (0,), 0)]
)
def test_a_step_is_mistaken_where_too_few_of_the_graded_rollouts_are_right_however_many_were_lost(
    kept, wrong, first, adaptive
):
    recipe = RECIPES["omegaprm"]
    options = recipe.with_options({"rollouts": 16, "adaptive": adaptive, "needed_right": 2})
    given = solution_of(PROBLEM, [START])
    found = run(recipe.estimate(given, options, 0), Numbered(wrong), LosesAllBut(kept))
    assert (found.first_mistake, found.steps[0].visits) == (first, kept)


def test_a_solved_problem_keeps_no_solution_that_the_sandbox_failed_on():
    method = METHODS["self-consistency"]
    search = solve(PROBLEM, method, method.sized(4), 4, 0, "code")
    found = run(search, Numbered({0}), LosesAllBut(3))
    line = Setting("self-consistency", "numbered", "code", None, samples=4).line(PROBLEM, found, failed=1)
    assert [one["is_correct"] for one in line["solutions"]] == [False, True, True]
    assert (line["chosen_answer"], line["ungraded_samples"], "empty_samples" in line) == ("12", 1, False)
