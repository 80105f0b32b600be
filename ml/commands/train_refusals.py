"""What `python -m ml train` refuses by its arguments alone, before torch is loaded and anything is read."""

from __future__ import annotations

import argparse

from ml.commands.train_options import EPOCHS
from ml.errors import MisstepError


def refuse_contradictions(options: argparse.Namespace) -> None:
    """Raises MisstepError for options that contradict each other, or that the objective would not look at."""
    _refuse_without_effect(options)
    weights = options.class_weights or []
    if weights and len(weights) != options.classes:
        raise MisstepError(
            f"{len(weights)} --class-weights, expected one for each of {options.classes} classes"
        )


def _refuse_without_effect(options: argparse.Namespace) -> None:
    if options.steps is not None and options.epochs != EPOCHS:
        raise MisstepError(f"--epochs {options.epochs:g} with --steps {options.steps}, expected one of them")
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
