"""`python -m ml evaluate`: measure scores on the first mistake or by choosing among n solutions, and critiques."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ml.errors import MisstepError
from ml.evaluation.best_of_n import table
from ml.evaluation.critiques import critique_report, read_critiques
from ml.evaluation.first_mistake import best_threshold, first_mistake_report, metric, predict
from ml.evaluation.pools import read_pools, read_scores
from ml.evaluation.step_curves import step_report
from ml.formats import FORMATS, guess, read
from ml.progress import Progress, print_result
from ml.records import Annotation, FinishReason, LabelledSolution
from ml.snapshot import problem_hash, read_problem_hashes

SINGLE_SCORES = list[float | None]


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    arguments = argparse.ArgumentParser(prog="python -m ml evaluate", description=__doc__)
    kinds = arguments.add_subparsers(dest="kind", required=True)
    first = kinds.add_parser("first-mistake", help="ProcessBench's metric against people's labels")
    first.add_argument("--scores", required=True, type=Path, metavar="FILE")
    first.add_argument("--solutions", required=True, type=Path, metavar="FILE")
    first.add_argument("--format", choices=FORMATS)
    first.add_argument("--threshold", type=float, help="a step scored below it is wrong")
    first.add_argument(
        "--threshold-solutions", type=Path, metavar="FILE", help="choose the threshold on these"
    )
    first.add_argument("--threshold-scores", type=Path, metavar="FILE", help="and their scores")
    first.add_argument("--threshold-format", choices=FORMATS)
    first.add_argument(
        "--training-problems",
        type=Path,
        metavar="FILE",
        help="a checkpoint's training_problems.txt: solutions of other problems are measured by themselves too",
    )
    critiques = kinds.add_parser("critiques", help="the same metric for the majority of written critiques")
    critiques.add_argument(
        "--critiques", required=True, type=Path, metavar="FILE", help='lines {"id", "critiques": [...]}'
    )
    critiques.add_argument("--solutions", required=True, type=Path, metavar="FILE")
    critiques.add_argument("--format", choices=FORMATS)
    pool = kinds.add_parser("best-of-n", help="all aggregations, votes, majority, pass@1 and oracle")
    pool.add_argument("--pool", required=True, type=Path, metavar="FILE")
    pool.add_argument("--scores", type=Path, metavar="FILE", help="by id <problem id>/<index>")
    pool.add_argument("--subsamples", type=int, default=32, help="per n below the pool's size")
    pool.add_argument("--seed", type=int, default=0)
    return arguments


def main(argv: list[str]) -> int:
    """Print one JSON object with the figures."""
    options = parser().parse_args(argv)
    kinds = {"first-mistake": _first_mistake, "critiques": _critiques, "best-of-n": _best_of_n}
    print_result(kinds[options.kind](options))
    return 0


def _first_mistake(options: argparse.Namespace) -> dict[str, Any]:
    if options.threshold_solutions is not None and options.threshold_scores is None:
        raise MisstepError("--threshold-solutions without --threshold-scores, expected both")
    if options.threshold_scores is not None and options.threshold_solutions is None:
        raise MisstepError("--threshold-scores without --threshold-solutions, expected both")
    scores, truths, problems, unlabelled = _joined(options.solutions, options.format, options.scores)
    threshold, chosen_on = options.threshold, "given"
    if threshold is None and options.threshold_solutions is not None:
        other = _joined(options.threshold_solutions, options.threshold_format, options.threshold_scores)
        threshold, chosen_on = best_threshold(other[0], other[1]), options.threshold_solutions.name
    elif threshold is None:
        chosen_on = f"{options.solutions.name} itself"
    report = first_mistake_report(scores, truths, threshold)
    return {
        "solutions": options.solutions.name,
        **report,
        "threshold_chosen_on": chosen_on,
        "held_out": _cross_fitted(scores, truths, problems),
        **_unseen(options.training_problems, scores, truths, problems),
        "without_label": unlabelled,
        "steps": step_report(scores, truths),
    }


def _critiques(options: argparse.Namespace) -> dict[str, Any]:
    by_id = read_critiques(options.critiques)
    critiques, truths, unlabelled, found = [], [], 0, 0
    for labelled in read(options.solutions, _format_of(options.solutions, options.format)):
        verdict = _verdict(labelled)
        if verdict is None:
            unlabelled += 1
            continue
        found += labelled.solution.id in by_id
        # A solution that no critique was written of counts as wrong and is never dropped.
        critiques.append(by_id.get(labelled.solution.id, []))
        truths.append(verdict.first_mistake)
    if not found:
        raise MisstepError(
            f"{options.critiques}: none of its ids is a labelled solution of {options.solutions}, expected the same"
        )
    report = critique_report(critiques, truths)
    return {"solutions": options.solutions.name, **report, "without_label": unlabelled}


def _verdict(labelled: LabelledSolution) -> Annotation | None:
    """A look that knows the first mistake, or that there is none.

    One that broke off, or that breaks a label rule, names no mistake either, but does not mean that there is none.
    """
    said = labelled.annotation
    if said is None or labelled.broken_rule or not labelled.solution.steps:
        return None
    return said if said.finish_reason in (FinishReason.FOUND_ERROR, FinishReason.SOLUTION) else None


def _format_of(solutions: Path, format: str | None) -> str:
    kind = format or guess(solutions)
    if kind is None:
        raise MisstepError(f"{solutions}: its format is not known, expected --format")
    return kind


def _cross_fitted(
    scores: list[SINGLE_SCORES], truths: list[int | None], problems: list[str]
) -> dict[str, Any]:
    """Each half of the problems (by hash) judged with the threshold chosen on the other half.

    Null figures where all problems fall into one half: there is nothing to choose a threshold on.
    """
    # The hash's last decimal digit decides the split, so that by it a whole split could fall into one half.
    halves = [int(name, 16) // 10 % 2 for name in problems]
    if len(set(halves)) < 2:
        return dict.fromkeys(["threshold_chosen_on", *metric([], [])])
    thresholds = [
        best_threshold(
            [s for s, half in zip(scores, halves, strict=True) if half == own],
            [t for t, half in zip(truths, halves, strict=True) if half == own],
        )
        for own in (0, 1)
    ]
    said = [predict(values, thresholds[1 - half]) for values, half in zip(scores, halves, strict=True)]
    return {"threshold_chosen_on": "the other half of the problems", **metric(said, truths)}


def _unseen(
    training_problems: Path | None,
    scores: list[SINGLE_SCORES],
    truths: list[int | None],
    problems: list[str],
) -> dict[str, Any]:
    """How many solutions are of problems that the model was trained on, and the others' cross-fitted figures."""
    if training_problems is None:
        return {}
    if not training_problems.is_file():
        raise MisstepError(
            f"{training_problems}: no such file, expected a checkpoint's training_problems.txt"
        )
    known = read_problem_hashes(training_problems)
    others = [index for index, name in enumerate(problems) if name not in known]
    figures = _cross_fitted(
        [scores[index] for index in others],
        [truths[index] for index in others],
        [problems[index] for index in others],
    )
    return {
        "of_training_problems": len(problems) - len(others),
        "unseen": figures | {"count": len(others)},
    }


