"""Lines that `python -m ml autolabel`, `score` and `execute` leave: each is checked before it is used."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from ml.bounds import is_whole, is_within
from ml.errors import BadRecord, MisstepError
from ml.execution.outcome import Verdict
from ml.json_lines import storable
from ml.records import SolutionEstimate, StepEstimate

# What a search tree's node must tell.
NODE_KEYS = ("id", "parent", "depth", "text", "visits", "q_value")


@dataclass(frozen=True, slots=True)
class TreeLine:
    """One line of trees.jsonl: `data` is the line itself."""

    id: str
    node_count: int
    data: Mapping[str, Any]


def read_estimates(path: Path) -> Iterator[SolutionEstimate]:
    """The lines of estimates.jsonl; raises BadRecord naming file and line."""
    for number, record in objects_in(path):
        refusal = Refusal(path, number)
        steps = tuple(_step_estimate(step, refusal) for step in refusal.listed(record, "steps"))
        yield SolutionEstimate(
            refusal.identity(record),
            refusal.position(record, "first_mistake", len(steps)),
            steps,
            refusal.optional_text(record, "sandbox_level"),
            refusal.optional_text(record, "method"),
        )


def estimates_by_id(path: Path) -> dict[str, SolutionEstimate]:
    """All of them at once; raises BadRecord for an id twice as well."""
    found: dict[str, SolutionEstimate] = {}
    for number, estimate in enumerate(read_estimates(path), start=1):
        if estimate.id in found:
            raise BadRecord(str(path), number, f"id {estimate.id!r} a second time", "each id once")
        found[estimate.id] = estimate
    return found


def read_trees(path: Path) -> Iterator[TreeLine]:
    """The lines of trees.jsonl; raises BadRecord for a node without its keys or with a parent after it."""
    for number, record in objects_in(path):
        refusal = Refusal(path, number)
        nodes = refusal.listed(record, "nodes")
        complaint = complaint_about_nodes(nodes)
        if complaint:
            refusal(*complaint)
        yield TreeLine(refusal.identity(record), len(nodes), record)


def complaint_about_nodes(nodes: Sequence[Any]) -> tuple[str, str] | None:
    """What is wrong with a tree's nodes as (found, expected), or None."""
    if not nodes:
        return "no nodes", "at least the root"
    for place, node in enumerate(nodes):
        if not isinstance(node, dict) or any(key not in node for key in NODE_KEYS):
            return f"node {place} {str(node)[:80]}", f"an object with {', '.join(NODE_KEYS)}"
        parent = node["parent"]
        if type(node["id"]) is not int or node["id"] != place or (parent is None) != (place == 0):
            return (
                f"node {place} has id {node['id']!r}, parent {parent!r}",
                "ids in order, only the root alone",
            )
        if parent is not None and not (type(parent) is int and 0 <= parent < place):
            return f"node {place} has parent {parent!r}", "the id of an earlier node"
    return None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Takes values out of one line, and refuses the line when they are not what they should be."""

    path: Path
    line: int

    def __call__(self, found: str, expected: str) -> NoReturn:
        raise BadRecord(str(self.path), self.line, found, expected)

    def identity(self, record: Mapping[str, Any]) -> str:
        value = record.get("id")
        if not isinstance(value, str | int):
            self(f"id {value!r}", "the id of a solution or problem")
        return str(value)

    def listed(self, record: Mapping[str, Any], key: str) -> list[Any]:
        value = record.get(key)
        if not isinstance(value, list):
            self(f"{key} is {type(value).__name__}", "a list")
        return value

    def count(self, record: Mapping[str, Any], key: str) -> int:
        value = record.get(key)
        if not is_whole(value) or value < 0:
            self(f"{key} {value!r}", "a whole number of at least 0")
        return value

    def position(self, record: Mapping[str, Any], key: str, length: int) -> int | None:
        if record.get(key) is None:
            return None
        value = self.count(record, key)
        if value >= length:
            self(f"{key} {value} with {length} steps", "a step's position or null")
        return value

    def number(self, record: Mapping[str, Any], key: str, low: float, high: float) -> float:
        value = record.get(key)
        if not is_within(value, low, high):
            self(f"{key} {value!r}", f"a number between {low:g} and {high:g}")
        return float(value)

    def outcome(self, step: Any) -> tuple[str, str] | None:
        if step is None:
            return None
        if not isinstance(step, dict) or step.get("verdict") not in list(Verdict):
            self(f"the outcome {step!r}"[:200], "null, or a verdict and an output")
        return step["verdict"], storable(str(step.get("output", "")))

    def graded(self, answer: Any) -> tuple[str, bool]:
        if not isinstance(answer, dict) or not isinstance(answer.get("is_correct"), bool):
            self(f"the answer {answer!r}"[:200], "an answer and whether it is correct")
        return storable(str(answer.get("answer", ""))), answer["is_correct"]

    def optional_text(self, record: Mapping[str, Any], key: str) -> str | None:
        value = record.get(key)
        if value is not None and not isinstance(value, str):
            self(f"{key} {value!r}"[:200], "a text or null")
        return None if value is None else storable(value)

    def optional_number(self, record: Mapping[str, Any], key: str, low: float, high: float) -> float | None:
        return None if record.get(key) is None else self.number(record, key, low, high)


def _step_estimate(step: Any, refusal: Refusal) -> StepEstimate:
    if not isinstance(step, dict):
        refusal(f"a step that is {type(step).__name__}", "an object")
    visits, correct = refusal.count(step, "visits"), refusal.count(step, "correct")
    if correct > visits:
        refusal(f"{correct} correct of {visits} visits", "at most as many correct as visits")
    hard = refusal.optional_number(step, "hard", 0, 1)
    return StepEstimate(
        visits=visits,
        correct=correct,
        q_value=refusal.optional_number(step, "q_value", -1, 1),
        hard=None if hard is None else int(hard),
        soft=refusal.optional_number(step, "soft", 0, 1),
        quality_value=refusal.optional_number(step, "quality_value", 0, 1),
    )


def _refuse_constant(name: str) -> NoReturn:
    # Python reads and writes NaN and Infinity; no other reader of JSON does, and PostgreSQL refuses them.
    raise ValueError(f"{name} is no number")


def objects_in(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Each line's number (from 1) and object. A missing file is one clear error."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise MisstepError(f"{path} is missing, expected the output of the run") from None
    with file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                record = json.loads(line, parse_constant=_refuse_constant)
            except (ValueError, RecursionError) as problem:
                raise BadRecord(str(path), number, f"no JSON ({problem})", "one JSON object a line") from None
            if not isinstance(record, dict):
                raise BadRecord(str(path), number, type(record).__name__, "one JSON object a line")
            yield number, record
