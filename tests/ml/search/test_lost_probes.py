"""Where nothing could grade a step's rollouts: asked again, searched around, told, and never taken for a value."""

from __future__ import annotations

import pytest

from ml.execution import Execution, Verdict
from ml.execution import sandbox as shared
from ml.records import Problem
from ml.search import omegaprm, rest_mcts
from ml.search.probing import next_probe
from ml.search.recipes import RECIPES
from ml.search.totals import Totals
from ml.search.trajectory import best_trajectory
from ml.search.walk import Walk
from tests.ml.search.scripted import FirstOfTies, ScriptedPolicy, by_path
from tests.ml.search.test_lost_verdicts import Numbered
from tests.ml.search.toy import ChainPolicy, chain_problem, run, solution_of

LOST = "# lost"


class Loses:
    """The real sandbox, but for the gradings that `loses` names by their code."""

    level = "failing"

    def __init__(self, loses):
        self.loses = loses

    def execute(self, codes, keep_states=True):
        if not keep_states and self.loses(codes):
            return Execution(Verdict.INFRASTRUCTURE, "", self.level, 0, "no worker")
        return shared().execute(codes, keep_states)


def code(line: str, words: str = "Do it.") -> str:
    return f"{words}\n```python\n{line}\n```"


def given_with_mistake(at: int):
    """Adds seven numbers, one a step, wrongly in one; its eighth step prints the sum."""
    problem = chain_problem(1, 2, 3, 4, 5, 6, 7)
    lines = [f"x = {'x + ' if n > 1 else ''}{n + (n - 1 == at)}  # given" for n in range(1, 8)]
    return solution_of(problem, [code(line) for line in [*lines, "print(x)  # given"]])


def loses_probes(*positions: int) -> Loses:
    return Loses(lambda codes: sum("# given" in line for line in codes) - 1 in positions)


@pytest.mark.parametrize(
    ("mistake", "lost", "first", "hard"),
    [
        # The middle is lost; its neighbour says that the mistake comes later.
        (5, (3,), 5, [1, 1, 1, 1, 1, 0, 0, 0]),
        # Or that it came before.
        (1, (3,), 1, [1, 0, 0, 0, 0, 0, 0, 0]),
        # The mistake itself is lost: what stands around it is known all the same, but not where the first one is.
        (3, (3,), None, [1, 1, 1, None, 0, 0, 0, 0]),
        (4, (2, 3, 4), None, [1, 1, None, None, None, 0, 0, 0]),
        # Nothing is left but the wrong answer.
        (3, range(7), None, [None] * 7 + [0]),
    ],
)
@pytest.mark.parametrize("adaptive", [True, False])
@pytest.mark.parametrize("verify", [True, False])
def test_omegaprm_searches_on_around_a_step_whose_rollouts_nothing_could_grade(
    mistake, lost, first, hard, adaptive, verify
):
    recipe = RECIPES["omegaprm"]
    options = recipe.with_options({"rollouts": 4, "adaptive": adaptive, "verify": verify})
    found = run(
        recipe.estimate(given_with_mistake(mistake), options, 0), ChainPolicy(0.0), loses_probes(*lost)
    )
    assert found.first_mistake == first
    assert [step.hard for step in found.steps] == hard
    assert all(found.steps[position].visits == 0 for position in lost)


@pytest.mark.parametrize(("kept_from", "visits", "written"), [(0, 4, 4), (4, 4, 8), (8, 4, 12), (12, 0, 12)])
def test_omegaprm_asks_again_with_other_rollouts_and_not_for_ever(kept_from, visits, written):
    recipe = RECIPES["omegaprm"]
    options = recipe.with_options({"rollouts": 4, "adaptive": False})
    policy = Numbered(())
    early = Loses(lambda codes: "# " in codes[-1] and int(codes[-1].partition("# ")[2]) < kept_from)
    given = solution_of(chain_problem(3, 4, 5), [code("x = 3")])
    found = run(recipe.estimate(given, options, 0), policy, early)
    assert (found.steps[0].visits, policy.written) == (visits, written)
    assert found.steps[0].hard == (1 if visits else None)


def test_the_next_probe_is_the_middle_or_the_nearest_that_is_not_lost():
    assert next_probe(0, 7, ()) == 3 and next_probe(0, 7, {3}) == 2 and next_probe(0, 7, {3, 2}) == 4
    assert next_probe(3, 4, {3}) is None and next_probe(5, 5, ()) is None