def _joined(
    solutions: Path, format: str | None, scores_path: Path
) -> tuple[list[SINGLE_SCORES], list[int | None], list[str], int]:
    """Scores, first mistakes and problem hashes of the labelled solutions; how many had no label."""
    kind = _format_of(solutions, format)
    by_id = read_scores(scores_path)
    scores: list[SINGLE_SCORES] = []
    truths: list[int | None] = []
    problems: list[str] = []
    unlabelled = found = 0
    for labelled in read(solutions, kind):
        solution, verdict = labelled.solution, _verdict(labelled)
        values = by_id.get(solution.id)
        found += values is not None
        if verdict is None:
            unlabelled += 1
            continue
        if values is not None and len(values) != len(solution.steps):
            raise MisstepError(
                f"record {solution.id}: {len(values)} scores for {len(solution.steps)} steps,"
                " expected one for each"
            )
        # A missing prediction counts as wrong and is never dropped (METHODS of the benchmark).
        scores.append(values if values is not None else [None] * len(solution.steps))
        truths.append(verdict.first_mistake)
        problems.append(problem_hash(solution.problem.text))
    if not found:
        raise MisstepError(f"{scores_path}: none of its ids is in {solutions}, expected the same solutions")
    if not truths:
        raise MisstepError(f"{solutions}: no solution has a label, expected first mistakes to compare with")
    return scores, truths, problems, unlabelled


def _best_of_n(options: argparse.Namespace) -> dict[str, Any]:
    extra = None
    if options.scores is not None:
        extra = {
            name: [score if score is not None else 0.0 for score in scores]
            for name, scores in read_scores(options.scores).items()
        }
    progress, pools = Progress("problems read"), []
    for pool in read_pools(options.pool, extra):
        pools.append(pool)
        progress.report(len(pools))
    if not pools:
        raise MisstepError(f"{options.pool}: no problems, expected one a line")
    largest = min(len(pool.right) for pool in pools)
    sizes = [2**k for k in range(largest.bit_length()) if 2**k <= largest]
    if sizes[-1] != largest:
        sizes.append(largest)
    return {
        "pool": options.pool.name,
        "problems": len(pools),
        "candidates": sum(len(pool.right) for pool in pools),
        "rows": table(pools, sizes, options.subsamples, seed=options.seed),
    }
