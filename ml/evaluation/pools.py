"""Pools of sampled solutions from a file, with scores in it or beside it; the grader groups answers."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ml.answers import is_equivalent
from ml.bounds import is_within
from ml.errors import BadRecord, MisstepError
from ml.evaluation.best_of_n import Pool
from ml.evaluation.lines_by_id import lines_by_id, objects
from ml.snapshot import problem_hash

Scores = Mapping[str, Sequence[float | None]]
# What the scores in a pool's lines may be: (low, high, how they become probabilities).
SCALES: Mapping[str, tuple[float, float, Callable[[float], float]]] = {
    "probability": (0.0, 1.0, float),
    "logit": (-sys.float_info.max, sys.float_info.max, lambda score: 0.5 * (1.0 + math.tanh(0.5 * score))),
    "tanh": (-1.0, 1.0, lambda score: 0.5 * (1.0 + score)),
}


def read_pools(
    path: Path, extra: Mapping[str, Scores] | None = None, scale: str = "probability"
) -> Iterator[Pool]:
    """Pools of a file: one problem a line, with `candidates` (or `solutions`, as `python -m ml sample`
    writes).

    `empty_samples` says how many more samples hold no step: candidates without an answer, which are wrong and have no
    scores. A candidate's `step_scores` holds scores by source, on `scale` (see SCALES). `extra` brings those of further
    sources, by id `<problem id>/<index>`, one for each step. Raises BadRecord for a line that is no pool, has an
    earlier one's id or scores of other steps than its own, or lacks scores that another candidate or the first line
    has, which would be judged as if they were the lowest; MisstepError where there is no file.
    """
    if not path.is_file():
        raise MisstepError(f"{path}: no such file, expected a pool of solutions")
    sources: set[str] | None = None
    known: set[str] = set()
    for number, body in objects(path, "a pool of solutions"):
        given = body.get("id")
        name = str(number if given is None else given)
        if given is not None and name in known:
            # It would count twice, and the same scores would be those of both.
            raise BadRecord(str(path), number, f"problem {name!r:.60} a second time", "each problem once")
        if given is not None:
            known.add(name)
        try:
            candidates = body.get("candidates", body.get("solutions"))
            if candidates == [] and body.get("ungraded_samples") and not body.get("empty_samples"):
                # Nothing is known of this problem.
                continue
            if not isinstance(candidates, list) or not (candidates or body.get("empty_samples")):
                raise BadRecord(str(path), number, "no candidates", "a list of sampled solutions")
            pool = _pool(path, number, name, body, candidates, extra or {}, scale)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise BadRecord(str(path), number, f"unreadable pool ({error})", "a pool of solutions") from error
        if not candidates:
            # Empty samples alone, of which nobody could have scores.
            yield pool
            continue
        sources = set(pool.scores) if sources is None else sources
        if set(pool.scores) != sources:
            raise BadRecord(
                str(path),
                number,
                f"scores of {sorted(pool.scores)}",
                f"those of the first line: {sorted(sources)}",
            )
        yield pool


def _pool(
    path: Path,
    number: int,
    name: str,
    body: Mapping[str, Any],
    candidates: list[Any],
    extra: Mapping[str, Scores],
    scale: str,
) -> Pool:
    answers = [candidate.get("extracted_answer", candidate.get("final_answer")) for candidate in candidates]
    right = [candidate["is_correct"] for candidate in candidates]
    unknown = next((index for index, said in enumerate(right) if not isinstance(said, bool)), None)
    if unknown is not None:
        found = f"is_correct {right[unknown]!r:.60} in candidate {unknown}"
        raise BadRecord(str(path), number, found, "true or false")
    empty = _empty_samples(path, number, body)
    given = _on_scale(path, number, candidates, scale)
    for index, candidate in enumerate(candidates):
        given[index] |= _scores_of(path, number, f"{name}/{index}", candidate, given[index], extra)
    scores = _by_source(path, number, given)
    for source in extra:
        scores.setdefault(source, [])
    return Pool(
        id=name,
        groups=np.asarray([*group_answers(answers), *[-1] * empty], dtype=np.int64),
        right=np.asarray([*right, *[False] * empty], dtype=np.bool_),
        scores={source: [*found, *[[]] * empty] for source, found in scores.items()},
        problem=problem_hash(body["problem"]) if isinstance(body.get("problem"), str) else None,
    )


def _empty_samples(path: Path, number: int, body: Mapping[str, Any]) -> int:
    count = body.get("empty_samples", 0)
    if type(count) is not int or count < 0:
        raise BadRecord(str(path), number, f"empty_samples {count!r:.60}", "a whole number, 0 or more")
    return count


def _on_scale(path: Path, number: int, candidates: list[Any], scale: str) -> list[dict[str, Any]]:
    """Each candidate's own step scores by source, as probabilities.

    Raises BadRecord for a score that none on this scale can be: products and minima of it would look like figures.
    """
    low, high, probability = SCALES[scale]
    limits = "finite numbers" if high > 1 else f"numbers in [{low:g}, {high:g}]"
    others = ", ".join(name for name in SCALES if name != scale)
    found: list[dict[str, Any]] = []
    for index, candidate in enumerate(candidates):
        by_source = dict(candidate.get("step_scores") or {})
        for source, values in by_source.items():
            # A source without any is told where candidates are compared.
            for value in values or ():
                if not is_within(value, low, high):
                    message = f"{source} score {value!r:.60} in candidate {index}"
                    raise BadRecord(
                        str(path), number, message, f"{limits}, or another --score-scale: {others}"
                    )
            by_source[source] = None if values is None else [probability(value) for value in values]
        found.append(by_source)
    return found


def _scores_of(
    path: Path,
    number: int,
    name: str,
    candidate: Mapping[str, Any],
    own: Mapping[str, Any],
    extra: Mapping[str, Scores],
) -> dict[str, list[float]]:
    """What further sources say of a candidate's steps.

    Raises BadRecord where scores and steps cannot be of the same solution: another sampling run has the same ids. Of
    its own scores a line may hold fewer, as for a solution that is judged by its end.
    """
    steps = candidate.get("steps")
    count = len(steps) if isinstance(steps, list) else None
    for source, values in own.items():
        if values is not None and count is not None and len(values) > count:
            found = f"{len(values)} {source} scores for {count} steps of {name}"
            raise BadRecord(str(path), number, found, "at most one for each")
    scores: dict[str, list[float]] = {}
    for source, by_id in extra.items():
        given = by_id.get(name)
        if given is None:
            raise BadRecord(str(path), number, f"no scores for {name}", "scores for each candidate")
        if count is not None and len(given) != count:
            found = f"{len(given)} {source} for {count} steps of {name}"
            raise BadRecord(str(path), number, found, "one for each")
        scores[source] = known_scores(given)
    return scores


def _by_source(path: Path, number: int, by_candidate: list[dict[str, Any]]) -> dict[str, list[list[float]]]:
    """Step scores by source, of each candidate in order."""
    scores: dict[str, list[list[float]]] = {source: [] for found in by_candidate for source in found}
    for index, found in enumerate(by_candidate):
        for source in scores:
            values = found.get(source)
            if values is None:
                message = f"no {source} scores in candidate {index}"
                raise BadRecord(str(path), number, message, "them in each candidate or in none")
            scores[source].append([float(value) for value in values])
    return scores


def group_answers(
    answers: Sequence[str | None], equivalent: Callable[[str, str], bool] = is_equivalent
) -> list[int]:
    """A class per answer (-1 for none): equal strings first, then the grader's word against each class."""
    groups: dict[str, int] = {}
    kinds: list[str] = []
    found = []
    for answer in answers:
        text = str(answer).strip() if answer is not None else ""
        if not text:
            found.append(-1)
            continue
        if text not in groups:
            match = next((kind for kind, other in enumerate(kinds) if equivalent(text, other)), None)
            groups[text] = len(kinds) if match is None else match
            if match is None:
                kinds.append(text)
        found.append(groups[text])
    return found


