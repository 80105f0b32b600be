"""The options of `python -m ml train`, and what they may be: no torch is loaded to know them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ml.commands import device_option, rule_options
from ml.errors import MisstepError

# The bases that have names; any other is a model's folder.
NAMED_BASES = ("pocket", "pocket-reader", "small")
# Peaks of the learning rate. What suits a million fresh weights tears a pretrained model apart: TRL fine-tunes PRMs
# at 1e-5, and adapters, which are few and begin at nothing, bear ten times as much.
RATE_OF_NAMED, RATE_OF_FOLDERS, RATE_OF_ADAPTERS = 1e-3, 1e-5, 1e-4
OBJECTIVES = ("classifier", "value", "preference", "outcome")
OPTIMIZERS = ("adamw", "muon")
TREES = ("solution", "problem")
HEADS = ("linear", "tokens", "likelihood")
PREFERENCE_OUTPUTS = ("tanh", "raw_then_tanh5")
# Objectives with classes, which alone can be target tokens of a language model.
CLASSIFYING = ("classifier", "outcome")
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
        help="leave out what rollouts said of a solution where this classifier cannot believe it",
    )
    group.add_argument(
        "--second-opinion-sure", type=float, help="score above which a named mistake is not believed"
    )
    group.add_argument(
        "--second-opinion-doubtful", type=float, help="score below which a right step is not believed"
    )


def objective_arguments(group: Any) -> None:
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


def loop_arguments(group: Any) -> None:
    group.add_argument("--steps", type=int, help="updates (instead of --epochs)")
    group.add_argument("--epochs", type=float, default=3.0)
    group.add_argument(
        "--learning-rate",
        type=float,
        help=f"its peak; {RATE_OF_NAMED:g} for pocket, pocket-reader and small, {RATE_OF_FOLDERS:g} for a folder,"
        f" {RATE_OF_ADAPTERS:g} with --lora",
    )
    group.add_argument("--warmup", type=float, default=0.05, help="share of the updates until that peak")
    group.add_argument("--clip", type=float, default=1.0, help="largest norm of an update's gradients")
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
    group.add_argument(
        "--too-long",
        choices=("refuse", "drop"),
        default="refuse",
        help="solutions with a step that the context cannot hold: drop leaves them out, and counts them",
    )
    group.add_argument(
        "--separator", metavar="TEXT", help=r"what ends each step (\n, \t, \\ as in C); a folder's own, or \n"
    )
    group.add_argument(
        "--problem-end", metavar="TEXT", help=r"what ends the problem, '' for nothing; a folder's own, or \n"
    )
    group.add_argument("--limit", type=int, help="only the first so many training rows")
    group.add_argument("--lora", type=int, default=0, metavar="RANK", help="train adapters of this rank")
    group.add_argument(
        "--lora-alpha", type=float, metavar="A", help="what adapters are scaled by, over the rank; 2 ranks"
    )
    group.add_argument("--lora-dropout", type=float, default=0.0, metavar="P", help="of what adapters read")
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
    device_option.add_to(group)
    group.add_argument(
        "--shard", action="store_true", help="under torchrun: split the weights over the processes (FSDP)"
    )
    group.add_argument("--threads", type=int, help="default: OMP_NUM_THREADS, or 1")
    group.add_argument("--save-every", type=int, default=200, help="updates between resumable states")
    group.add_argument(
        "--validate-every",
        type=int,
        metavar="N",
        help="updates between looks at the validation split: its loss and F1, in metrics.jsonl",
    )
    group.add_argument("--keep-state", action="store_true", help="keep OUT.state after the end")
