"""`python -m ml evaluate`: measure scores on the first mistake or by choosing among n solutions, and critiques."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ml.commands import format_option
from ml.commands.ranges import finite, not_negative, positive
from ml.errors import MisstepError
from ml.evaluation.best_of_n import sizes_of, table
from ml.evaluation.critiques import critique_report, read_critiques
from ml.evaluation.first_mistake import best_threshold, first_mistake_report, predict
from ml.evaluation.first_mistake_figures import figures, held_out, most_likely, unseen
from ml.evaluation.judged import Judged, joined
from ml.evaluation.pools import SCALES, known_scores, read_pools, read_scores, unscored
from ml.evaluation.step_curves import step_report
from ml.evaluation.truths import NoTruth, truths
from ml.formats import format_of, read
from ml.progress import Progress, print_result
from ml.snapshot import read_problem_hashes


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    arguments = argparse.ArgumentParser(prog="python -m ml evaluate", description=__doc__)
    kinds = arguments.add_subparsers(dest="kind", required=True)
    first = kinds.add_parser("first-mistake", help="ProcessBench's metric against people's labels")
    _scores_argument(first, "scores of the solutions' steps, as `python -m ml score` writes them")
    _solutions_argument(first)
    first.add_argument(
        "--threshold",
        type=finite,
        help="score below which a step counts as wrong (default: the best one for these solutions)",
    )
    first.add_argument(
        "--threshold-solutions",
        type=Path,
        metavar="FILE",
        help="labelled solutions on which the threshold is chosen and scores are calibrated",
    )
    first.add_argument(
        "--threshold-scores",
        type=Path,
        metavar="FILE",
        help="scores of the steps of --threshold-solutions, as `python -m ml score` writes them",
    )
    format_option.add_to(first, "--threshold-format", "--threshold-solutions")
    first.add_argument(
        "--training-problems",
        type=Path,
        metavar="FILE",
        help="a checkpoint's training_problems.txt: solutions of other problems are also measured by themselves",
    )
    critiques = kinds.add_parser("critiques", help="the same metric for the majority of written critiques")
    critiques.add_argument(
        "--critiques",
        required=True,
        type=Path,
        metavar="FILE",
        help='critiques of the solutions: JSON Lines {"id", "critiques": [...]}',
    )
    _solutions_argument(critiques)
    pool = kinds.add_parser("best-of-n", help="all aggregations, votes, majority, pass@1 and oracle")
    pool.add_argument(
        "--pool",
        required=True,
        type=Path,
        metavar="FILE",
        help="several solutions of each problem, as `python -m ml sample` writes them",
    )
    told = (
        "scores of their steps, by id <problem id>/<index> (default: `step_scores` of the pool's own lines)"
    )
    _scores_argument(pool, told, is_required=False)
    pool.add_argument(
        "--score-scale",
        choices=SCALES,
        default="probability",
        help="scale of the scores in the pool's own lines: logit goes through a sigmoid, tanh is (1 + score) / 2"
        " (default: %(default)s)",
    )
    pool.add_argument(
        "--subsamples",
        type=positive,
        default=32,
        help="draws of n solutions for each n below the pool's size (default: %(default)s)",
    )
    pool.add_argument(
        "--seed", type=not_negative, default=0, help="seed of these draws (default: %(default)s)"
    )
    return arguments


def _scores_argument(group: Any, told: str, is_required: bool = True) -> None:
    group.add_argument("--scores", required=is_required, type=Path, metavar="FILE", help=told)


def _solutions_argument(group: Any) -> None:
    group.add_argument("--solutions", required=True, type=Path, metavar="FILE", help="labelled solutions")
    format_option.add_to(group)


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
    judged = joined(options.solutions, options.format, options.scores)
    other = None
    if options.threshold_solutions is not None:
        other = joined(options.threshold_solutions, options.threshold_format, options.threshold_scores)
    threshold, chosen_on = options.threshold, "given"
    if threshold is None and other is not None:
        threshold, chosen_on = best_threshold(other.scores, other.truths), options.threshold_solutions.name
    elif threshold is None:
        chosen_on = f"{options.solutions.name} itself"
    report = first_mistake_report(judged.scores, judged.truths, threshold)
    return {
        "solutions": options.solutions.name,
        **report,
        **figures([predict(values, report["threshold"]) for values in judged.scores], judged.rows),
        "threshold_chosen_on": chosen_on,
        "held_out": held_out(judged),
        "most_likely": most_likely(
            judged, other, options.threshold_solutions and options.threshold_solutions.name
        ),
        **_unseen(options.training_problems, judged),
        **_counts(judged.left_out),
        "steps": step_report(judged.scores, judged.truths),
    }


def _critiques(options: argparse.Namespace) -> dict[str, Any]:
    by_id = read_critiques(options.critiques)
    critiques, known, left_out, found = [], [], Counter[NoTruth](), 0
    read_all = read(options.solutions, format_of(options.solutions, options.format))
    for solution, truth in truths(read_all):
        if isinstance(truth, NoTruth):
            left_out[truth] += 1
            continue
        found += solution.id in by_id
        # A solution that no critique was written of counts as wrong and is never dropped.
        critiques.append(by_id.get(solution.id, []))
        known.append(truth)
    if not found:
        raise MisstepError(
            f"{options.critiques}: none of its ids is a labelled solution of {options.solutions}, expected the same"
        )
    report = critique_report(critiques, known)
    return {"solutions": options.solutions.name, **report, **_counts(left_out)}


def _counts(left_out: Mapping[NoTruth, int]) -> dict[str, int]:
    """How many solutions were left out, for each reason that there is."""
    return {str(reason): left_out.get(reason, 0) for reason in NoTruth}


def _unseen(training_problems: Path | None, judged: Judged) -> dict[str, Any]:
    """Figures without the problems that the model was trained on, where a file names those."""
    return {} if training_problems is None else unseen(judged, _named_problems(training_problems))


def _named_problems(path: Path) -> frozenset[str]:
    if not path.is_file():
        raise MisstepError(f"{path}: no such file, expected a checkpoint's training_problems.txt")
    return read_problem_hashes(path)


def _best_of_n(options: argparse.Namespace) -> dict[str, Any]:
    found = None if options.scores is None else read_scores(options.scores)
    progress, pools = Progress("problems read"), []
    for pool in read_pools(
        options.pool, None if found is None else known_scores(found), scale=options.score_scale
    ):
        pools.append(pool)
        progress.report(len(pools))
    progress.finish(len(pools))
    if not pools:
        raise MisstepError(f"{options.pool}: no problems, expected one a line")
    return {
        "pool": options.pool.name,
        "problems": len(pools),
        "candidates": sum(len(pool.right) for pool in pools),
        **({} if found is None else unscored(pools, found)),
        "rows": table(pools, sizes_of(pools), options.subsamples, seed=options.seed),
    }
