"""The options of `python -m ml evaluate`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ml.bounds import ABOVE_ZERO, FINITE, WHOLE
from ml.commands import format_option
from ml.commands.once import OnceParser
from ml.evaluation.pools import SCALES

DESCRIPTION = "Measure scores on the first mistake or by choosing among n solutions, and critiques."


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    arguments = OnceParser(prog="python -m ml evaluate", description=DESCRIPTION)
    kinds = arguments.add_subparsers(dest="kind", required=True)
    first = kinds.add_parser("first-mistake", help="ProcessBench's metric against people's labels")
    _file_argument(
        first,
        "--scores",
        "scores of the solutions' steps, as `python -m ml score` writes them",
        is_required=True,
    )
    _solutions_argument(first)
    first.add_argument(
        "--threshold",
        type=FINITE,
        help="score below which a step counts as wrong (default: the best one for these"
        " solutions, or for --threshold-solutions)",
    )
    told = "labelled solutions on which the threshold is chosen and scores are calibrated"
    _file_argument(first, "--threshold-solutions", told)
    told = "scores of the steps of --threshold-solutions, as `python -m ml score` writes them"
    _file_argument(first, "--threshold-scores", told)
    format_option.add_to(first, "--threshold-format", "--threshold-solutions")
    _training_problems_argument(first, "solutions of other problems are also measured by themselves")
    told = "JSON Lines to write: what was said of each solution, for `evaluate difference`"
    _file_argument(first, "--out", told)
    pair = kinds.add_parser("difference", help="two models on the same solutions, with intervals")
    for name in ("--first", "--second"):
        told = "outcomes of a model on labelled solutions, as --out of `evaluate first-mistake` writes them"
        _file_argument(pair, name, told, is_required=True)
    critiques = kinds.add_parser("critiques", help="the same metric for the majority of written critiques")
    told = 'critiques of the solutions: JSON Lines {"id", "critiques": [...]}'
    _file_argument(critiques, "--critiques", told, is_required=True)
    _solutions_argument(critiques)
    pool = kinds.add_parser("best-of-n", help="all aggregations, votes, majority, pass@1 and oracle")
    told = "several solutions of each problem, as `python -m ml sample` writes them"
    _file_argument(pool, "--pool", told, is_required=True)
    told = (
        "scores of their steps, by id <problem id>/<index> (default: `step_scores` of the pool's own lines)"
    )
    _file_argument(pool, "--scores", told)
    told = (
        "scores of another model, judged beside it: how much more often the first chooses right, by each rule"
    )
    _file_argument(pool, "--second-scores", told)
    told = "its problems are left out and counted; again for another model's"
    _training_problems_argument(pool, told, action="append")
    pool.add_argument(
        "--score-scale",
        choices=SCALES,
        default="probability",
        help="scale of the scores in the pool's own lines: logit goes through a sigmoid, tanh is (1 + score) / 2"
        " (default: %(default)s)",
    )
    pool.add_argument(
        "--subsamples",
        type=ABOVE_ZERO,
        default=32,
        help="draws of n solutions for each n below the pool's size (default: %(default)s)",
    )
    pool.add_argument("--seed", type=WHOLE, default=0, help="seed of these draws (default: %(default)s)")
    return arguments


def _file_argument(group: Any, name: str, told: str, is_required: bool = False, **further: Any) -> None:
    group.add_argument(name, required=is_required, type=Path, metavar="FILE", help=told, **further)


def _training_problems_argument(group: Any, told: str, **further: Any) -> None:
    _file_argument(group, "--training-problems", f"a checkpoint's training_problems.txt: {told}", **further)


def _solutions_argument(group: Any) -> None:
    _file_argument(group, "--solutions", "labelled solutions", is_required=True)
    format_option.add_to(group)
