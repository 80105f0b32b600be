"""A file's solutions, with its own labels and estimates beside it, as the rows of a snapshot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field, replace
from itertools import chain, count
from typing import Any

from ml.errors import BadRecord
from ml.formats import stepwise
from ml.formats.label_rules import trajectory_ratings
from ml.given_answers import GivenAnswers
from ml.records import Annotation, LabelledSolution, Solution, SolutionEstimate
from ml.snapshot import SnapshotRow, problem_hash, split_of
from ml.snapshot_checks import complaint_about
from ml.targets.alternatives import joined, renumbered
from ml.targets.consensus import (
    CHECKER,
    Look,
    Verdict,
    evidence_of,
    is_reported,
    option_rating,
    people_first,
    unheard,
    verdict_or_ratings,
)
from ml.targets.rules import LabelRule, why_unlabelled
from ml.targets.series import series_of
from ml.targets.snapshot_rows import labelled as labelled_rows
from ml.targets.unlabelled import stays

QUALITY_CONTROL_FLAGS = ("is_quality_control_question", "is_initial_screening_question")
# What a format's own file says of rollouts (`Solution.extra`): hard or soft estimations.
OWN_SERIES = ("hard", "soft")
# What a line may leave out that another line of the same solution says.
FACTS = ("final_answer", "is_correct", "generator")
# What a second method says of a solution: {"first_mistake": ...}, or None where it has no verdict.
Second = Callable[[Solution], dict[str, int | None] | None]


@dataclass
class _Item:
    """One distinct solution with all that was said of it."""

    line: int
    solution: Solution
    looks: list[Look] = field(default_factory=list)
    estimate: SolutionEstimate | None = None
    second: dict[str, int | None] | None = None


def rows_from(
    source: str,
    labelled: Iterable[LabelledSolution],
    estimates: Mapping[str, SolutionEstimate],
    rule: LabelRule,
    dropped: Counter[str],
    second: Second | None = None,
    keep_unlabelled: bool = False,
) -> Iterator[SnapshotRow]:
    """The labelled rows of a file; `dropped` counts what is left out, by reason, and is complete once they have come.

    The first row comes when the whole file has been read, because any line may speak of a solution before it; from then
    on a solution is let go of when its row comes. Solutions of the same steps to a problem of the same text (by
    `problem_hash`) are one row, whoever labelled them; the first one's id stands. A problem is named by the first
    solution that has its text. Raises BadRecord, with the record's id, for a solution that no snapshot can hold and for
    estimates of another number of steps. `source` is what messages call the file. second: a method that the rollouts
    have to agree with. keep_unlabelled: rows without a label stay where it is known whether their answer is right.
    """
    found = _rows(source, labelled, estimates, rule, dropped, second, keep_unlabelled)
    for row in labelled_rows(found, rule):
        if stays(row, keep_unlabelled):
            yield row
        else:
            dropped[why_unlabelled(row.human, row.automatic, rule)] += 1


def _rows(
    source: str,
    labelled: Iterable[LabelledSolution],
    estimates: Mapping[str, SolutionEstimate],
    rule: LabelRule,
    dropped: Counter[str],
    second: Second | None,
    keep_unlabelled: bool,
) -> Iterator[SnapshotRow]:
    """The rows with their evidence, before labels."""
    problems: dict[str, str] = {}
    answers = GivenAnswers()
    items = _distinct(source, labelled, estimates, dropped, second)
    items.reverse()
    while items:
        item = items.pop()
        row = _row(item, problems, rule, dropped, answers, keep_unlabelled)
        if row is None:
            continue
        if second and row.automatic:
            row.automatic["second"] = item.second
        if complaint := complaint_about(row):
            raise BadRecord(source, item.line, f"record {row.id}: {complaint[0]}", complaint[1])
        # Not held while the row is labelled and written.
        del item
        yield row


def _distinct(
    source: str,
    labelled: Iterable[LabelledSolution],
    estimates: Mapping[str, SolutionEstimate],
    dropped: Counter[str],
    second: Second | None,
) -> list[_Item]:
    found: dict[tuple[str, tuple[str, ...]], _Item] = {}
    for one in labelled:
        solution = one.solution
        if not solution.steps:
            dropped["solutions_without_usable_steps"] += 1
            continue
        key = (problem_hash(solution.problem.text), solution.steps)
        item = found.setdefault(key, _Item(one.line, solution))
        if item.solution is not solution:
            dropped["repeated_solutions"] += 1
            item.solution = _one_solution(item.solution, solution)
        estimate = estimates.get(solution.id)
        if estimate is not None and len(estimate.steps) != len(solution.steps):
            told = f"record {solution.id}: estimates of {len(estimate.steps)} steps"
            raise BadRecord(source, one.line, told, f"those of its {len(solution.steps)}")
        item.estimate = item.estimate or estimate
        item.second = item.second or (second(solution) if second else None)
        if (look := look_of(one, {look.annotator for look in item.looks}, dropped)) is not None:
            item.looks.append(renumbered(look, solution.positions, item.solution.positions))
    return list(found.values())


def _one_solution(first: Solution, later: Solution) -> Solution:
    """The first line's solution, with the alternatives of a later one, and what only that one knows of it."""
    known = {name: getattr(later, name) for name in FACTS if getattr(first, name) is None}
    answer = later.problem.answer if first.problem.answer is None else first.problem.answer
    problem = replace(first.problem, answer=answer)
    return replace(first, positions=joined(first.positions, later.positions), problem=problem, **known)


