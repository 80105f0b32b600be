"""Solutions to one problem: written, run and graded, and put as the line of a pool of samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ml.pocket.checker import first_mistake
from ml.pocket.problems import is_pocket_problem
from ml.policies.protocol import Continuation, Prefix
from ml.records import Problem
from ml.search.requests import Completions, Grade, Graded, Search
from ml.search.texts import ends_of, texts_of

# What became of each sample; an unfinished one is not graded.
Sampled = list[tuple[Continuation, Graded | None]]


def sample(request: Completions) -> Search[Sampled]:
    """Write the samples and grade those that have an end; equal ones are graded once."""
    written: list[Continuation] = (yield [request])[0]
    ends = list(dict.fromkeys(one.steps for one in written if one.finished and one.steps))
    answers = yield [Grade(request.prefix.problem, steps) for steps in ends]
    graded: dict[tuple[str, ...], Graded] = dict(zip(ends, answers, strict=True))
    return [(one, graded.get(one.steps) if one.finished else None) for one in written]


def request_for(problem: Problem, style: str, count: int, temperature: float, seed: int) -> Completions:
    """What is asked of the policy for one problem."""
    return Completions(Prefix(problem, (), style), count, temperature, seed)


def line_of(request: Completions, generator: str, sampled: Sampled) -> dict[str, Any]:
    """What is kept of one problem: its line of the pool, the tokens it took, and how its texts ended.

    Samples without any step are a number beside the solutions: no reader takes a solution with nothing to judge,
    and best-of-n counts them among its candidates. Those that are no draws or whose grading failed here are another
    number, and no candidates: nothing is known of them.
    """
    problem, continuations = request.prefix.problem, [one for one, _ in sampled]
    with_steps = [(one, graded) for one, graded in sampled if one.steps and not one.lost]
    known = [(one, graded) for one, graded in with_steps if graded is None or graded.is_evidence]
    line: dict[str, Any] = {
        "id": problem.id,
        "problem": problem.text,
        "answer": problem.answer,
        "generator": generator,
        "solutions": [
            solution_record(
                problem,
                written.steps,
                graded.answer if graded is not None else None,
                graded is not None and graded.is_correct,
                request.prefix.style,
            )
            for written, graded in known
        ],
    }
    lost = sum(one.lost for one in continuations)
    if empty := len(continuations) - len(with_steps) - lost:
        line["empty_samples"] = empty
    if ungraded := len(with_steps) - len(known) + lost:
        line["ungraded_samples"] = ungraded
    tokens = sum(one.tokens for one in continuations)
    texts = texts_of(request, continuations)
    for _, graded in sampled:
        texts.update(ends_of(graded) if graded is not None else ())
    return {"line": line, "tokens": tokens, "texts": dict(texts)}


def solution_record(
    problem: Problem, steps: Sequence[str], answer: str | None, is_correct: bool | None, style: str
) -> dict[str, Any]:
    """One solution as it is saved; pocket problems also carry the checker's first mistake."""
    record: dict[str, Any] = {
        "steps": list(steps),
        "final_answer": answer,
        "is_correct": is_correct,
        "style": style,
    }
    if is_pocket_problem(problem.text):
        record["first_mistake"] = first_mistake(problem.text, steps)
    return record
