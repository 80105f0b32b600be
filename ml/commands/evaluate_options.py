"""The options of `python -m ml evaluate`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ml.commands import format_option
from ml.commands.once import OnceParser
from ml.commands.ranges import finite, not_negative, positive
from ml.evaluation.pools import SCALES

DESCRIPTION = "Measure scores on the first mistake or by choosing among n solutions, and critiques."


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    arguments = OnceParser(prog="python -m ml evaluate", description=DESCRIPTION)
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
    _training_problems_argument(first, "solutions of other problems are also measured by themselves")
    first.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="JSON Lines to write: what was said of each solution, for `evaluate difference`",
    )
    pair = kinds.add_parser("difference", help="two models on the same solutions, with intervals")
    for name in ("--first", "--second"):
        told = "outcomes of a model on labelled solutions, as --out of `evaluate first-mistake` writes them"
        pair.add_argument(name, required=True, type=Path, metavar="FILE", help=told)
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
    _training_problems_argument(pool, "its problems are left out and counted")
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


def _training_problems_argument(group: Any, told: str) -> None:
    told = f"a checkpoint's training_problems.txt: {told}"
    group.add_argument("--training-problems", type=Path, metavar="FILE", help=told)


def _solutions_argument(group: Any) -> None:
    group.add_argument("--solutions", required=True, type=Path, metavar="FILE", help="labelled solutions")
    format_option.add_to(group)
