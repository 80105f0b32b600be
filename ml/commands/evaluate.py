"""`python -m ml evaluate`: measure scores on the first mistake or by choosing among n solutions, and critiques."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ml.commands import format_option
from ml.commands.once import OnceParser
from ml.commands.ranges import finite, not_negative, positive
from ml.errors import MisstepError
from ml.evaluation.best_of_n import sizes_of, table
from ml.evaluation.critiques import critique_report, read_critiques
from ml.evaluation.first_mistake import best_threshold, first_mistake_report, metric
from ml.evaluation.judged import Judged, JudgedSolution, joined
from ml.evaluation.most_likely import MostLikely
from ml.evaluation.pools import SCALES, known_scores, read_pools, read_scores, unscored
from ml.evaluation.rules import (
    OTHER_HALF,
    Rule,
    by_chance,
    by_threshold,
    cross_fitted,
    judged_by,
)
from ml.evaluation.step_curves import step_report
from ml.evaluation.truths import NoTruth, truths
from ml.formats import format_of, read
from ml.progress import Progress, print_result
from ml.snapshot import read_problem_hashes

# Where all problems fall into one half there is nothing to fit a rule on.
NO_FIGURES: dict[str, Any] = dict.fromkeys(metric([], []))


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    arguments = OnceParser(prog="python -m ml evaluate", description=__doc__)
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
    return {
        "solutions": options.solutions.name,
        **first_mistake_report(judged.scores, judged.truths, threshold),
        "threshold_chosen_on": chosen_on,
        "held_out": _held_out(judged),
        "most_likely": _most_likely(judged, other, options.threshold_solutions),
        **_unseen(options.training_problems, judged),
        **_counts(judged.left_out),
        "steps": step_report(judged.scores, judged.truths),
    }


def _held_out(judged: Judged) -> dict[str, Any]:
    """ProcessBench's figures with the threshold from other problems."""
    figures = cross_fitted(judged, by_threshold)
    return {"threshold_chosen_on": figures and OTHER_HALF, **(figures or NO_FIGURES)}


def _most_likely(judged: Judged, other: Judged | None, other_file: Path | None) -> dict[str, Any]:
    """The rule without a threshold; the same with the share of wrong answers, and with each answer, where known."""

    def figures(rule: Rule, rows: Sequence[JudgedSolution]) -> dict[str, Any] | None:
        return judged_by(rule(other), rows) if other else cross_fitted(judged, rule, rows)

    alone, known = figures(by_chance(lambda likely, _: 1.0), judged.rows), judged.with_known_answer()
    told: dict[str, Any] = {
        "calibrated_on": other_file.name if other_file else alone and OTHER_HALF,
        **(alone or NO_FIGURES),
        "with_share": None,
        "with_answers": None,
    }
    if known and (other or judged).with_known_answer():
        wrong = sum(not row.is_correct for row in known) / len(known)
        shared = figures(by_chance(lambda likely, _: likely.odds_knowing_share(wrong)), known)
        told["with_share"] = shared and {"wrong_answers": wrong, **shared}
        told["with_answers"] = figures(by_chance(MostLikely.odds_knowing), known)
    return told


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
    """How many solutions are of problems that the model was trained on, and the others' cross-fitted figures."""
    if training_problems is None:
        return {}
    if not training_problems.is_file():
        raise MisstepError(
            f"{training_problems}: no such file, expected a checkpoint's training_problems.txt"
        )
    known = read_problem_hashes(training_problems)
    others = Judged([row for row in judged.rows if row.problem not in known])
    return {
        "of_training_problems": len(judged.rows) - len(others.rows),
        "unseen": _held_out(others) | {"count": len(others.rows)},
    }


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
