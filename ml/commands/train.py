"""`python -m ml train`: a process reward model from a snapshot."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ml.bounds import WHOLE
from ml.commands import rule_options
from ml.commands.once import OnceParser
from ml.commands.train_options import (
    TARGET_TOKENS,
    label_arguments,
    loop_arguments,
    objective_arguments,
    unescaped,
    usual_learning_rate,
)
from ml.commands.train_refusals import refuse_contradictions
from ml.errors import NotAvailable
from ml.progress import print_result
from ml.targets.rules import CHOICES
from ml.training_choices import OBJECTIVES

if TYPE_CHECKING:
    from ml.prm.second_opinion import SecondOpinion


def parser(kind: type[argparse.ArgumentParser] = OnceParser) -> argparse.ArgumentParser:
    """The command's arguments, as a parser of this kind."""
    arguments = kind(prog="python -m ml train", description=__doc__)
    arguments.add_argument(
        "--snapshot",
        required=True,
        action="append",
        type=Path,
        metavar="DIR",
        help="folder that `python -m ml snapshot` or `manage.py export_snapshot` wrote; may be given again, to train"
        " on several together",
    )
    arguments.add_argument(
        "--manifest",
        action="append",
        type=Path,
        metavar="FILE",
        help="manifest to read instead of the folder's own, of a snapshot of the same content; with several snapshots,"
        " one for each in their order",
    )
    arguments.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder for the checkpoint")
    arguments.add_argument(
        "--labels",
        choices=CHOICES["labels"],
        help="whose labels to train on (default: those the snapshot was frozen with)",
    )
    arguments.add_argument(
        "--objective", default="classifier", help=f"{', '.join(OBJECTIVES)} (default: %(default)s)"
    )
    arguments.add_argument(
        "--base",
        default="pocket",
        help="model to start from: pocket (for other texts than the pocket family's: small, and it says so),"
        " pocket-reader, pocket-tall-reader, small (random weights, any text), or a model's folder (default:"
        " %(default)s)",
    )
    arguments.add_argument("--from-scratch", action="store_true", help="give a pocket base random weights")
    arguments.add_argument(
        "--extra-layers",
        type=WHOLE,
        metavar="N",
        help="fresh layers on top of given weights (default: 2 for pocket bases, 0 for others)",
    )
    arguments.add_argument("--seed", type=WHOLE, default=0, help="seed of all draws (default: %(default)s)")
    label_arguments(
        arguments.add_argument_group(
            "labels (default: as frozen; any of these decides them anew, and the rest by their defaults)"
        )
    )
    objective_arguments(arguments.add_argument_group("objective"))
    loop_arguments(arguments.add_argument_group("training"))
    return arguments


def main(argv: list[str]) -> int:
    """Train; the result is the card, without its long parts."""
    options = parser().parse_args(argv)
    if options.objective not in OBJECTIVES:
        raise NotAvailable(f"objective {options.objective!r}, expected one of {', '.join(OBJECTIVES)}")
    # torch takes seconds to load: only once the arguments are known to be good.
    from ml.prm.distributed import speaks
    from ml.prm.run import run_training, settle_process
    from ml.prm.train import Terminated

    settle_process(options.threads)
    try:
        card = run_training(request_from(options))
    except Terminated as stop:
        if speaks():
            print(f"python -m ml train: {stop}", file=sys.stderr)
        return stop.status
    if not speaks():
        return 0
    wanted = ("objective", "snapshot", "label_rule", "base", "seed", "counts", "metrics", "seconds")
    told = {name: card.get(name) for name in wanted}
    print_result({"checkpoint": str(options.out), **told, "learning_rate": card["config"]["learning_rate"]})
    return 0


def _outcome_tokens(options: argparse.Namespace) -> str:
    """What was asked for, or every token where that may be: in a problem's tree a token stands once for several
    solutions, and the likelihood head's products are of whole steps."""
    if options.outcome_tokens or options.objective != "outcome":
        return options.outcome_tokens or "last"
    return "last" if options.head == "likelihood" or options.trees == "problem" else "all"


def request_from(options: argparse.Namespace) -> Any:
    """The arguments as a `ml.prm.request.Request`: what is not said here goes into the field of the same name."""
    from ml.devices import chosen_device
    from ml.prm.examples import ExampleSettings
    from ml.prm.request import OUTPUTS, Request
    from ml.prm.training_settings import TrainingSettings

    refuse_contradictions(options, parser().get_default)
    outputs = options.classes if options.objective == "classifier" else OUTPUTS[options.objective]
    examples = _alike(ExampleSettings, options) | {
        "outputs": outputs,
        "outcome_tokens": _outcome_tokens(options),
        "alternatives": not options.no_alternatives,
        "final_pairs": not options.no_final_pairs,
    }
    training = _alike(TrainingSettings, options) | {
        # Found when a run begins, like the weight of the words.
        "steps": 0,
        "language_weight": 0.0,
        "learning_rate": _learning_rate(options),
        "class_weights": tuple(options.class_weights) if options.class_weights else None,
        "bfloat16": options.bf16,
        "validate_every": options.validate_every or 0,
    }
    others = {
        "snapshot": options.snapshot[0],
        "more_snapshots": tuple(options.snapshot[1:]),
        "manifests": tuple(options.manifest or ()),
        "asked": rule_options.asked(options),
        "second_opinion": _second_opinion(options),
        "target_tokens": _target_tokens(options, outputs),
        "lora_rank": options.lora,
        "lora_targets": tuple(options.lora_targets or ()),
        "separator": unescaped("separator", options.separator),
        "problem_end": unescaped("problem-end", options.problem_end),
        "is_compiled": options.compile,
        "is_packed": not options.unpacked,
        "device": chosen_device(options.device),
        "is_sharded": options.shard,
    }
    settings = {"examples": ExampleSettings(**examples), "training": TrainingSettings(**training)}
    return Request(**_alike(Request, options) | others | settings)


def _alike(kind: Any, options: argparse.Namespace) -> dict[str, Any]:
    """The options that are called as a field is."""
    return {name: getattr(options, name) for name in kind.__dataclass_fields__ if hasattr(options, name)}


def _learning_rate(options: argparse.Namespace) -> float:
    if options.learning_rate is not None:
        return float(options.learning_rate)
    return usual_learning_rate(options.base, options.lora)


def _second_opinion(options: argparse.Namespace) -> SecondOpinion | None:
    from ml.prm.second_opinion import SecondOpinion

    if options.second_opinion is None:
        return None
    given = {name: getattr(options, f"second_opinion_{name}") for name in ("sure", "doubtful")}
    given = {name: value for name, value in given.items() if value is not None}
    return SecondOpinion(options.second_opinion, **given)


def _target_tokens(options: argparse.Namespace, outputs: int) -> tuple[str, ...]:
    if options.head != "tokens":
        return ()
    return tuple(options.target_tokens or TARGET_TOKENS[:outputs])
