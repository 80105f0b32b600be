"""Reads what `python -m ml autolabel`, `score` and `execute` leave: every line is checked before it is used."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labelsite.asked import whole
from ml.errors import MisstepError
from ml.json_lines import storable
from ml.result_lines import Refusal, objects_in


@dataclass(frozen=True, slots=True)
class PathOutcomes:
    """The verdict and the output of each step with code; None for the others."""

    id: str
    outcomes: tuple[tuple[str, str] | None, ...]


@dataclass(frozen=True, slots=True)
class SolutionScores:
    """One line of a score file: each step's probability of being right, None beyond the model's context."""

    id: str
    scores: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Disputed:
    """One line of disputed_answers.jsonl: answers with the first grader's opinion of each, beside one reference."""

    id: str
    reference: str | None
    answers: Mapping[str, bool]


@dataclass(frozen=True, slots=True)
class Unanswered:
    """One line of unanswered.jsonl: a solution or problem without an estimate, and why."""

    id: str
    why: str


def read_unanswered(path: Path) -> Iterator[Unanswered]:
    """The lines of unanswered.jsonl; raises BadRecord naming file and line."""
    for number, record in objects_in(path):
        refusal = Refusal(path, number)
        yield Unanswered(refusal.identity(record), storable(str(record.get("why", ""))))


def read_disputed(path: Path) -> Iterator[Disputed]:
    """The lines of disputed_answers.jsonl; raises BadRecord naming file and line."""
    for number, record in objects_in(path):
        refusal = Refusal(path, number)
        answers = dict(refusal.graded(answer) for answer in refusal.listed(record, "answers"))
        yield Disputed(refusal.identity(record), refusal.optional_text(record, "reference"), answers)


def read_scores(path: Path) -> Iterator[SolutionScores]:
    """The lines of a score file; raises BadRecord naming file and line."""
    for number, record in objects_in(path):
        refusal = Refusal(path, number)
        values = refusal.listed(record, "scores")
        scores = tuple(refusal.optional_number({"score": value}, "score", 0.0, 1.0) for value in values)
        yield SolutionScores(refusal.identity(record), scores)


def read_executions(path: Path) -> Iterator[PathOutcomes]:
    """The lines of an execution file; raises BadRecord naming file and line."""
    for number, record in objects_in(path):
        refusal = Refusal(path, number)
        outcomes = tuple(refusal.outcome(step) for step in refusal.listed(record, "steps"))
        yield PathOutcomes(refusal.identity(record), outcomes)


def read_object(path: Path, meant: str = "the run's own description") -> dict[str, Any]:
    """A file that is one JSON object, as a run's run.json; raises MisstepError where it is missing or none."""
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise MisstepError(f"{path} is missing, expected {meant}") from None
    except ValueError as problem:
        raise MisstepError(f"{path}: {problem}, expected one JSON object") from None
    if not isinstance(body, dict):
        raise MisstepError(f"{path}: {type(body).__name__}, expected one JSON object")
    return body


def identity_of(value: str) -> int:
    identity = whole(value)
    if identity is None:
        raise MisstepError(f"the output names {value!r}, expected the id of a solution or problem")
    return identity
