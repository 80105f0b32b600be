"""PRM800K: one labelled trajectory a line, with every alternative. Reading and writing lose nothing.

What our records cannot say lies in `extra` as small JSON. `Solution.extra["question"]` has the question's
own keys and what was null or is not ours; `Annotation.extra` has the labeler, the time stamp, the generation
and the two quality-control flags by name, and under "remainder" whatever else the line says.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ml.formats import fields, label_rules, prm800k_steps
from ml.formats.difference import apply, difference
from ml.formats.fields import Record
from ml.formats.lines import Unreadable
from ml.records import (
    Annotation,
    FinishReason,
    LabelledSolution,
    Option,
    Position,
    Problem,
    Solution,
)

LABELER = "imported:prm800k"
KEYS = frozenset({"question", "label"})
# PRM800K asked for a reason to give up, but its files have no place for one.
NO_REASON = "PRM800K does not record the reason"
NAMED_KEYS = (
    "labeler",
    "timestamp",
    "generation",
    "is_quality_control_question",
    "is_initial_screening_question",
)
PRE_GENERATED = "pre_generated_steps"
# A trajectory that reached its end says so inside its last step.
ANSWER_HEADING = "# Answer"


def parse(record: Record, line: int) -> Iterator[LabelledSolution]:
    """One line, one solution with one annotation; the line number is the id. Raises Unreadable.

    A phase 2 line has the whole solution beside the labelled steps, so its steps after the first mistake are
    positions too, unrated. A step at which nothing could be written (the end of a give_up) is no position.
    """
    question, label = fields.mapping(record, "question"), fields.mapping(record, "label")
    reason = FinishReason(fields.one_of(label, "finish_reason", [str(reason) for reason in FinishReason]))
    labelled = prm800k_steps.positions(fields.objects(label, "steps"), reason, _pre_generated(question))
    if () in [position.options for position in labelled[:-1]]:
        raise Unreadable("a step without any completion before the last step", "one only at the end")
    positions = tuple(position for position in labelled if position.options)
    positions, pre_generated = _with_unlabelled_steps(positions, question)
    problem = _problem(question, line)
    given = fields.short_answer(question, "pre_generated_answer")
    # A path that parted from the pre-generated one does not come to its answer.
    has_parted = question.get(PRE_GENERATED) is not None and not pre_generated
    final_answer = _final_answer(positions) if has_parted else given or _final_answer(positions)
    solution = Solution(
        id=str(line),
        problem=problem,
        positions=positions,
        final_answer=final_answer,
        # Equal texts are equal answers; what unequal texts mean `ml.given_answers` asks the grader where it matters.
        is_correct=True if final_answer is not None and final_answer == problem.answer else None,
        extra={"question": _question_extra(question, pre_generated), "question_keys": list(question)},
    )
    annotation = _annotation(record, label, reason, solution)
    derived = write_record(LabelledSolution(line, solution, annotation))
    remainder = difference(derived, dict(record))
    if remainder:
        annotation = replace(annotation, extra={**annotation.extra, "remainder": remainder})
    yield LabelledSolution(line, solution, annotation, label_rules.broken_rule(solution, annotation))


def _problem(question: Record, line: int) -> Problem:
    return Problem(
        id=str(line),
        text=fields.text(question, "problem"),
        answer=fields.short_answer(question, "ground_truth_answer"),
        reference_solution=fields.optional_text(question, "ground_truth_solution"),
    )


def _final_answer(positions: tuple[Position, ...]) -> str | None:
    """What the last step of the trajectory gives as its answer, if it gives one."""
    if not positions or positions[-1].chosen is None:
        return None
    _, heading, answer = positions[-1].options[positions[-1].chosen].text.rpartition(ANSWER_HEADING)
    return answer.strip() or None if heading else None


def _pre_generated(question: Record) -> tuple[str, ...]:
    """The steps of the solution as the model wrote it, where the line has them."""
    return () if question.get(PRE_GENERATED) is None else fields.texts(question, PRE_GENERATED, at_least=0)


def _with_unlabelled_steps(
    positions: tuple[Position, ...], question: Record
) -> tuple[tuple[Position, ...], bool]:
    """The positions with the rest of the pre-generated solution, and whether that solution fits them."""
    if question.get(PRE_GENERATED) is None:
        return positions, False
    steps = _pre_generated(question)
    trajectory = tuple(
        position.options[position.chosen].text for position in positions if position.chosen is not None
    )
    if trajectory != steps[: len(positions)]:
        return positions, False
    return positions + tuple(Position((Option(text),)) for text in steps[len(positions) :]), True


def _question_extra(question: Record, pre_generated: bool) -> dict[str, Any]:
    """The question's values that neither the problem nor the trajectory holds; nulls are among them."""
    held = {"problem", "ground_truth_answer", "ground_truth_solution"}
    if pre_generated:
        held.add(PRE_GENERATED)
    return {key: value for key, value in question.items() if key not in held or value is None}


