"""A policy and a value model that read their lines from a hand-worked tree, and ties that go to the first."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ml.execution import sandbox
from ml.policies.protocol import Continuation
from ml.records import Option, Position, Problem, Solution, SolutionEstimate
from ml.search import omegaprm, rest_mcts, rstar
from ml.search.recipes import RECIPES, Recipe
from ml.search.requests import Search
from ml.search.tree import CORRECT, Tree
from ml.search.walk import Walk

TREES = Path(__file__).parent / "trees"


class FirstOfTies(random.Random):
    def randrange(self, *args: Any, **kwargs: Any) -> int:
        return 0

    def choices(self, population: Any, weights: Any = None, **kwargs: Any) -> list[Any]:
        return [population[0]]


class ScriptedPolicy:
    """Answers from `next` (next steps) and `completions`, both keyed by the path so far, joined by /."""

    name = "scripted"

    def __init__(self, script: dict[str, Any]) -> None:
        self.script = script
        self.asked: list[str] = []

    def next_steps(self, prefixes, count, temperature, seed):
        return [[_step(text) for text in self._lines("next", p)[:count]] for p in prefixes]

    def complete(self, prefixes, count, temperature, seed):
        return [
            [
                Continuation(tuple(steps), True, 10 * len(steps))
                for steps in self._lines("completions", p)[:count]
            ]
            for p in prefixes
        ]

    def _lines(self, kind: str, prefix) -> list[Any]:
        path = "/".join(prefix.steps)
        self.asked.append(path)
        return self.script[kind][path]


class ScriptedValues:
    name = "scripted"

    def __init__(self, script: dict[str, Any]) -> None:
        self.script = script

    def values(self, prefixes):
        return [self.script["values"]["/".join(prefix.steps)] for prefix in prefixes]


def _step(text: str) -> Continuation:
    return Continuation((text,), text.startswith("The answer"), 10)


def load(name: str) -> dict[str, Any]:
    script: dict[str, Any] = json.loads((TREES / name).read_text())
    script["problem"] = Problem("toy", "A toy problem.", script["answer"])
    return script


def grow(script: dict[str, Any], monkeypatch, **changed: Any) -> tuple[Tree, ScriptedPolicy]:
    """Search the script's tree; ties go to the first, so that it can be worked by hand."""
    return _drive(
        script, monkeypatch, lambda recipe, o: recipe.search(script["problem"], o, 0, "prose"), changed
    )


def judge(script: dict[str, Any], monkeypatch) -> tuple[SolutionEstimate, ScriptedPolicy]:
    """Estimate the script's given solution."""
    positions = tuple(Position((Option(text),)) for text in script["given"])
    solution = Solution("given", script["problem"], positions)
    return _drive(script, monkeypatch, lambda recipe, options: recipe.estimate(solution, options, 0), {})


def _drive(
    script: dict[str, Any], monkeypatch, start: Callable[[Recipe, Any], Search[Any]], changed: dict[str, Any]
) -> tuple[Any, ScriptedPolicy]:
    for module in (omegaprm, rest_mcts, rstar):
        monkeypatch.setattr(module, "generator_of", lambda *parts: FirstOfTies())
    recipe = RECIPES[script["method"]]
    options = recipe.with_options(script["options"] | changed)
    policy = ScriptedPolicy(script)
    walk = Walk(policy, sandbox(), ScriptedValues(script))
    return next(iter(walk.drive([("only", start(recipe, options))]))).result, policy


def tree_of(script: dict[str, Any]) -> Tree:
    """The tree that a script gives outright: its nodes with their Q and ends, each of them graded once."""
    tree = Tree(script["problem"])
    for line in script["nodes"]:
        parent = line["parent"]
        node = (
            tree.root
            if parent is None
            else tree.add(tree.nodes[parent], line.get("text", f"step {line['id']}"))
        )
        node.visits = line.get("visits", 0)
        node.value_sum = line.get("q", 0.0) * node.visits
        node.terminal = line.get("terminal")
        node.final_answer = {"correct": "1", "wrong": "2"}.get(node.terminal or "")
    for end in tree.terminals():
        for step in tree.path(end):
            step.graded, step.correct = step.graded + 1, step.correct + (end.terminal == CORRECT)
    return tree


def by_path(tree: Tree) -> dict[str, Any]:
    """The nodes as `trees.jsonl` has them, by the path of their texts."""
    nodes = tree.as_json()["nodes"]
    return {"/".join(tree.steps(node)): nodes[node.id] for node in tree.nodes}