OK, NO = code("print(1)", "The answer."), code("print(2)", "The answer.")
OK_LOST = code(f"print(1)  {LOST}", "The answer.")
A, B, C, D = (code(f"{name} = 0") for name in "abcd")


def grow(method, script, monkeypatch, **options):
    for module in (omegaprm, rest_mcts):
        monkeypatch.setattr(module, "generator_of", lambda *parts: FirstOfTies())
    recipe = RECIPES[method]
    policy = ScriptedPolicy(script)
    walk = Walk(policy, Loses(lambda codes: LOST in codes[-1]))
    problem = Problem("toy", "A toy problem.", "1")
    search = recipe.search(problem, recipe.with_options(options), 0, "code")
    return next(iter(walk.drive([("only", search)]))), policy


def test_a_grown_tree_is_searched_on_around_a_lost_probe_and_says_what_was_lost(monkeypatch):
    completions = {
        "": [[A, B, C, D, NO], [OK]],
        "/".join((A, B, C)): [[OK_LOST], [OK_LOST]],
        "/".join((A, B)): [[OK], [NO]],
        "/".join((A, B, C, D)): [[NO], [NO]],
    }
    done, policy = grow("omegaprm", {"completions": completions}, monkeypatch, rollouts=2, searches=1)
    lost = "/".join((A, B, C))
    assert policy.asked == ["", lost, lost, lost, "/".join((A, B)), "/".join((A, B, C, D))]
    nodes = by_path(done.result)
    assert (nodes[lost]["q_value"], nodes[lost]["visits"], nodes[lost]["lost"]) == (None, 0, 6)
    assert [nodes[path]["q_value"] for path in ("/".join((A, B)), "/".join((A, B, C, D)))] == [0.5, 0.0]
    assert "lost" not in nodes["/".join((A, B))]
    # One text at each of three tries: equal ends are graded once.
    assert done.ungraded == 3


def test_a_node_of_mcts_star_whose_rollouts_were_lost_has_no_value_and_is_no_evidence(monkeypatch):
    script = {
        "next": {"": [A, B], A: [NO], B: [OK]},
        "completions": {A: [[OK_LOST], [OK_LOST]], B: [[OK], [NO]]},
    }
    # Worked by hand. V(B) = 1/2, A has none and stands as its sibling: 0.5 + 0.8 each, the first of ties is A.
    # Then A has 0.5 + 0.4 sqrt(2 ln 2 / 1) = 0.971 and B is taken; only B backs up: V = 1/2 (a V of 0 for A: 1/4).
    done, policy = grow("rest-mcts", script, monkeypatch, rollouts=3, candidates=2, value_rollouts=2)
    nodes = by_path(done.result)
    assert policy.asked == ["", A, B, A, B]
    assert (nodes[A]["q_value"], nodes[A]["visits"], nodes[A]["lost"]) == (None, 1, 2)
    assert (nodes[B]["q_value"], nodes[B]["visits"]) == (0.5, 1)
    assert (nodes[""]["q_value"], nodes[""]["visits"]) == (0.5, 3)
    # Visited once more, its end speaks for it: V = 0 there, which is evidence.
    done, _ = grow("rest-mcts", script, monkeypatch, rollouts=5, candidates=2, value_rollouts=2)
    assert by_path(done.result)[A]["q_value"] == 0.0


def test_a_tree_of_mcts_star_whose_rollouts_were_all_lost_has_no_value_anywhere(monkeypatch):
    script = {"next": {"": [A, B]}, "completions": {A: [[OK_LOST]], B: [[OK_LOST]]}}
    done, _ = grow("rest-mcts", script, monkeypatch, rollouts=1, candidates=2, value_rollouts=1)
    assert [node.q_value for node in done.result.nodes] == [None, None, None]
    assert best_trajectory(done.result)["steps"] == []


def test_a_run_counts_what_nothing_could_grade():
    totals = Totals()
    line = {
        "cost": {}, "sandbox_executions": {}, "infrastructure": 0, "texts": {}, "disputed": None, "decided": 0,
        "estimate": {"first_mistake": None, "steps": []},
    }  # fmt: skip
    for ungraded in (3, 0, 2):
        totals.add({**line, "ungraded": ungraded})
    assert totals.ungraded == 5
