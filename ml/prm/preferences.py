"""Preference pairs: steps after the same prefix, one better than the other (rStar-Math, section 3.3).

The solutions of a problem and the alternatives at their positions are merged into one tree by their texts. With
people's labels every right sibling is preferred to every wrong one. With rollouts the rules are those of the search's
own pairs (`ml.search.pairs`): up to two siblings with the highest Q that have a right answer below them stand against
up to two with the lowest Q that have a wrong one, where the better one's best completion has a higher mean Q than the
other's worst. For the final step, whole right solutions stand against whole wrong ones, by mean Q.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from ml.edit_distance import is_far
from ml.prm.example import Example
from ml.prm.merged import MergedTree
from ml.prm.packing import TokenTree
from ml.prm.tokenization import StepTokenizer
from ml.snapshot import SnapshotRow
from ml.targets.rules import LabelRule
from ml.targets.unlabelled import has_labels

TOP = 2
FILLED = 4
# Margins are told in Q from -1 to 1, as in rStar-Math's code; values here stand between 0 and 1.
Q_RANGE = 2.0


@dataclass(frozen=True)
class PairChoices:
    """alternatives: whether options beside the solutions are compared, or solutions alone. final_pairs: whether whole
    solutions are. fill_pairs: with one member on a side, take up to four from the other. least_margin (in Q from -1 to
    1), least_edit_distance (letters): drop closer pairs; the public code has 0.5 and 20.
    """

    alternatives: bool = True
    final_pairs: bool = True
    fill_pairs: bool = False
    least_margin: float = 0.0
    least_edit_distance: int = 0


@dataclass(frozen=True)
class Pair:
    """Two nodes, how far apart their values are, and the weight 1 / (n_positive * n_negative) of the node's pairs."""

    better: int
    worse: int
    margin: float
    weight: float = 1.0


def preference_examples(
    rows: Iterable[SnapshotRow],
    tokenizer: StepTokenizer,
    rule: LabelRule,
    choices: PairChoices,
    counts: Counter[str],
) -> list[Example]:
    """One example per problem that has at least one pair."""
    problems: dict[str, list[SnapshotRow]] = {}
    for row in rows:
        if not has_labels(row):
            counts["rows_without_target"] += 1
            continue
        kept = row if choices.alternatives else replace(row, options=[])
        # By the very text that the model reads: a hash takes some different problems for one.
        problems.setdefault(row.problem, []).append(kept)
    examples = []
    for group in problems.values():
        tree = MergedTree(group, tokenizer, rule)
        for row in group:
            tree.take(row, counts)
        finder = PairFinder(tree, choices)
        found = [pairs for pairs in finder.by_parent() if pairs]
        counts["close_pairs"] += finder.close
        if not found:
            counts["problems_without_pairs"] += 1
            continue
        counts["pairs"] += sum(map(len, found))
        examples.append(_pruned(group[0].problem_id, tree, [p for pairs in found for p in pairs], len(found)))
    return examples


