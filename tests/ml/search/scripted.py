"""A policy and a value model that read their lines from a hand-worked tree, and ties that go to the first."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from ml.policies.protocol import Continuation
from ml.records import Problem
from ml.search.recipes import RECIPES
from ml.search.tree import Tree

TREES = Path(__file__).parent / "trees"


class FirstOfTies(random.Random):
    def randrange(self, *args: Any, **kwargs: Any) -> int:
        return 0

    def choices(self, population: Any, weights: Any = None, **kwargs: Any) -> list[Any]:
        return [population[0]]


class ScriptedPolicy:
    """Answers from `steps` (next steps) and `completions`, both keyed by the path so far, joined by /."""

    name = "scripted"

    def __init__(self, script: dict[str, Any]) -> None:
        self.script = script
        self.asked: list[str] = []

    def next_steps(self, prefixes, count, temperature, seed):
        return [[_step(text) for text in self._lines("steps", p)[:count]] for p in prefixes]

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
    from ml.execution import sandbox
    from ml.search import omegaprm, rest_mcts, rstar
    from ml.search.walk import Walk

    for module in (omegaprm, rest_mcts, rstar):
        monkeypatch.setattr(module, "generator_of", lambda *parts: FirstOfTies())
    recipe = RECIPES[script["method"]]
    options = recipe.with_options(script["options"] | changed)
    policy = ScriptedPolicy(script)
    walk = Walk(policy, sandbox(), ScriptedValues(script))
    search = recipe.search(script["problem"], options, 0, "prose")
    return next(iter(walk.drive([("only", search)]))).result, policy


def by_path(tree: Tree) -> dict[str, Any]:
    """The nodes as `trees.jsonl` has them, by the path of their texts."""
    nodes = tree.as_json()["nodes"]
    return {"/".join(tree.steps(node)): nodes[node.id] for node in tree.nodes}
