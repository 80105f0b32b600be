"""What a model is trained on at once: a tree of tokens, the nodes that are read, and what each should say."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ml.prm.packing import TokenTree, chain
from ml.prm.tokens import compact

# The classes' places in a target, and in what a head with classes says.
NEGATIVE, POSITIVE, NEUTRAL = 0, 1, 2


@dataclass(frozen=True)
class Example:
    """One tree with its supervision.

    reads: nodes whose last token is read, shape [R]. targets: per reading the class probabilities
    (classifier, outcome) or a single value. weights: per reading. pairs: (chosen, rejected, weight) by
    index into `reads`, of `parents` nodes in all (preference only). reads_paths: a reading is of the path from the
    problem to its node, and not of the node alone (for `ml.prm.likelihood`). reads_tokens: every token behind the
    problem says what the one reading says, and all of them weigh as much together; `token_by_token` spells that out.
    """

    id: str
    tree: TokenTree
    reads: list[int]
    targets: list[list[float]]
    weights: list[float]
    pairs: list[tuple[int, int, float]] = field(default_factory=list)
    parents: int = 0
    reads_paths: bool = False
    reads_tokens: bool = False

    @property
    def readings(self) -> int:
        """How many places are read."""
        return self.tree.size - len(self.tree.tokens[0]) if self.reads_tokens else len(self.reads)


def token_by_token(example: Example) -> Example:
    """A chain whose every token is read, with a node for each of them; any other example as it is.

    It takes many times the memory of the chain's steps, and so is made of what an update is about to read alone.
    """
    if not example.reads_tokens:
        return example
    problem, *steps = example.tree.tokens
    tree = chain([problem, *(compact([token]) for step in steps for token in step)])
    count = example.readings
    return replace(
        example,
        tree=tree,
        reads=list(range(1, count + 1)),
        targets=example.targets * count,
        weights=[example.weights[0] / count] * count,
        reads_tokens=False,
    )