def look_of(labelled: LabelledSolution, taken: Set[str], dropped: Counter[str]) -> Look | None:
    """What the file's person said; None for nobody, and for what must not be trained on, which is counted."""
    said = labelled.annotation
    if said is None:
        return None
    if reason := _left_out(labelled, said):
        dropped[reason] += 1
        return None
    given = trajectory_ratings(labelled.solution, said)
    until = given.index(None) if None in given else len(given)
    places = enumerate(position.chosen for position in labelled.solution.positions)
    chosen = set(places)
    options = {
        (rating.position, rating.option): rating.rating
        for rating in said.ratings
        if (rating.position, rating.option) not in chosen
    }
    # PRM800K names its people, and a site's own lines the checker among them.
    own_name = str(said.extra.get("labeler") or said.labeler)
    is_checker = own_name == CHECKER or said.labeler == CHECKER.removeprefix("imported:")
    labeler = CHECKER if is_checker else said.labeler
    name = _free_name(CHECKER if is_checker else own_name, taken)
    ratings = [rating for rating in given[:until] if rating is not None]
    return Look(name, labeler, str(said.finish_reason), ratings, options)


def _free_name(name: str, taken: Set[str]) -> str:
    """The name itself, so that a person is one witness in the whole file; numbered where it looked at the solution
    before: two lines of one solution are two looks, also where the file names nobody.
    """
    numbered = (f"{name} {number}" for number in count(2))
    return next(one for one in chain([name], numbered) if one not in taken)


def _left_out(labelled: LabelledSolution, said: Annotation) -> str:
    if any(said.extra.get(flag) for flag in QUALITY_CONTROL_FLAGS):
        return "annotations_for_quality_control"
    return "annotations_that_break_a_rule" if labelled.broken_rule else ""


def _row(
    item: _Item,
    problems: dict[str, str],
    rule: LabelRule,
    dropped: Counter[str],
    answers: GivenAnswers,
    keep_unlabelled: bool,
) -> SnapshotRow | None:
    solution, steps = item.solution, list(item.solution.steps)
    looks = people_first(item.looks)
    is_bad = rule.labels != "automatic" and is_reported(looks)
    is_asked = rule.labels != "automatic" and not is_bad
    verdict = verdict_or_ratings(looks, len(steps), None, rule.given_up) if is_asked else None
    if unfinished := unheard(looks, verdict):
        dropped["annotations_unfinished"] += unfinished
    if is_bad:
        dropped["bad_problems"] += 1
        return None
    human = evidence_of(verdict, len(steps)) if verdict else None
    automatic = None if rule.labels == "human" else _automatic(item)
    has_evidence = human is not None or automatic is not None
    is_correct = answers.is_correct(solution) if has_evidence or keep_unlabelled else None
    if not has_evidence and is_correct is None:
        dropped["solutions_without_evidence"] += 1
        return None
    name = problems.setdefault(problem_hash(solution.problem.text), solution.problem.id)
    return SnapshotRow(
        id=solution.id,
        problem_id=name,
        problem=solution.problem.text,
        answer=solution.problem.answer,
        steps=steps,
        final_answer=solution.final_answer,
        is_correct=is_correct,
        generator=solution.generator,
        split=split_of(solution.problem.text),
        human=human,
        automatic=automatic,
        labels=[None] * len(steps),
        label_source=[None] * len(steps),
        options=list(_options(solution, verdict)),
    )


def _automatic(item: _Item) -> dict[str, Any] | None:
    """The estimates beside the file; without them the estimations that its own format has."""
    if item.estimate is not None:
        found = series_of(item.estimate)
        return found if any(found["visits"]) else None
    own = {name: list(item.solution.extra[name]) for name in OWN_SERIES if item.solution.extra.get(name)}
    if (chances := stepwise.probabilities(item.solution)) is not None:
        own["soft"] = chances
    return own or None


def _options(solution: Solution, verdict: Verdict | None) -> Iterator[dict[str, Any]]:
    """The alternatives beside the trajectory of which a person said something."""
    for index, position in enumerate(solution.positions[: len(solution.steps) + 1]):
        for number, option in enumerate(position.options):
            if number == position.chosen:
                continue
            rating = option_rating(verdict, index, number, option.source == "human")
            if rating is not None:
                yield {"position": index, "text": option.text, "rating": rating, "q_value": None}