def _annotation(record: Record, label: Record, reason: FinishReason, solution: Solution) -> Annotation:
    ratings = prm800k_steps.ratings(label["steps"], solution.positions)
    needs_reason = reason in (FinishReason.BAD_PROBLEM, FinishReason.GIVE_UP)
    annotation = Annotation(
        labeler=LABELER,
        finish_reason=reason,
        ratings=ratings,
        reason=fields.optional_text(label, "reason") or (NO_REASON if needs_reason else ""),
        total_time_ms=fields.optional_integer(label, "total_time"),
        created_at=fields.optional_text(record, "timestamp"),
        extra={
            "label_steps": len(label["steps"]),
            **{key: record[key] for key in NAMED_KEYS if key in record},
        },
    )
    mistake = label_rules.first_mistake(solution, annotation)
    if mistake is None and reason == FinishReason.SOLUTION:
        mistake = prm800k_steps.left_at(solution.positions, ratings, _pre_generated(record["question"]))
        if mistake is not None:
            ratings += prm800k_steps.own_steps(solution.positions, mistake)
    return replace(annotation, first_mistake=mistake, ratings=ratings)


def write_record(labelled: LabelledSolution) -> dict[str, Any]:
    """The line of one annotated solution; for an imported one, equal to the line that it came from.

    An annotation made here has no `extra`: then it is written as a phase 2 line (whole solution under
    `pre_generated_steps`, labels up to the last rated step). A reason, where one was given, is added to the
    label, and a note to its option; PRM800K has no such keys and its readers pass over them. Raises ValueError
    without an annotation.
    """
    solution, annotation = labelled.solution, labelled.annotation
    if annotation is None:
        raise ValueError(f"solution {solution.id} has no annotation to write")
    extra = annotation.extra
    label = {
        "steps": prm800k_steps.write_steps(solution, annotation),
        "total_time": annotation.total_time_ms,
        "finish_reason": str(annotation.finish_reason),
    }
    if annotation.reason not in ("", NO_REASON):
        label["reason"] = annotation.reason
    record = {
        "labeler": extra.get("labeler", annotation.labeler),
        "timestamp": extra.get("timestamp", annotation.created_at),
        "generation": extra.get("generation"),
        "is_quality_control_question": extra.get("is_quality_control_question", False),
        "is_initial_screening_question": extra.get("is_initial_screening_question", False),
        "question": _write_question(solution),
        "label": label,
    }
    written: dict[str, Any] = apply(record, extra.get("remainder"))
    return written


def _write_question(solution: Solution) -> dict[str, Any]:
    problem, own = solution.problem, solution.extra.get("question", {})
    held = {
        "problem": problem.text,
        "ground_truth_answer": problem.answer,
        "ground_truth_solution": problem.reference_solution,
        PRE_GENERATED: list(solution.steps),
        "pre_generated_answer": solution.final_answer,
    }
    # The keys are kept apart from the values: another file may since have given this problem a solution.
    keys = solution.extra.get("question_keys", held)
    return {key: own[key] if key in own else held[key] for key in keys}
