"""A packed row's outputs against its examples: the chosen loss, its denominator, and how much came out right."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch

from ml.prm.example import Example
from ml.prm.losses import classification_loss, compared, preference_loss, value_loss
from ml.prm.moving import numbers


def objective_loss(
    objective: str, outputs: torch.Tensor, examples: Sequence[Example], normaliser: float, **options: Any
) -> torch.Tensor:
    """The chosen loss of one packed row whose readings are `outputs`, shape [R, C].

    options: of `classification_loss`, or `preference_output`, the `how` of `compared`.
    """
    device = outputs.device
    if objective == "preference":
        pairs, offset = [], 0
        for example in examples:
            pairs += [(a + offset, b + offset, weight) for a, b, weight in example.pairs]
            offset += len(example.reads)
        chosen, rejected = (numbers([p[k] for p in pairs], device) for k in (0, 1))
        weights = numbers([p[2] for p in pairs], device)
        scores = compared(outputs[:, 0], options.get("preference_output", "tanh"))
        return preference_loss(scores, chosen, rejected, weights, normaliser)
    targets = numbers([t for example in examples for t in example.targets], device)
    weights = numbers([w for example in examples for w in example.weights], device)
    if objective == "value":
        return value_loss(outputs[:, 0], targets[:, 0], weights, normaliser)
    return classification_loss(outputs, targets, weights, normaliser=normaliser, **options)


def normaliser_of(
    objective: str,
    examples: Iterable[Example],
    class_weights: Sequence[float] | None = None,
    smoothing: float = 0.0,
) -> float:
    """The whole update's denominator: parent nodes, or the readings' weights with their class weights.

    Smoothed targets carry some of every class's weight, as in `classification_loss`.
    """
    if objective == "preference":
        return float(sum(example.parents for example in examples))
    if not class_weights:
        return float(sum(weight for example in examples for weight in example.weights))
    total, even = 0.0, smoothing * sum(class_weights) / len(class_weights)
    for example in examples:
        for target, weight in zip(example.targets, example.weights, strict=True):
            scale = sum(c * t for c, t in zip(class_weights, target, strict=True))
            total += weight * ((1.0 - smoothing) * scale + even)
    return total


def hits(objective: str, outputs: torch.Tensor, examples: Sequence[Example]) -> tuple[torch.Tensor, int]:
    """How many readings (or pairs) came out on the right side, shape [], and how many there were."""
    if objective == "preference":
        offset, pairs = 0, []
        for example in examples:
            pairs += [(a + offset, b + offset) for a, b, _ in example.pairs]
            offset += len(example.reads)
        better, worse = numbers(pairs, outputs.device, torch.long).reshape(-1, 2).T
        return (outputs[better, 0] > outputs[worse, 0]).sum(), len(pairs)
    targets = numbers([t for example in examples for t in example.targets], outputs.device)
    if objective == "value":
        return ((outputs[:, 0] - targets[:, 0]).abs() < 0.1).sum(), len(targets)
    return (outputs.argmax(1) == targets.argmax(1)).sum(), len(targets)
