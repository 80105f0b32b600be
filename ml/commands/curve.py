"""`python -m ml curve`: learning curves on a snapshot, and what one more human label is worth in rollouts.

Trains a model on each nested sample of labelled solutions, and judges all of them on held-out problems against people's
labels. Options that are not listed here are those of `python -m ml train`, and are passed on to every training.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from ml.bounds import ABOVE_ZERO
from ml.commands import train
from ml.commands.once import OnceParser
from ml.errors import MisstepError
from ml.progress import print_result
from ml.targets.rules import CHOICES
from ml.training_choices import NAMED_BASES, OBJECTIVES

SPLITS = ("validation", "test")
LABELS, SIZES = ("human", "automatic"), (50, 100, 200, 400)
# Of `train`, what a curve decides itself, or what makes no sense for many small models.
NOT_PASSED_ON = ("steps", "limit", "shard", "keep_state", "validate_every", "validation_limit")
# Where the work is done, and what a point is named by, change no setting of a curve.
NO_SETTINGS = (
    "snapshot",
    "out",
    "labels",
    "seed",
    "threads",
    "device",
    "save_every",
    "gradient_checkpointing",
    "tokens_per_row",
    "compile",
    *NOT_PASSED_ON,
)


def parser() -> argparse.ArgumentParser:
    """The command's own arguments."""
    arguments = OnceParser(
        prog="python -m ml curve",
        description=__doc__,
        allow_abbrev=False,
        epilog="not passed on: " + ", ".join(f"--{name.replace('_', '-')}" for name in NOT_PASSED_ON),
    )
    arguments.add_argument(
        "--snapshot",
        required=True,
        action="append",
        type=Path,
        metavar="DIR",
        help="folder that `python -m ml snapshot` or `manage.py export_snapshot` wrote; may be given again, for a curve"
        " of several together",
    )
    arguments.add_argument(
        "--labels",
        nargs="+",
        choices=CHOICES["labels"],
        help="whose labels, a curve for each (default: human automatic)",
    )
    arguments.add_argument(
        "--sizes",
        nargs="+",
        type=ABOVE_ZERO,
        metavar="N",
        help="labelled solutions to train on; sizes beyond what the snapshot has are left out"
        " (default: 50 100 200 400)",
    )
    arguments.add_argument(
        "--seeds",
        type=ABOVE_ZERO,
        default=3,
        metavar="N",
        help="models for each size, with samples of their own; `train`'s --seed is the first one's seed"
        " (default: %(default)s)",
    )
    arguments.add_argument(
        "--splits",
        nargs="+",
        choices=SPLITS,
        help="held-out splits to measure on (default: validation test)",
    )
    arguments.add_argument(
        "--out",
        required=True,
        type=Path,
        metavar="DIR",
        help="folder for points.jsonl, curve.json, curve.md and plots; the same command goes on where it was stopped",
    )
    return arguments


def main(argv: list[str]) -> int:
    """Measure what is missing; the table goes to stderr, the curves to stdout."""
    own, rest = parser().parse_known_args(argv)
    options = _training_options(own, rest)
    # torch takes seconds to load: only once the arguments are known to be good.
    from ml.prm.curve import Plan, measure_curve
    from ml.prm.run import settle_process
    from ml.prm.train import Terminated

    settle_process(options.threads)
    labels, splits = list(dict.fromkeys(own.labels or LABELS)), sorted(set(own.splits or SPLITS))
    plan = Plan(labels, own.sizes or SIZES, own.seeds, splits)
    try:
        folder = measure_curve(train.request_from(options), plan, _settings(options, splits))
    except Terminated as stop:
        print(f"python -m ml curve: {stop}", file=sys.stderr)
        return stop.status
    body = folder.finish()
    print(folder.report(), file=sys.stderr, flush=True)
    print_result(
        {"out": str(own.out), **{name: body[name] for name in ("available", "left_out", "curves", "worth")}}
    )
    return 0


def _training_options(own: argparse.Namespace, rest: list[str]) -> argparse.Namespace:
    """What every training has in common. Raises MisstepError for options that a curve has no place for."""
    training = train.parser()
    training.prog = "python -m ml curve"
    snapshots = [word for folder in own.snapshot for word in ("--snapshot", str(folder))]
    options = training.parse_args([*snapshots, "--out", str(own.out), *rest])
    if options.objective not in OBJECTIVES:
        raise MisstepError(f"objective {options.objective!r}, expected one of {', '.join(OBJECTIVES)}")
    for name in NOT_PASSED_ON:
        if getattr(options, name) not in (None, False):
            told = ": updates grow with the data, by --epochs" if name == "steps" else ""
            raise MisstepError(f"--{name.replace('_', '-')} with curve, expected it left out{told}")
    return options


def _settings(options: argparse.Namespace, splits: list[str]) -> dict[str, Any]:
    """What decides a point beside its labels, size and seed, where it is not as usual, as JSON has it."""
    usual = train.parser().get_default
    given = {name: value for name, value in vars(options).items() if name not in NO_SETTINGS}
    settings = {"splits": splits, **{name: value for name, value in given.items() if value != usual(name)}}
    settings |= _contents(options)
    found: dict[str, Any] = json.loads(json.dumps(settings, default=str))
    return found


def _contents(options: argparse.Namespace) -> dict[str, Any]:
    """What stands behind the folders that options name: a path stays when that changes."""
    from ml.prm.finished_training import told_of_base
    from ml.prm.second_opinion import SecondOpinion

    found = {} if options.base in NAMED_BASES else {"base_holds": told_of_base(options.base)}
    if options.second_opinion is not None:
        found["second_opinion_holds"] = SecondOpinion(options.second_opinion).on_card()["manifest_sha256"]
    return found
