"""`python -m ml train`: a process reward model from a snapshot."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ml.commands.train_refusals import refuse_contradictions
from ml.errors import MisstepError, NotAvailable
from ml.progress import print_result
from ml.targets.rules import CHOICES

if TYPE_CHECKING:
    from ml.prm.second_opinion import SecondOpinion

OBJECTIVES = ("classifier", "value", "preference", "outcome")
OPTIMIZERS = ("adamw", "muon")
TREES = ("solution", "problem")
HEADS = ("linear", "tokens", "likelihood")
PREFERENCE_OUTPUTS = ("tanh", "raw_then_tanh5")
# Objectives with classes, which alone can be target tokens of a language model.
CLASSIFYING = ("classifier", "outcome")
# The ratings of PRM800K as any vocabulary can say them: negative, positive, neutral.
TARGET_TOKENS = ("-", "+", "0")
# Snapshot's labels that a rule needs evidence for; the frozen ones serve when no option asks for others.
RULE_OPTIONS = ("neutral", "target", "threshold", "label_rule", "after_mistake", "automatic_weight")


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    arguments = argparse.ArgumentParser(prog="python -m ml train", description=__doc__)
    arguments.add_argument("--snapshot", required=True, type=Path, metavar="DIR")
    arguments.add_argument(
        "--manifest",
        type=Path,
        metavar="FILE",
        help="instead of the folder's, of a snapshot of the same content",
    )
    arguments.add_argument("--out", required=True, type=Path, metavar="DIR", help="the checkpoint's folder")
    arguments.add_argument(
        "--labels",
        choices=CHOICES["labels"],
        help="of whom; as the snapshot was frozen where this is not given",
    )
    arguments.add_argument("--objective", default="classifier", help=", ".join(OBJECTIVES))
    arguments.add_argument(
        "--base",
        default="pocket",
        help="pocket (for other texts than the pocket family's: small, and it says so), pocket-reader, small (random"
        " weights, any text), or a model's folder",
    )
    arguments.add_argument("--from-scratch", action="store_true", help="random weights for a pocket base")
    arguments.add_argument(
        "--extra-layers",
        type=int,
        metavar="N",
        help="fresh layers on top of given weights (pocket bases: 2, others: 0)",
    )
    arguments.add_argument("--seed", type=int, default=0)
    _label_arguments(arguments.add_argument_group("labels (asking for any decides the labels anew)"))
    _objective_arguments(arguments.add_argument_group("objective"))
    _loop_arguments(arguments.add_argument_group("training"))
    return arguments


def main(argv: list[str]) -> int:
    """Train; the result is the card, without its long parts."""
    options = parser().parse_args(argv)
    if options.objective not in OBJECTIVES:
        raise NotAvailable(f"objective {options.objective!r}, expected one of {', '.join(OBJECTIVES)}")
    # torch takes seconds to load: only once the arguments are known to be good.
    from ml.prm.run import run_training, settle_process
    from ml.prm.train import EXIT_TERMINATED, Terminated

    settle_process(options.threads)
    try:
        card = run_training(request_from(options))
    except Terminated as stop:
        print(f"python -m ml train: {stop}", file=sys.stderr)
        return EXIT_TERMINATED
    wanted = ("objective", "snapshot", "label_rule", "base", "seed", "counts", "metrics", "seconds")
    print_result({"checkpoint": str(options.out), **{name: card.get(name) for name in wanted}})
    return 0


def request_from(options: argparse.Namespace) -> Any:
    """The arguments as a `ml.prm.request.Request`."""
    from ml.prm.distributed import chosen_device
    from ml.prm.examples import ExampleSettings
    from ml.prm.model import LORA_TARGETS
    from ml.prm.request import OUTPUTS, Request
    from ml.prm.train import TrainingSettings

    refuse_contradictions(options)
    given = {name: getattr(options, name) for name in RULE_OPTIONS if getattr(options, name) is not None}
    if "label_rule" in given:
        given["mixture"] = given.pop("label_rule")
    outputs = options.classes if options.objective == "classifier" else OUTPUTS[options.objective]
    return Request(
        snapshot=options.snapshot,
        out=options.out,
        manifest=options.manifest,
        labels=options.labels,
        asked=given,
        second_opinion=_second_opinion(options),
        base=options.base,
        from_scratch=options.from_scratch,
        extra_layers=options.extra_layers,
        head=options.head,
        language_weight=options.language_weight,
        tolerance=options.tolerance,
        examples=ExampleSettings(
            objective=options.objective,
            outputs=outputs,
            outcome_tokens=options.outcome_tokens,
            alternatives=not options.no_alternatives,
            weighting=options.weighting,
            outcomes=options.outcomes,
        ),
        trees=options.trees,
        target_tokens=_target_tokens(options, outputs),
        training=TrainingSettings(
            objective=options.objective,
            steps=0,
            seed=options.seed,
            learning_rate=options.learning_rate,
            weight_decay=options.weight_decay,
            batch_size=options.batch_size,
            tokens_per_row=options.tokens_per_row,
            smoothing=options.smoothing,
            class_weights=tuple(options.class_weights) if options.class_weights else None,
            bfloat16=options.bf16,
            save_every=options.save_every,
            optimizer=options.optimizer,
            preference_output=options.preference_output,
        ),
        steps=options.steps,
        epochs=options.epochs,
        lora_rank=options.lora,
        lora_targets=tuple(options.lora_targets or LORA_TARGETS),
        maximum_length=options.maximum_length,
        gradient_checkpointing=options.gradient_checkpointing,
        is_compiled=options.compile,
        is_packed=not options.unpacked,
        limit=options.limit,
        device=chosen_device(options.device),
        is_sharded=options.shard,
        keep_state=options.keep_state,
    )


def _second_opinion(options: argparse.Namespace) -> SecondOpinion | None:
    """Raises MisstepError for thresholds of an opinion that nobody is asked for."""
    from ml.prm.second_opinion import SecondOpinion

    given = {name: getattr(options, f"second_opinion_{name}") for name in ("sure", "doubtful")}
    given = {name: value for name, value in given.items() if value is not None}
    if options.second_opinion is None:
        if given:
            raise MisstepError(f"--second-opinion-{next(iter(given))}, expected --second-opinion with it")
        return None
    return SecondOpinion(options.second_opinion, **given)


def _target_tokens(options: argparse.Namespace, outputs: int) -> tuple[str, ...]:
    if options.target_tokens and options.head != "tokens":
        raise MisstepError("--target-tokens without --head tokens, expected both")
    if options.head != "tokens":
        return ()
    return tuple(options.target_tokens or TARGET_TOKENS[:outputs])


def _label_arguments(group: Any) -> None:
    group.add_argument("--label-rule", choices=CHOICES["mixture"], help="how people and rollouts are mixed")
    group.add_argument("--neutral", choices=CHOICES["neutral"], help="what a rating of 0 counts as")
    group.add_argument("--target", choices=CHOICES["target"], help="what rollouts give")
    group.add_argument(
        "--threshold", type=float, help="hard: right when the share of right rollouts is above"
    )
    group.add_argument(
        "--after-mistake", choices=CHOICES["after_mistake"], help="labels behind the first one"
    )
    group.add_argument("--automatic-weight", type=float, help="annotators that the search counts for")
    group.add_argument(
        "--second-opinion",
        type=Path,
        metavar="CHECKPOINT",
        help="leave out what rollouts said of a solution where this classifier cannot believe it",
    )
    group.add_argument(
        "--second-opinion-sure", type=float, help="score above which a named mistake is not believed"
    )
    group.add_argument(
        "--second-opinion-doubtful", type=float, help="score below which a right step is not believed"
    )


def _objective_arguments(group: Any) -> None:
    group.add_argument("--classes", type=int, choices=(2, 3), default=2, help="3: neutral is its own")
    group.add_argument(
        "--class-weights", type=float, nargs="+", metavar="W", help="negative positive [neutral]"
    )
    group.add_argument(
        "--head",
        choices=HEADS,
        default="linear",
        help="of the language model's own: tokens at the target tokens (classifier and outcome), likelihood at the"
        " tokens that came (the same two)",
    )
    group.add_argument(
        "--target-tokens",
        nargs="+",
        metavar="TEXT",
        help=f"negative positive [neutral], one token each; {' '.join(TARGET_TOKENS)}",
    )
    group.add_argument("--smoothing", type=float, default=0.0, help="label smoothing")
    group.add_argument("--outcome-tokens", choices=("last", "all"), default="last")
    group.add_argument(
        "--preference-output",
        choices=PREFERENCE_OUTPUTS,
        default="tanh",
        help="raw_then_tanh5: train on the head's own outputs and read tanh of a fifth, as rStar-Math's code",
    )
    group.add_argument(
        "--language-weight",
        type=float,
        metavar="W",
        help="of the next-token loss on right steps, beside the objective's (--head likelihood alone: 1)",
    )
    group.add_argument(
        "--tolerance",
        type=float,
        metavar="C",
        help="of tokens that others would have put otherwise (--head likelihood: 50; 0 for one writer's hand)",
    )
    group.add_argument(
        "--outcomes",
        action="store_true",
        help="solutions without a label of their steps teach by their answer (--head likelihood)",
    )
    group.add_argument(
        "--no-alternatives", action="store_true", help="train on no alternatives, nor on their pairs"
    )
    group.add_argument("--weighting", choices=("node", "path"), default="node", help="of shared steps")
    group.add_argument(
        "--trees",
        choices=TREES,
        default="solution",
        help="what a batch counts: solutions, or problems with all their solutions, shared steps read once",
    )


def _loop_arguments(group: Any) -> None:
    group.add_argument("--steps", type=int, help="updates (instead of --epochs)")
    group.add_argument("--epochs", type=float, default=3.0)
    group.add_argument("--learning-rate", type=float, default=1e-3)
    group.add_argument(
        "--optimizer", choices=OPTIMIZERS, default="adamw", help="muon: for matrices between layers"
    )
    group.add_argument("--weight-decay", type=float, default=0.01)
    group.add_argument(
        "--batch-size",
        type=int,
        default=32,
        help="examples an update: solutions, or problems (preference, --trees)",
    )
    group.add_argument("--tokens-per-row", type=int, default=8192, help="most tokens in one packed row")
    group.add_argument("--maximum-length", type=int, help="context in tokens; what is cut off is counted")
    group.add_argument("--limit", type=int, help="only the first so many training rows")
    group.add_argument("--lora", type=int, default=0, metavar="RANK", help="train adapters of this rank")
    group.add_argument(
        "--lora-targets", nargs="+", metavar="NAME", help="projections with an adapter (Llama's seven)"
    )
    group.add_argument("--bf16", action="store_true")
    group.add_argument("--gradient-checkpointing", action="store_true")
    group.add_argument(
        "--unpacked",
        action="store_true",
        help="each path by itself, through the base's own attention: slower, for bases that packed rows do not suit",
    )
    group.add_argument(
        "--compile",
        action="store_true",
        help="fuse layers (a CPU: norms and feed-forwards); half a minute at first",
    )
    group.add_argument(
        "--device", default="cpu", help="cpu, cuda, cuda:0 ..., or auto: a GPU where there is one"
    )
    group.add_argument(
        "--shard", action="store_true", help="under torchrun: split the weights over the processes (FSDP)"
    )
    group.add_argument("--threads", type=int, help="default: OMP_NUM_THREADS, or 1")
    group.add_argument("--save-every", type=int, default=200, help="updates between resumable states")
    group.add_argument("--keep-state", action="store_true", help="keep OUT.state after the end")
