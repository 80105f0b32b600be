"""What a model said of each solution whose first mistake is known, a line each, to be compared with another model's."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ml.errors import BadRecord, MisstepError
from ml.evaluation.first_mistake import MISSING, predict
from ml.evaluation.judged import Judged
from ml.evaluation.lines_by_id import objects
from ml.evaluation.rules import by_other_half

NONE = -1
# Whose threshold: the one that was given or chosen, and the other half's among all and among unseen problems.
RULES = ("by_threshold", "held_out", "unseen")
EXPECTED = 'a line {"id", "problem", "first_mistake"}, as --out of evaluate first-mistake writes them'


@dataclass(frozen=True)
class Outcome:
    """A solution's problem by its hash, its first mistake, and what was said of it by each rule that knows of it.

    Positions count from 0; -1 is none, and -2 that a deciding step had no score.
    """

    problem: str
    first_mistake: int
    said: Mapping[str, int]


def lines_of(judged: Judged, threshold: float, known: Collection[str] | None) -> Iterator[dict[str, Any]]:
    """One line of each solution. known: the problems that the model was trained on, by hash; None where nobody says."""
    others = Judged([]) if known is None else judged.not_of(known)
    said = {name: dict[str, int | None]() for name in RULES}
    said["by_threshold"] = {row.id: predict(row.scores, threshold) for row in judged.rows}
    for name, rows in (("held_out", judged), ("unseen", others)):
        predictions = by_other_half(rows) or []
        said[name] = dict(zip([row.id for row in rows.rows], predictions, strict=False))
    for row in judged.rows:
        place = NONE if row.truth is None else row.truth
        line: dict[str, Any] = {"id": row.id, "problem": row.problem, "first_mistake": place}
        yield line | {name: _placed(found[row.id]) for name, found in said.items() if row.id in found}


def _placed(said: int | None) -> int:
    return NONE if said is None else said


def read_outcomes(path: Path) -> dict[str, Outcome]:
    """The lines by id; raises BadRecord for a line that is none or an id twice, MisstepError where there is no line."""
    if not path.is_file():
        raise MisstepError(f"{path}: no such file, expected what --out of evaluate first-mistake wrote")
    found: dict[str, Outcome] = {}
    for number, body in objects(path, EXPECTED):
        name, problem = body.get("id"), body.get("problem")
        said = {rule: body[rule] for rule in RULES if rule in body}
        if not isinstance(name, str) or not isinstance(problem, str):
            raise BadRecord(str(path), number, "no id or no problem", EXPECTED)
        for value in (body.get("first_mistake"), *said.values()):
            if type(value) is not int or value < MISSING:
                raise BadRecord(str(path), number, f"position {value!r:.60}", EXPECTED)
        if name in found:
            raise BadRecord(str(path), number, f"id {name!r} a second time", "each id once")
        found[name] = Outcome(problem, body["first_mistake"], said)
    if not found:
        raise MisstepError(f"{path}: no lines, expected what --out of evaluate first-mistake wrote")
    return found
