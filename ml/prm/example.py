"""What a model is trained on at once: a tree of tokens, the nodes that are read, and what each should say."""

from __future__ import annotations

from dataclasses import dataclass, field

from ml.prm.packing import TokenTree

# The classes' places in a target, and in what a head with classes says.
NEGATIVE, POSITIVE, NEUTRAL = 0, 1, 2


@dataclass(frozen=True)
class Example:
    """One tree with its supervision.

    reads: nodes whose last token is read, shape [R]. targets: per reading the class probabilities
    (classifier, outcome) or a single value. weights: per reading. pairs: (chosen, rejected, weight) by
    index into `reads`, of `parents` nodes in all (preference only). reads_paths: a reading is of the path from the
    problem to its node, and not of the node alone (for `ml.prm.likelihood`).
    """

    id: str
    tree: TokenTree
    reads: list[int]
    targets: list[list[float]]
    weights: list[float]
    pairs: list[tuple[int, int, float]] = field(default_factory=list)
    parents: int = 0
    reads_paths: bool = False