def read_scores(path: Path) -> dict[str, list[float | None]]:
    """The lines of `python -m ml score` by id. Raises BadRecord for a line that is none, or an id twice."""
    found: dict[str, list[float | None]] = {}
    for number, name, scores in lines_by_id(path, "scores", "the output of python -m ml score"):
        if not all(score is None or is_within(score, 0.0, 1.0) for score in scores):
            raise BadRecord(str(path), number, f"scores {scores!r}", "numbers in [0, 1] or null")
        found[name] = scores
    return found


def known_scores(scores: Iterable[float | None]) -> list[float]:
    """The scores without the steps that have none, which lay beyond a model's context: a solution is judged by the
    steps that were read, and one without any counts as 0."""
    return [score for score in scores if score is not None]


def unscored(pools: Iterable[Pool], found: Scores) -> dict[str, int]:
    """How many steps of the pools' solutions have no score, of how many solutions, and how many have none at all."""
    names = [f"{pool.id}/{index}" for pool in pools for index in range(len(pool.right))]
    # Nobody could score an empty sample, which has no line.
    chosen = [found[name] for name in names if name in found]
    missing = [sum(score is None for score in scores) for scores in chosen]
    return {
        "unscored_steps": sum(missing),
        "solutions_with_unscored_steps": sum(count > 0 for count in missing),
        "solutions_without_scores": sum(
            count == len(scores) for count, scores in zip(missing, chosen, strict=True)
        ),
    }
