"""The validation split, read once: its solutions' scores and the examples' loss come from the same rows.

What is scored and what is learned from are mostly the same steps behind the same prefixes, so that one tree for each
problem holds both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate, islice

import torch

from ml.evaluation.first_mistake import Scores
from ml.prm.example import Example, token_by_token
from ml.prm.growing_tree import GrowingTree
from ml.prm.likelihood import along_paths
from ml.prm.packing import TokenTree, batches_within, chain
from ml.prm.pair_parts import parts_within
from ml.prm.score import WINDOW, Scorer, Unscored
from ml.prm.tokenization import StepTokenizer
from ml.prm.tokens import compact
from ml.prm.training_settings import TrainingSettings
from ml.prm.update import loss_of
from ml.prm.validation_steps import Asked

# Characters that a token stands for, about: to share the work, examples without a solution to score are weighed by it.
CHARACTERS = 3


@dataclass
class Problem:
    """What is read of one problem: `places` of the asked, and examples."""

    places: list[int] = field(default_factory=list)
    examples: list[Example] = field(default_factory=list)

    def length(self, asked: Sequence[Asked]) -> int:
        """Characters of the problem and of all that stands behind it: near enough to tokens, and known without a
        tokenizer."""
        if not self.places:
            return CHARACTERS * sum(example.tree.size for example in self.examples)
        found = len(asked[self.places[0]].solutions[0].problem)
        for place in self.places:
            whole, *beside = asked[place].solutions
            # An alternative's prefix is the solution's, and read with it.
            found += sum(map(len, whole.steps)) + sum(len(one.steps[-1]) for one in beside)
        return found


def problems_of(
    asked: Sequence[Asked], examples: Iterable[Example], tokenizer: StepTokenizer
) -> list[Problem]:
    """All that is read, problem by problem, which its tokens name."""
    found: dict[bytes, Problem] = {}
    for place, one in enumerate(asked):
        root = tokenizer.problem(one.solutions[0].problem).tobytes()
        found.setdefault(root, Problem()).places.append(place)
    for example in examples:
        found.setdefault(compact(example.tree.tokens[0]).tobytes(), Problem()).examples.append(example)
    return list(found.values())


class _Tree(GrowingTree):
    """One problem's tree, with what is wanted of it. wanted: which of the asked, which of its solutions, and the nodes
    of the steps that fit. taught: examples, with the nodes that they read."""

    def __init__(self, root: Sequence[int]) -> None:
        super().__init__(root)
        self.wanted: list[tuple[int, int, list[int]]] = []
        self.taught: list[tuple[Example, list[int]]] = []


@dataclass
class Reading:
    """One process's reading of its problems: the scores of each place that it read, and its part of the loss.

    settings: of the loss; normaliser: what the loss of all examples is divided by. by_token: examples read every token,
    so that steps have to be taken apart to be shared with them. limit: the most tokens in a row.
    """

    scorer: Scorer
    asked: Sequence[Asked]
    settings: TrainingSettings | None
    normaliser: float
    by_token: bool
    limit: int
    scores: dict[int, list[Scores]] = field(default_factory=dict)
    loss: float = 0.0

    def read(self, problems: Iterable[Problem], before_row: Callable[[], None]) -> None:
        """Read them all; what `before_row` raises ends it between two rows."""
        waiting = (tree for problem in problems for tree in self._trees(problem))
        while window := list(islice(waiting, WINDOW)):
            for row in batches_within([tree.size for tree in window], self.limit):
                before_row()
                self._read_row([window[k] for k in row])

    def _trees(self, problem: Problem) -> Iterator[_Tree]:
        """A problem's tree, or several where one would be too large for a row."""
        tree: _Tree | None = None
        for path, note in self._paths(problem):
            if tree is None or not tree.has_room_for(path, self.limit):
                if tree is not None:
                    yield tree
                tree = _Tree(path.tokens[0])
            note(tree, tree.add(path))
        if tree is not None:
            yield tree

    def _paths(self, problem: Problem) -> Iterator[tuple[TokenTree, Callable[[_Tree, list[int]], None]]]:
        """What the tree takes in, and what to note once it has: a solution's examples right behind it."""
        examples = list(problem.examples)
        for place in problem.places:
            for number, one in enumerate(self.asked[place].solutions):
                path, ends = self._chain(one)
                yield path, partial(_note_wanted, place, number, ends)
            name = self.asked[place].solutions[0].id
            own = [example for example in examples if example.id == name]
            examples = [example for example in examples if example.id != name]
            yield from self._taught(own)
        yield from self._taught(examples)

    def _taught(
        self, examples: Iterable[Example]
    ) -> Iterator[tuple[TokenTree, Callable[[_Tree, list[int]], None]]]:
        """The same of examples, of which one with pairs may be too large for a row."""
        for example in map(token_by_token, examples):
            yield from (
                (part.tree, partial(_note_taught, part)) for part in parts_within(example, self.limit)
            )

    def _chain(self, one: Unscored) -> tuple[TokenTree, list[int]]:
        """A solution's tokens, and the node in which each of its steps ends."""
        nodes, _ = self.scorer.tokenizer.solution(one.id, one.problem, one.steps, lenient=True)
        if not self.by_token:
            return chain(nodes), list(range(1, len(nodes)))
        ends = list(accumulate(map(len, nodes[1:])))
        return chain([nodes[0], *(compact([token]) for node in nodes[1:] for token in node)]), ends

    @torch.inference_mode()
    def _read_row(self, row: Sequence[_Tree]) -> None:
        trees = [tree.tree() for tree in row]
        outputs = self.scorer.outputs(trees)
        for own, scores in zip(row, self.scorer.scores_from(trees, outputs), strict=True):
            for place, number, nodes in own.wanted:
                solutions = self.asked[place].solutions
                found = self.scores.setdefault(place, [[] for _ in solutions])
                missing = len(solutions[number].steps) - len(nodes)
                found[number] = [*(scores[node] for node in nodes), *[None] * missing]
        taught = [example for own in row for example, _ in own.taught]
        if taught and self.settings is not None:
            parts = outputs.split([len(tree.tokens) for tree in trees])
            read = [
                along_paths(part, [tree.path(node) for node in nodes]) if example.reads_paths else part[nodes]
                for own, tree, part in zip(row, trees, parts, strict=True)
                for example, nodes in own.taught
            ]
            self.loss += float(loss_of(torch.cat(read), taught, self.settings, self.normaliser))


def _note_wanted(place: int, number: int, ends: Sequence[int], tree: _Tree, own: Sequence[int]) -> None:
    tree.wanted.append((place, number, [own[end] for end in ends]))


def _note_taught(example: Example, tree: _Tree, own: Sequence[int]) -> None:
    tree.taught.append((example, [own[node] for node in example.reads]))
