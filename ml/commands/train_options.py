"""The options of `python -m ml train`, and what they may be: no torch is loaded to know them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ml.bounds import ABOVE_ZERO, AMOUNT, BELOW_ONE, LENGTH, SHARE, WHOLE
from ml.commands import device_option, pair_options, rule_options
from ml.errors import MisstepError
from ml.training_choices import DOUBTFUL, HEADS, NAMED_BASES, OPTIMIZERS, PREFERENCE_OUTPUTS, SURE, TREES

# Peaks of the learning rate. What suits a million fresh weights tears a pretrained model apart: TRL fine-tunes PRMs
# at 1e-5, and adapters, which are few and begin at nothing, bear ten times as much.
RATE_OF_NAMED, RATE_OF_FOLDERS, RATE_OF_ADAPTERS = 1e-3, 1e-5, 1e-4
EPOCHS = 3.0
# The ratings of PRM800K as any vocabulary can say them: negative, positive, neutral.
TARGET_TOKENS = ("-", "+", "0")


def usual_learning_rate(base: str, lora_rank: int = 0) -> float:
    """The learning rate where none is asked for."""
    if lora_rank:
        return RATE_OF_ADAPTERS
    return RATE_OF_NAMED if base in NAMED_BASES else RATE_OF_FOLDERS


def unescaped(name: str, text: str | None) -> str | None:
    r"""The text with \n, \t and \\ as what they stand for, since a shell hardly lets one type them.

    Raises MisstepError for another sign behind a backslash.
    """
    if text is None:
        return None
    if "\\" in re.sub(r"\\[nt\\]", "", text):
        raise MisstepError(rf"--{name} {text!r}, expected \n, \t or \\ for every backslash")
    return re.sub(r"\\(.)", lambda found: {"n": "\n", "t": "\t"}.get(found[1], found[1]), text)


def label_arguments(group: Any) -> None:
    rule_options.add_to(group)
    group.add_argument(
        "--second-opinion",
        type=Path,
        metavar="CHECKPOINT",
        help="checkpoint of an earlier classifier: leave out what rollouts said where it cannot believe it",
    )
    group.add_argument(
        "--second-opinion-sure",
        type=SHARE,
        metavar="SCORE",
        help=f"score above which a mistake that rollouts name is not believed (default: {SURE:g})",
    )
    group.add_argument(
        "--second-opinion-doubtful",
        type=SHARE,
        metavar="SCORE",
        help=f"score below which a step that rollouts call right is not believed (default: {DOUBTFUL:g})",
    )


def objective_arguments(group: Any) -> None:
    group.add_argument(
        "--classes",
        type=int,
        choices=(2, 3),
        default=2,
        help="classes of the classifier: negative and positive, and with 3 neutral (default: %(default)s)",
    )
    group.add_argument(
        "--class-weights",
        type=LENGTH,
        nargs="+",
        metavar="W",
        help="weights of the classes in the loss: negative positive [neutral] (default: 1 each)",
    )
    group.add_argument(
        "--head",
        choices=HEADS,
        default="linear",
        help="linear: a new classification head; tokens: the model's own logits at --target-tokens; likelihood: the"
        " probability of the step's own tokens (default: %(default)s)",
    )
    group.add_argument(
        "--target-tokens",
        nargs="+",
        metavar="TEXT",
        help="words for negative positive [neutral], one token each, with --head tokens"
        f" (default: {' '.join(TARGET_TOKENS)})",
    )
    group.add_argument(
        "--smoothing", type=BELOW_ONE, default=0.0, help="label smoothing (default: %(default)s)"
    )
    group.add_argument(
        "--outcome-tokens",
        choices=("last", "steps", "all"),
        help="tokens at which an outcome model learns the outcome: a solution's last one, the last one of each step, or"
        " all (default: all, as in Let's Verify Step by Step; last with --head likelihood or --trees problem)",
    )
    group.add_argument(
        "--preference-output",
        choices=PREFERENCE_OUTPUTS,
        default="tanh",
        help="how a preference model's output becomes a reward: by tanh, or (raw_then_tanh5) trained on the head's own"
        " outputs and read by tanh of a fifth, as rStar-Math's code does (default: %(default)s)",
    )
    pair_options.add_to(group)
    group.add_argument(
        "--language-weight",
        type=AMOUNT,
        metavar="W",
        help="weight of the language-modelling loss on correct steps (likelihood head only; default: 1)",
    )
    group.add_argument(
        "--tolerance",
        type=AMOUNT,
        metavar="C",
        help="how far unlikely but correct wording is forgiven (likelihood head; default: 50, 0 for a single author)",
    )
    group.add_argument(
        "--outcomes",
        action="store_true",
        help="let solutions without labels of their steps teach by their answer (likelihood head)",
    )
    group.add_argument(
        "--no-alternatives",
        action="store_true",
        help="leave out rated alternatives, and the pairs that they make",
    )
    group.add_argument(
        "--weighting",
        choices=("node", "path"),
        default="node",
        help="a step shared by several solutions counts once (node) or once per solution (path)"
        " (default: %(default)s)",
    )
    group.add_argument(
        "--trees",
        choices=TREES,
        default="solution",
        help="what a batch counts: solutions, or problems with all their solutions, shared steps read once"
        " (default: %(default)s)",
    )


def loop_arguments(group: Any) -> None:
    group.add_argument("--steps", type=ABOVE_ZERO, metavar="N", help="number of updates, instead of --epochs")
    group.add_argument(
        "--epochs", type=LENGTH, default=EPOCHS, help="passes over the training rows (default: %(default)s)"
    )
    group.add_argument(
        "--learning-rate",
        type=LENGTH,
        help=f"peak of the learning rate (default: {RATE_OF_NAMED:g} for the pocket bases and small,"
        f" {RATE_OF_FOLDERS:g} for a folder, {RATE_OF_ADAPTERS:g} with --lora)",
    )
    group.add_argument(
        "--warmup",
        type=BELOW_ONE,
        default=0.05,
        metavar="SHARE",
        help="share of the updates until the peak of the learning rate (default: %(default)s)",
    )
    group.add_argument(
        "--clip",
        type=LENGTH,
        default=1.0,
        metavar="NORM",
        help="largest norm of an update's gradients (default: %(default)s)",
    )
    group.add_argument(
        "--optimizer",
        choices=OPTIMIZERS,
        default="adamw",
        help="adamw, or muon for the matrices between the layers (default: %(default)s)",
    )
    group.add_argument(
        "--weight-decay",
        type=AMOUNT,
        default=0.01,
        help="the optimizer's weight decay (default: %(default)s)",
    )
    group.add_argument(
        "--batch-size",
        type=ABOVE_ZERO,
        default=32,
        help="examples in an update: solutions, or problems for preference and --trees problem"
        " (default: %(default)s)",
    )
    group.add_argument(
        "--tokens-per-row",
        type=ABOVE_ZERO,
        default=8192,
        metavar="N",
        help="most tokens in one packed row (default: %(default)s)",
    )
    group.add_argument(
        "--maximum-length",
        type=ABOVE_ZERO,
        metavar="N",
        help="context in tokens; what is cut off is counted (default: the base's)",
    )
    group.add_argument(
        "--too-long",
        choices=("refuse", "drop"),
        default="refuse",
        help="what becomes of solutions with a step that the context cannot hold: drop leaves them out and counts them"
        " (default: %(default)s)",
    )
    group.add_argument(
        "--separator",
        metavar="TEXT",
        help=r"text that ends each step, with \n, \t, \\ as in C (default: the base's own, or \n)",
    )
    group.add_argument(
        "--problem-end",
        metavar="TEXT",
        help=r"text that ends the problem, '' for none (default: the base's own, or \n)",
    )
    group.add_argument(
        "--limit", type=ABOVE_ZERO, metavar="N", help="take only the first N training rows (default: all)"
    )
    group.add_argument(
        "--lora",
        type=WHOLE,
        default=0,
        metavar="RANK",
        help="train LoRA adapters of this rank (default: none)",
    )
    group.add_argument(
        "--lora-alpha",
        type=LENGTH,
        metavar="A",
        help="adapters are scaled by this over the rank (default: twice the rank)",
    )
    group.add_argument(
        "--lora-dropout",
        type=BELOW_ONE,
        default=0.0,
        metavar="P",
        help="dropout of what adapters read (default: %(default)s)",
    )
    group.add_argument(
        "--lora-targets",
        nargs="+",
        metavar="NAME",
        help="layers that get an adapter (default: every linear layer of the base's blocks)",
    )
    group.add_argument(
        "--bf16",
        action="store_true",
        help="multiply matrices in bfloat16: a little less exact; faster on a GPU, and on a CPU with AMX",
    )
    group.add_argument(
        "--gradient-checkpointing",
        action="store_true",
        help="compute activations twice instead of keeping them: less memory, more time",
    )
    group.add_argument(
        "--unpacked",
        action="store_true",
        help="read each path by itself, through the base's own attention: slower, for bases unsuited to packed rows",
    )
    group.add_argument(
        "--compile",
        action="store_true",
        help="fuse layers (a CPU: all but their attention); half a minute at first",
    )
    device_option.add_to(group)
    group.add_argument(
        "--shard", action="store_true", help="under torchrun: split the weights over the processes (FSDP)"
    )
    group.add_argument(
        "--threads", type=ABOVE_ZERO, metavar="N", help="CPU threads (default: OMP_NUM_THREADS, or 1)"
    )
    group.add_argument(
        "--save-every",
        type=ABOVE_ZERO,
        default=200,
        metavar="N",
        help="updates between states from which a killed run resumes (default: %(default)s)",
    )
    group.add_argument(
        "--validate-every",
        type=ABOVE_ZERO,
        metavar="N",
        help="updates between validations, whose loss and F1 go to OUT.state/metrics.jsonl while it trains, and to the"
        " checkpoint's in the end (default: none before the end)",
    )
    group.add_argument(
        "--validation-limit",
        type=ABOVE_ZERO,
        metavar="N",
        help="most solutions of a validation, the last one too: whole problems, the same in every run (default: all)",
    )
    group.add_argument("--keep-state", action="store_true", help="keep the states in OUT.state after the end")
