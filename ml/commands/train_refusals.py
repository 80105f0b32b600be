"""What `python -m ml train` refuses by its arguments alone, before torch is loaded and anything is read."""

from __future__ import annotations

import argparse
from math import inf

from ml.errors import MisstepError

# Options by the numbers that they take, where they are given.
AT_LEAST_ONE = (
    "steps",
    "batch_size",
    "tokens_per_row",
    "save_every",
    "validate_every",
    "validation_limit",
    "limit",
    "maximum_length",
)
MORE_THAN_ZERO = ("epochs", "learning_rate", "clip", "lora_alpha")
ZERO_OR_MORE = (
    "lora",
    "extra_layers",
    "seed",
    "weight_decay",
    "automatic_weight",
    "language_weight",
    "least_margin",
    "least_edit_distance",
    "tolerance",
)
BELOW_ONE = ("smoothing", "threshold", "warmup", "lora_dropout")
RANGES = (
    (AT_LEAST_ONE, 1, False, inf, "at least 1"),
    (MORE_THAN_ZERO, 0, True, inf, "more than 0"),
    (ZERO_OR_MORE, 0, False, inf, "0 or more"),
    (BELOW_ONE, 0, False, 1, "from 0 to below 1"),
)


def refuse_contradictions(options: argparse.Namespace) -> None:
    """Raises MisstepError for numbers that no run can have, and for options that the objective would not look at."""
    _refuse_numbers(options)
    _refuse_without_effect(options)
    weights = options.class_weights or []
    if weights and len(weights) != options.classes:
        raise MisstepError(
            f"{len(weights)} --class-weights, expected one for each of {options.classes} classes"
        )


def range_of(name: str) -> tuple[float, bool, float]:
    """The least that an option's number may be, whether it must be more than that, and what it must be below."""
    return next(
        ((low, is_open, end) for names, low, is_open, end, _ in RANGES if name in names), (-inf, False, inf)
    )


def _refuse_numbers(options: argparse.Namespace) -> None:
    """No comparison with NaN holds, so that it is refused, too."""
    for names, low, is_open, end, expected in RANGES:
        for name in names:
            found = getattr(options, name)
            if found is not None and not (low < found < end or (found == low and not is_open)):
                raise MisstepError(f"--{name.replace('_', '-')} {found}, expected {expected}")
    for weight in options.class_weights or []:
        # Of 0, an update that meets only this class would have nothing to divide its loss by.
        if not 0 < weight < inf:
            raise MisstepError(f"--class-weights {weight}, expected more than 0")


def _refuse_without_effect(options: argparse.Namespace) -> None:
    for name in ("lora_alpha", "lora_dropout", "lora_targets"):
        if getattr(options, name) and not options.lora:
            raise MisstepError(f"--{name.replace('_', '-')} without --lora, expected both")
    for name, is_given, wanted in (
        ("--class-weights", options.class_weights, "classifier"),
        ("--smoothing", options.smoothing, "classifier"),
        ("--classes 3", options.classes == 3, "classifier"),
        (f"--outcome-tokens {options.outcome_tokens}", options.outcome_tokens, "outcome"),
        ("--preference-output raw_then_tanh5", options.preference_output != "tanh", "preference"),
        ("--no-final-pairs", options.no_final_pairs, "preference"),
        ("--fill-pairs", options.fill_pairs, "preference"),
        (f"--least-margin {options.least_margin:g}", options.least_margin, "preference"),
        (f"--least-edit-distance {options.least_edit_distance}", options.least_edit_distance, "preference"),
    ):
        if is_given and options.objective != wanted:
            raise MisstepError(f"{name} with objective {options.objective}, expected {wanted}")
    has_shared_steps = options.objective == "classifier" or (
        options.trees == "problem" and options.objective != "preference"
    )
    if options.weighting != "node" and not has_shared_steps:
        raise MisstepError(
            f"--weighting {options.weighting} with objective {options.objective}, expected classifier, or trees of"
            " problems"
        )
    if options.no_alternatives and options.objective not in ("classifier", "preference"):
        raise MisstepError(
            f"--no-alternatives with objective {options.objective}, expected classifier or preference"
        )