class PairFinder:
    """The pairs of one problem's tree. close: how many were dropped for being too close."""

    def __init__(self, tree: MergedTree, choices: PairChoices) -> None:
        self.tree, self.nodes, self.choices = tree, tree.nodes, choices
        self.close = 0

    def by_parent(self) -> list[list[Pair]]:
        """The pairs below each node, and the whole solutions' last."""
        final = self._final() if self.choices.final_pairs else []
        known = {(pair.better, pair.worse) for pair in final}
        below = [self._siblings(node.children, known) for node in self.nodes]
        return [self._far(pairs) for pairs in (*below, final)]

    def _siblings(self, children: Sequence[int], final: set[tuple[int, int]]) -> list[Pair]:
        """Pairs among one node's children: people's come first, and rollouts add none where people already tell right
        from wrong. What whole solutions compare is not compared a second time.
        """
        labelled = [child for child in children if self.nodes[child].is_labelled]
        rated = {child: label for child in labelled if (label := self.nodes[child].rating) is not None}
        right = [child for child, label in rated.items() if label >= 0.5]
        wrong = [child for child, label in rated.items() if label < 0.5]
        if right and wrong:
            found = [Pair(b, w, rated[b] - rated[w]) for b in right for w in wrong]
        else:
            found = self._by_rollouts(labelled)
        return _weighted([pair for pair in found if (pair.better, pair.worse) not in final])

    def _by_rollouts(self, labelled: Sequence[int]) -> list[Pair]:
        q = {child: value for child in labelled if (value := self.nodes[child].q_value) is not None}
        right = sorted((c for c in q if self.nodes[c].has_right), key=lambda c: (-q[c], c))
        wrong = sorted((c for c in q if self.nodes[c].has_wrong), key=lambda c: (q[c], c))
        tops = right[: FILLED if self.choices.fill_pairs and len(wrong) == 1 else TOP]
        bottoms = wrong[: FILLED if self.choices.fill_pairs and len(right) == 1 else TOP]
        return [
            Pair(top, bottom, q[top] - q[bottom])
            for top in tops
            for bottom in bottoms
            if q[top] > q[bottom]
            and self._is_borne_out(top, bottom)
            and not (self.choices.final_pairs and self._is_last(top) and self._is_last(bottom))
        ]

    def _is_last(self, index: int) -> bool:
        """Whether solutions end here and none goes on."""
        return bool(self.nodes[index].ends) and not self.nodes[index].children

    def _is_borne_out(self, top: int, bottom: int) -> bool:
        """Whether the best completion of the one has a higher mean Q than the worst of the other; where no solution is
        known that goes through them, their own Q is all there is.
        """
        best, worst = self._completion(top, True), self._completion(bottom, False)
        return best is None or worst is None or best > worst

    @cached_property
    def _on_the_way(self) -> dict[bool, set[int]]:
        return {is_right: self.tree.leads_to(is_right) for is_right in (True, False)}

    def _completion(self, index: int, is_best: bool) -> float | None:
        """The mean of the greedy completion: always the child with the highest (lowest) Q that leads to a right (wrong)
        end, one of which nothing is known last.
        """
        way, sign = self._on_the_way[is_best], 1.0 if is_best else -1.0
        if index not in way:
            return None
        while is_best not in self.nodes[index].ends:
            ahead = [child for child in self.nodes[index].children if child in way]
            values = {child: self.nodes[child].value for child in ahead}
            index = max(ahead, key=lambda c: (values[c] is not None, sign * (values[c] or 0.0), -c))
        return self.tree.mean(index)

    def _final(self) -> list[Pair]:
        """Whole right solutions against whole wrong ones: the two with the highest and the lowest mean Q.

        A right answer whose steps are no better than a wrong one's contradicts itself, and is no pair.
        """
        means = {
            is_right: {
                end: mean for end in self.tree.ends(is_right) if (mean := self.tree.mean(end)) is not None
            }
            for is_right in (True, False)
        }
        best = sorted(means[True], key=lambda end: (-means[True][end], end))[:TOP]
        worst = sorted(means[False], key=lambda end: (means[False][end], end))[:TOP]
        margins = {(b, w): means[True][b] - means[False][w] for b in best for w in worst}
        return _weighted(
            [Pair(b, w, margin) for (b, w), margin in margins.items() if b != w and margin > 0.0]
        )

    def _far(self, pairs: list[Pair]) -> list[Pair]:
        """The pairs that are far enough apart; each keeps the weight that it had among all."""
        kept = [pair for pair in pairs if self._is_far(pair)]
        self.close += len(pairs) - len(kept)
        return kept

    def _is_far(self, pair: Pair) -> bool:
        if Q_RANGE * pair.margin < self.choices.least_margin:
            return False
        least = self.choices.least_edit_distance
        return not least or is_far(*self._apart(pair.better, pair.worse), least)

    def _apart(self, better: int, worse: int) -> tuple[str, str]:
        """What the two have said since they parted: one step of siblings, and whole solutions but for the steps that
        they share, which no edit is needed in.
        """
        paths = self.tree.path(better), self.tree.path(worse)
        shared = set(paths[0]) & set(paths[1])
        one, other = ("\n".join(self.nodes[n].text for n in path if n not in shared) for path in paths)
        return one, other


def _weighted(pairs: list[Pair]) -> list[Pair]:
    """One node's pairs, each weighing 1 / (n_positive * n_negative) of the members that are in a pair."""
    sides = len({pair.better for pair in pairs}) * len({pair.worse for pair in pairs})
    return [replace(pair, weight=1.0 / sides) for pair in pairs]


def _pruned(name: str, tree: MergedTree, pairs: list[Pair], parents: int) -> Example:
    """Keep the nodes on the way to a compared one."""
    needed = {0}
    for pair in pairs:
        needed.update(tree.path(pair.better), tree.path(pair.worse))
    kept = sorted(needed)
    number = {old: new for new, old in enumerate(kept)}
    nodes = [tree.nodes[old] for old in kept]
    packed = TokenTree([node.tokens for node in nodes], [number.get(node.parent, -1) for node in nodes])
    reads = sorted({number[node] for pair in pairs for node in (pair.better, pair.worse)})
    place = {node: index for index, node in enumerate(reads)}
    numbered = [(place[number[pair.better]], place[number[pair.worse]], pair.weight) for pair in pairs]
    return Example(name, packed, reads, [], [1.0] * len(reads), numbered, parents)
