"""Scores: for each step the probability that it is correct, in packed rows and with shared prefixes once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from ml.errors import MisstepError
from ml.prm.checkpoint import check_whole
from ml.prm.example import NEUTRAL, POSITIVE
from ml.prm.given_layout import GivenLayout, open_given
from ml.prm.growing_tree import GrowingTree
from ml.prm.loading import load, short_context
from ml.prm.losses import rewards
from ml.prm.model import ProcessRewardModel
from ml.prm.packing import TokenTree, batches_within, chain, pack, split_into_tokens
from ml.prm.self_check import knows_all_tokens, refuse_unknown_tokens, refuse_wrong_readings
from ml.prm.tokenization import StepTokenizer, load_step_tokenizer
from ml.said import Said

WINDOW = 512
# What one pass through the model holds at most, unless a single solution is longer.
TOKENS_PER_ROW = 16384


@dataclass(frozen=True)
class Unscored:
    """A solution that waits for scores."""

    id: str
    problem: str
    steps: Sequence[str]


class Scorer:
    """A checkpoint ready to score. `truncated` counts steps that did not fit the context (score None).

    An outcome model's score of a step is that of the solution up to the step's end.

    mean_over_tokens: a step's score is the mean over the solution's tokens up to the step's end, instead of the
    reading at that end (for outcome models, which have something to say at every token). bfloat16: products of matrices
    run in it, as in a training with --bf16.
    """

    def __init__(
        self,
        model: ProcessRewardModel,
        tokenizer: StepTokenizer,
        card: dict[str, Any],
        mean_over_tokens: bool = False,
        bfloat16: bool = False,
    ) -> None:
        self.model, self.tokenizer, self.card = model.eval(), tokenizer, card
        self.mean_over_tokens, self.bfloat16 = mean_over_tokens, bfloat16
        self.truncated = 0
        self._knows_all_tokens = knows_all_tokens(model.plain, tokenizer)

    def score(self, problem: str, steps: Sequence[str]) -> list[float | None]:
        """The scores of one solution's steps, in [0, 1]."""
        return next(self.score_all([Unscored("solution", problem, steps)]))[1]

    def score_all(
        self, solutions: Iterable[Unscored], tokens_per_row: int = TOKENS_PER_ROW
    ) -> Iterator[tuple[str, list[float | None]]]:
        """(id, scores) of every solution in order; streams, a window of solutions at a time.

        Raises MisstepError where the device has no memory left.
        """
        waiting = iter(solutions)
        while window := list(islice(waiting, WINDOW)):
            yield from self._window(window, tokens_per_row)

    def _window(
        self, window: Sequence[Unscored], tokens_per_row: int
    ) -> Iterator[tuple[str, list[float | None]]]:
        trees, places = shared_trees(window, self.tokenizer, tokens_per_row)
        scores: list[list[float]] = []
        try:
            for indices in batches_within([tree.size for tree in trees], tokens_per_row):
                scores += self._row([trees[index] for index in indices])
        except torch.OutOfMemoryError as error:
            longest = max(tokens_per_row, *(tree.size for tree in trees))
            raise _out_of_memory(longest) from error
        for solution, (tree, nodes) in zip(window, places, strict=True):
            found: list[float | None] = [scores[tree][node] for node in nodes]
            missing = len(solution.steps) - len(found)
            self.truncated += missing
            yield solution.id, found + [None] * missing

    @torch.inference_mode()
    def outputs(self, trees: Sequence[TokenTree]) -> torch.Tensor:
        """What the head says of all nodes, one tree's after the other's: shape [nodes, outputs].

        Raises MisstepError for a token without an embedding.
        """
        if not self._knows_all_tokens:
            refuse_unknown_tokens(self.model.plain, [], (node for tree in trees for node in tree.tokens))
        device = next(self.model.parameters()).device
        packed = pack(trees, [range(len(tree.tokens)) for tree in trees], device=device)
        with torch.autocast(device.type, torch.bfloat16, enabled=self.bfloat16):
            outputs: torch.Tensor = self.model(packed)
        return outputs.float()

    def scores_from(self, trees: Sequence[TokenTree], outputs: torch.Tensor) -> list[list[float]]:
        """Scores per node of each tree (the root's stands for nothing). outputs: what `outputs` gives for them."""
        scores = self._parted(trees, outputs)
        if self.model.tolerance is None or self.card["objective"] != "outcome":
            return scores
        return [products_along_paths(tree, read) for tree, read in zip(trees, scores, strict=True)]

    @torch.inference_mode()
    def _row(self, trees: Sequence[TokenTree]) -> list[list[float]]:
        """Scores per node of each tree (the root's stands for nothing)."""
        if self.mean_over_tokens:
            return [
                means_along_paths(tree, read) for tree, read in zip(trees, self._tokens(trees), strict=True)
            ]
        return self.scores_from(trees, self.outputs(trees))

    def _tokens(self, trees: Sequence[TokenTree]) -> list[list[float]]:
        """The reading at every single token of each tree, in the order of its nodes."""
        single = [split_into_tokens(tree) for tree in trees]
        return self._parted(single, self.outputs(single))

    def _parted(self, trees: Sequence[TokenTree], outputs: torch.Tensor) -> list[list[float]]:
        flat = probabilities(outputs, self.card).tolist()
        result, offset = [], 0
        for tree in trees:
            result.append(flat[offset : offset + len(tree.tokens)])
            offset += len(tree.tokens)
        return result


