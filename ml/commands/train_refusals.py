"""What `python -m ml train` refuses by its arguments alone, before torch is loaded and anything is read."""

from __future__ import annotations

import argparse

from ml.errors import MisstepError


def refuse_contradictions(options: argparse.Namespace) -> None:
    """Raises MisstepError for numbers that no run can have, and for options that the objective would not look at."""
    if options.steps is not None and options.steps < 1:
        raise MisstepError(f"--steps {options.steps}, expected at least 1")
    _refuse_without_effect(options)
    weights = options.class_weights or []
    if weights and len(weights) != options.classes:
        raise MisstepError(
            f"{len(weights)} --class-weights, expected one for each of {options.classes} classes"
        )


def _refuse_without_effect(options: argparse.Namespace) -> None:
    for name, is_given, wanted in (
        ("--class-weights", options.class_weights, "classifier"),
        ("--smoothing", options.smoothing, "classifier"),
        ("--classes 3", options.classes == 3, "classifier"),
        ("--outcome-tokens all", options.outcome_tokens == "all", "outcome"),
    ):
        if is_given and options.objective != wanted:
            raise MisstepError(f"{name} with objective {options.objective}, expected {wanted}")
