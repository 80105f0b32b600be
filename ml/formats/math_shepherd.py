"""Math-Shepherd: `{input, label, task}`: steps end in `ки`; the label has + or - in place of each `ки`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ml.formats import fields
from ml.formats.fields import Record
from ml.formats.first_mistake import chain
from ml.formats.lines import Unreadable
from ml.records import LabelledSolution, Problem, Solution
from ml.said import Said

TAG = "ки"
FIRST_STEP, SECOND_STEP = "Step 1:", "Step 2"
SIGNS = {"+": 1, "-": 0}
KEYS = frozenset({"input", "label"})
READS = frozenset({"input", "label", "task"})


def parse(record: Record, line: int) -> Iterator[LabelledSolution]:
    """One line, one solution; rollouts labelled it, so it has no annotation. Raises Unreadable.

    `extra["hard"]` has each step's hard estimation (1 or 0). Signs also occur inside steps, so labels are
    read by walking along the texts between the tags, never by splitting at signs.
    """
    pieces = fields.text(record, "input").split(TAG)
    hard = _labels(pieces, fields.text(record, "label"))
    if _has_label_in_problem(pieces):
        # A few published lines have a label inside their problem, which is none.
        pieces[:2] = [f"{pieces[0].rstrip()} {pieces[1].lstrip()}"]
        del hard[0]
    question, first_step = _parted(pieces[0])
    if not first_step or not question.strip():
        raise Unreadable(
            Said("an input without a problem before %(text)s", text=repr(FIRST_STEP)), "problem, then steps"
        )
    steps = [piece.strip() for piece in (first_step, *pieces[1:-1])]
    if not all(steps):
        raise Unreadable(
            Said("two %(tag)s with no step between them", tag=TAG),
            Said("one %(tag)s after each step", tag=TAG),
        )
    task = fields.optional_text(record, "task")
    extra: dict[str, Any] = {"hard": hard} | ({} if task is None else {"task": task})
    problem = Problem(str(line), question.strip())
    yield LabelledSolution(line, Solution(str(line), problem, chain(steps), extra=extra))


def _has_label_in_problem(pieces: list[str]) -> bool:
    """Whether the first tag stands before the steps begin. A step may speak of "step 1:" as well, in the middle of its
    sentence or behind a later mark.
    """
    if len(pieces) < 3 or _begin_of_steps(pieces[0]) is not None:
        return False
    before, mark, _ = pieces[1].partition(FIRST_STEP)
    return bool(mark) and SECOND_STEP not in pieces[0] + before


def _begin_of_steps(piece: str) -> int | None:
    """Where the mark of the first step stands, which some lines have in small letters."""
    places = (piece.find(mark) for mark in (FIRST_STEP, FIRST_STEP.lower()))
    return next((place for place in places if place >= 0), None)


def _parted(piece: str) -> tuple[str, str]:
    """The problem and the first step; where nothing marks the step, it follows the last question mark."""
    begin = _begin_of_steps(piece)
    if begin is None:
        begin = piece.rfind("?") + 1
    return piece[:begin], piece[begin:].strip()


def _labels(pieces: list[str], label: str) -> list[int]:
    """The sign that stands where each tag stood."""
    if len(pieces) < 2:
        raise Unreadable(
            Said("an input without %(tag)s", tag=TAG), Said("one %(tag)s after each step", tag=TAG)
        )
    signs: list[int] = []
    cursor = 0
    for number, piece in enumerate(pieces):
        if not label.startswith(piece, cursor):
            raise Unreadable(
                Said("a label whose text differs from the input at step %(step)s", step=number + 1),
                "the same text",
            )
        cursor += len(piece)
        if number == len(pieces) - 1:
            break
        sign = label[cursor : cursor + 1]
        if sign not in SIGNS:
            found = Said("%(sign)s after step %(step)s of the label", sign=repr(sign), step=number + 1)
            raise Unreadable(found, "+ or -")
        signs.append(SIGNS[sign])
        cursor += 1
    if label[cursor:].strip() or pieces[-1].strip():
        raise Unreadable(Said("text after the last %(tag)s", tag=TAG), Said("%(tag)s at the end", tag=TAG))
    return signs
