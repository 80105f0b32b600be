"""Beam search, DVTS and tree of thought on scripted steps and values."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from ml.execution import sandbox
from ml.policies.protocol import Continuation
from ml.records import Problem
from ml.search.beam import Beam, TreeOfThought, search, tree_of_thought
from ml.search.requests import Search
from ml.search.voting import Chosen
from ml.search.walk import Walk

PROBLEM = Problem("toy", "A toy problem.", "4")
# What every completion of the scripted policy says.
COMPLETED = "So the answer is 9."


class Scripted:
    """Next steps by the path so far, and values by the path; an end is a step that says the answer, or an empty one."""

    name = "scripted"

    def __init__(self, steps: Mapping[str, list[str]], values: Mapping[str, float]) -> None:
        self.steps, self.scores = steps, values
        self.asked: list[tuple[str, int]] = []
        self.completed: list[tuple[str, int]] = []

    def next_steps(self, prefixes, count, temperature, seed):
        self.asked += [("/".join(prefix.steps), count) for prefix in prefixes]
        lines = [self.steps["/".join(prefix.steps)][:count] for prefix in prefixes]
        return [
            [Continuation((t,) if t else (), not t or "answer" in t, 1) for t in texts] for texts in lines
        ]

    def complete(self, prefixes, count, temperature, seed):
        self.completed += [("/".join(prefix.steps), count) for prefix in prefixes]
        return [[Continuation((COMPLETED,), True, 1)] * count for _ in prefixes]

    def values(self, prefixes):
        return [self.scores["/".join(prefix.steps)] for prefix in prefixes]


def run(scripted: Scripted, recipe: Search[Chosen]) -> Chosen:
    walk = Walk(scripted, sandbox(), scripted)
    return next(iter(walk.drive([("only", recipe)]))).result


def test_what_ended_is_set_aside_and_does_not_crowd_out_what_goes_on():
    scripted = Scripted(
        {"": ["The answer is 4.", "b"], "b": ["The answer is 7."]},
        {"The answer is 4.": 0.8, "b": 0.9, "b/The answer is 7.": 0.1},
    )
    chosen = run(scripted, search(PROBLEM, Beam(beams=2, width=2), 0))
    assert chosen.answer == "4" and len(chosen.candidates) == 2


def test_the_candidates_of_a_depth_are_spread_over_what_is_left():
    scripted = Scripted(
        {"": ["The answer is 4.", "b", "c"], "b": ["d"], "c": ["d"], "b/d": ["The answer is 4."]},
        {"The answer is 4.": 0.5, "b": 0.9, "c": 0.8, "b/d": 0.7, "c/d": 0.2, "b/d/The answer is 4.": 0.5},
    )
    run(scripted, search(PROBLEM, Beam(beams=3, width=3), 0))
    assert scripted.asked == [("", 3), ("b", 3), ("b/d", 3)]
    scripted.asked.clear()
    run(scripted, search(PROBLEM, Beam(beams=5, width=2, depth=2), 0))
    assert scripted.asked == [("", 5), ("b", 3), ("c", 2)]


@pytest.mark.parametrize(
    "aggregation,goes_on", [("last", "b"), ("minimum", "a"), ("product", "a"), ("mean", "a")]
)
def test_the_aggregation_decides_what_goes_on(aggregation, goes_on):
    scripted = Scripted(
        {"": ["a", "b"], "a": ["x"], "b": ["x"], "a/x": ["The answer is 1."], "b/x": ["The answer is 2."]},
        {
            "a": 0.9,
            "b": 0.3,
            "a/x": 0.6,
            "b/x": 0.7,
            "a/x/The answer is 1.": 0.5,
            "b/x/The answer is 2.": 0.5,
        },
    )
    options = TreeOfThought(candidates=2, kept=2, aggregation=aggregation)
    beam = Beam(beams=4, width=2, aggregation=aggregation)
    kept = {"a": "1", "b": "2"}[goes_on]
    run(scripted, search(PROBLEM, beam, 0))
    # Both go on; which is the better is seen where the candidates of a depth do not come out even.
    third = [path for path, _ in scripted.asked if path.endswith("/x")]
    assert third[0] == f"{goes_on}/x"
    assert run(scripted, tree_of_thought(PROBLEM, options, 0)).candidates[0].answer == kept


def test_a_subtree_gives_all_that_ended_beside_its_best():
    scripted = Scripted(
        {"": ["a"], "a": ["The answer is 4.", "The answer is 5.", "b"]},
        {"a": 0.5, "a/The answer is 4.": 0.9, "a/The answer is 5.": 0.2, "a/b": 0.8},
    )
    chosen = run(scripted, search(PROBLEM, Beam(beams=3, width=3, diverse=True), 0))
    assert [candidate.answer for candidate in chosen.candidates] == ["4", "5"] and chosen.answer == "4"


def test_an_end_at_once_makes_the_steps_so_far_a_solution():
    # Neither says an answer that one could read, so the problem is completed besides.
    scripted = Scripted({"": ["4", ""], "4": ["", "x"], "4/x": [""]}, {"4": 0.9, "4/x": 0.1, COMPLETED: 0.5})
    chosen = run(scripted, search(PROBLEM, Beam(beams=2, width=2), 0))
    assert [candidate.steps for candidate in chosen.candidates[:2]] == [("4",), ("4", "x")]


OPEN = Scripted(
    {"": ["a", "b"], "a": ["x"], "b": ["y"]},
    {"a": 0.9, "b": 0.8, "a/x": 0.3, "b/y": 0.7, f"b/y/{COMPLETED}": 0.6, f"a/x/{COMPLETED}": 0.4},
)


@pytest.mark.parametrize(
    "recipe,best",
    [
        (search(PROBLEM, Beam(beams=4, width=2, depth=2), 0), ("b", "y")),
        (search(PROBLEM, Beam(beams=2, width=2, depth=2, diverse=True), 0), ("a", "x")),
        (tree_of_thought(PROBLEM, TreeOfThought(candidates=2, depth=2), 0), ("b", "y")),
    ],
)
def test_where_nothing_has_ended_at_the_greatest_depth_the_best_open_path_is_completed(recipe, best):
    OPEN.completed.clear()
    chosen = run(OPEN, recipe)
    assert OPEN.completed == [("/".join(best), 1)]
    assert (chosen.answer, [one.steps for one in chosen.candidates]) == ("9", [(*best, COMPLETED)])


def test_where_an_answer_was_found_nothing_is_completed():
    scripted = Scripted(
        {"": ["The answer is 4.", "b"], "b": ["c"]}, {"The answer is 4.": 0.1, "b": 0.9, "b/c": 0.9}
    )
    assert run(scripted, search(PROBLEM, Beam(beams=2, width=2, depth=2), 0)).answer == "4"
    assert not scripted.completed


def test_where_only_ends_without_an_answer_were_met_the_problem_itself_is_completed():
    scripted = Scripted({"": ["a"], "a": [""]}, {"a": 0.9, COMPLETED: 0.6})
    chosen = run(scripted, search(PROBLEM, Beam(beams=2, width=2), 0))
    assert scripted.completed == [("", 1)] and chosen.answer == "9"