def _out_of_memory(tokens: int) -> MisstepError:
    return MisstepError(
        Said(
            "the device ran out of memory as it scored, in packed rows of up to %(tokens)s tokens, expected room for"
            " them: the same command with a lower --tokens-per-row takes shorter ones, but no solution is cut",
            tokens=tokens,
        )
    )


def means_along_paths(tree: TokenTree, read: Sequence[float]) -> list[float]:
    """Per node the mean reading of the tokens on its path, without the root's (the problem's)."""
    totals, counts, place = [0.0], [0], len(tree.tokens[0])
    for node, parent in zip(tree.tokens[1:], tree.parents[1:], strict=True):
        totals.append(totals[parent] + sum(read[place : place + len(node)]))
        counts.append(counts[parent] + len(node))
        place += len(node)
    return [total / max(count, 1) for total, count in zip(totals, counts, strict=True)]


def products_along_paths(tree: TokenTree, read: Sequence[float]) -> list[float]:
    """Per node the product of the readings of the nodes on its path, without the root's (the problem's)."""
    totals = [1.0]
    for parent, own in zip(tree.parents[1:], read[1:], strict=True):
        totals.append(totals[parent] * own)
    return totals


def load_scorer(
    folder: str | Path,
    device: str | None = None,
    mean_over_tokens: bool = False,
    layout: GivenLayout | None = None,
    bfloat16: bool = False,
) -> Scorer:
    """Open a checkpoint of `python -m ml train`, or with its `layout` another model (see `ml.prm.given_layout`).

    Raises MisstepError when it is not whole, or when the mean over tokens is asked of a model that was not trained on
    outcomes, or whose tokens only count together."""
    root = Path(folder)
    given = open_given(root, layout) if layout else None
    card = given[2] if given else check_whole(root)
    if mean_over_tokens and card["objective"] != "outcome":
        raise MisstepError(
            f"{root} has objective {card['objective']}, expected outcome for a mean over tokens"
        )
    tokenizer = given[1] if given else load_step_tokenizer(root)
    targets, tolerance = tokenizer.target_ids, tokenizer.layout.tolerance
    if mean_over_tokens and tolerance is not None:
        raise MisstepError(f"{root} has the head likelihood, expected another for a mean over tokens")
    is_packed = not card["config"].get("unpacked", False)
    has_language_head = bool(targets) or tolerance is not None
    plain = given[0] if given else load(root, has_language_head=has_language_head, is_packed=is_packed)
    model = ProcessRewardModel(plain, targets, tolerance, len(tokenizer.separator), is_packed)
    longest, short = tokenizer.layout.maximum_length, short_context(plain.config)
    if is_packed and short and longest > short:
        raise MisstepError(
            f"{root} reads paths of up to {longest} tokens, expected at most {short}: beyond, all"
            " paths of a row have other rotary factors"
        )
    model.to(device or "cpu")
    refuse_wrong_readings(model)
    return Scorer(model, tokenizer, card, mean_over_tokens, bfloat16)


def probabilities(outputs: torch.Tensor, card: dict[str, Any]) -> torch.Tensor:
    """The head's outputs [N, C] as probabilities that the step is correct, shape [N].

    Classifier and outcome: the positive class, and the neutral one where the label rule counts it as
    positive. Value: the output itself, held within [0, 1]. Preference: (1 + its reward) / 2.
    """
    objective = card["objective"]
    if objective == "value":
        return outputs[:, 0].clamp(0.0, 1.0)
    if objective == "preference":
        return (1.0 + rewards(outputs[:, 0], card["config"]["preference_output"])) / 2.0
    chances = outputs.softmax(dim=1)
    if outputs.shape[1] == 3 and card["label_rule"]["neutral"] == "positive":
        return chances[:, POSITIVE] + chances[:, NEUTRAL]
    return chances[:, POSITIVE]


def shared_trees(
    solutions: Sequence[Unscored], tokenizer: StepTokenizer, limit: int = TOKENS_PER_ROW
) -> tuple[list[TokenTree], list[tuple[int, list[int]]]]:
    """One tree per run of solutions to the same problem; equal prefixes go through the model once.

    limit: the most tokens in a tree (but one solution is never cut); a run with more has several, one after the other.
    Returns the trees and, per solution, its tree and the nodes of its steps (those that fit the context).
    """
    trees: list[GrowingTree] = []
    places: list[tuple[int, list[int]]] = []
    problem: str | None = None
    for solution in solutions:
        nodes, _ = tokenizer.solution(solution.id, solution.problem, solution.steps, lenient=True)
        path = chain(nodes)
        if solution.problem != problem or not trees[-1].has_room_for(path, limit):
            problem = solution.problem
            trees.append(GrowingTree(nodes[0]))
        places.append((len(trees) - 1, trees[-1].add(path)[1:]))
    return [tree.tree() for tree in trees], places
