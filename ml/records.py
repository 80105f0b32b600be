"""The frozen records that cross every border: files in, `ml` to `labelsite`, snapshots out.

A `Solution` is a row of positions. Each position holds one or more options (alternatives written by a
model, or by a person) and names the one that the trajectory goes through. Indices are 0-based everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class FinishReason(StrEnum):
    """Why an annotation ended (PRM800K's four words)."""

    FOUND_ERROR = "found_error"
    SOLUTION = "solution"
    BAD_PROBLEM = "bad_problem"
    GIVE_UP = "give_up"


@dataclass(frozen=True, slots=True)
class Problem:
    """A question and, where known, its reference final answer and reference solution.

    Equal by what it asks: a file may give each of a problem's solutions another id, and what a policy is asked of one
    of them is asked for all.
    """

    id: str = field(compare=False)
    text: str
    answer: str | None = None
    reference_solution: str | None = None


@dataclass(frozen=True, slots=True)
class Option:
    """One candidate step. `source` is "model" or "human"; a code step carries a ```python fence in `text`."""

    text: str
    source: str = "model"


@dataclass(frozen=True, slots=True)
class Position:
    """The candidates for one place in a solution; `chosen` indexes the one on the trajectory (None: open)."""

    options: tuple[Option, ...]
    chosen: int | None = 0


@dataclass(frozen=True, slots=True)
class Solution:
    """Ordered steps by one policy (or by several hands, where a person wrote a step)."""

    id: str
    problem: Problem
    positions: tuple[Position, ...]
    generator: str | None = None
    final_answer: str | None = None
    is_correct: bool | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def steps(self) -> tuple[str, ...]:
        """The texts on the trajectory, up to the first position where nothing is chosen."""
        texts: list[str] = []
        for position in self.positions:
            if position.chosen is None:
                break
            texts.append(position.options[position.chosen].text)
        return tuple(texts)


@dataclass(frozen=True, slots=True)
class StepRating:
    """What a person said of one option: -1, 0, +1, or None where they could not say ("?", `flagged`)."""

    position: int
    option: int
    rating: int | None
    flagged: bool | None = None
    milliseconds: int | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Annotation:
    """One person's finished look at one solution. `extra` keeps what only the outside format knows.

    first_mistake: also of a look that ends with `solution`, where the person went on from there alone.
    """

    labeler: str
    finish_reason: FinishReason
    ratings: tuple[StepRating, ...]
    first_mistake: int | None = None
    reason: str = ""
    total_time_ms: int | None = None
    created_at: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LabelledSolution:
    """One line of an imported file: a solution and, where the file has one, a person's annotation.

    `broken_rule` names the label rule (docs/labelling.md, "Label rules") that the file's own labels break, or is empty.
    `is_numbered`: the file gives the record no id, so that its solution's id is made of the line's number.
    """

    line: int
    solution: Solution
    annotation: Annotation | None = None
    broken_rule: str = ""
    is_numbered: bool = False


@dataclass(frozen=True, slots=True)
class StepEstimate:
    """What rollouts said of one step.

    visits: completed, graded rollouts through the step. correct: how many ended in the reference answer.
    q_value: mean outcome in the method's own range ([-1, 1] for rStar, [0, 1] for Monte Carlo estimation).
    hard: 1 if any rollout was correct, else 0 (Math-Shepherd). soft: correct / visits, in [0, 1].
    quality_value: v_k of ReST-MCTS* in [0, 1], None where the method has none. None means "not estimated".
    """

    visits: int
    correct: int
    q_value: float | None
    hard: int | None
    soft: float | None
    quality_value: float | None = None


@dataclass(frozen=True, slots=True)
class SolutionEstimate:
    """One line of `estimates.jsonl`: the estimates and the first mistake that they imply (None: none).

    sandbox_level: of the levels at which code ran for it, the one that confines a program least. None where none ran,
    in a file that does not say, and until the line is written. method: of the search; None in the last two cases.
    """

    id: str
    first_mistake: int | None
    steps: tuple[StepEstimate, ...]
    sandbox_level: str | None = None
    method: str | None = None

    @classmethod
    def of_nothing(cls, solution: Solution) -> SolutionEstimate:
        """What is said of a solution of which nothing is known."""
        return cls(solution.id, None, (StepEstimate(0, 0, None, None, None),) * len(solution.steps))
