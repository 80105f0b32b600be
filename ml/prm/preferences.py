"""Preference pairs: steps after the same prefix, one better than the other (rStar-Math, section 3.3).

The solutions of a problem and the alternatives at their positions are merged into one tree by their texts.
With people's labels every right sibling is preferred to every wrong one. With rollouts, up to two siblings
with the highest Q that have a right answer below them stand against up to two with the lowest Q that have a
wrong one; the margin must be positive. At the end, whole right solutions stand against whole wrong ones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from ml.prm.example import Example
from ml.prm.packing import TokenTree
from ml.prm.tokenization import StepTokenizer
from ml.prm.tokens import Tokens
from ml.snapshot import SnapshotRow
from ml.targets.rules import LabelRule, label_of
from ml.targets.snapshot_rows import last_place_for_alternatives

TOP = 2


@dataclass
class _Node:
    """One distinct step after one distinct prefix, with all that was said of it."""

    tokens: Tokens
    parent: int
    ratings: list[float] = field(default_factory=list)
    q_values: list[float] = field(default_factory=list)
    # (mean label, right) of the solutions that end here.
    endings: list[tuple[float, bool]] = field(default_factory=list)


def preference_examples(
    rows: Iterable[SnapshotRow],
    tokenizer: StepTokenizer,
    rule: LabelRule,
    final_pairs: bool,
    counts: Counter[str],
    alternatives: bool = True,
) -> list[Example]:
    """One example per problem that has at least one pair; without `alternatives` solutions alone are compared."""
    problems: dict[str, list[SnapshotRow]] = {}
    for row in rows:
        kept = row if alternatives else replace(row, options=[])
        # By the very text that the model reads: a hash takes some different problems for one.
        problems.setdefault(row.problem, []).append(kept)
    examples = []
    for group in problems.values():
        example = _example(group, tokenizer, rule, final_pairs, counts)
        if example is None:
            counts["problems_without_pairs"] += 1
        else:
            counts["pairs"] += len(example.pairs)
            examples.append(example)
    return examples


def sibling_pairs(ratings: dict[int, float], q_values: dict[int, float]) -> list[tuple[int, int, float]]:
    """Pairs among one node's children. ratings: people's labels in [0, 1]; q_values: rollouts' means in [0,
    1].

    People's pairs come first; rollouts add none where people already tell right from wrong.
    """
    right = [child for child, label in ratings.items() if label >= 0.5]
    wrong = [child for child, label in ratings.items() if label < 0.5]
    if not (right and wrong):
        order = sorted(q_values, key=lambda child: -q_values[child])
        right = [child for child in order if q_values[child] > 0.0][:TOP]
        wrong = [child for child in reversed(order) if q_values[child] < 1.0][:TOP]
        scores = q_values
    else:
        scores = ratings
    return _weighted(
        [(better, worse) for better in right for worse in wrong if scores[better] > scores[worse]]
    )


def _weighted(pairs: list[tuple[int, int]]) -> list[tuple[int, int, float]]:
    """One node's pairs, each weighing 1 / (n_positive * n_negative) of the members that are in a pair."""
    sides = len({better for better, _ in pairs}) * len({worse for _, worse in pairs})
    return [(better, worse, 1.0 / sides) for better, worse in pairs]


def _example(
    rows: list[SnapshotRow],
    tokenizer: StepTokenizer,
    rule: LabelRule,
    final_pairs: bool,
    counts: Counter[str],
) -> Example | None:
    nodes = _merged(rows, tokenizer, rule, counts)
    children: dict[int, list[int]] = {}
    for index, node in enumerate(nodes[1:], start=1):
        children.setdefault(node.parent, []).append(index)
    found: list[tuple[int, int, float]] = []
    parents = 0
    for siblings in children.values():
        pairs = sibling_pairs(_means(nodes, siblings, "ratings"), _means(nodes, siblings, "q_values"))
        found += pairs
        parents += bool(pairs)
    final = _final_pairs(nodes) if final_pairs else []
    found += final
    parents += bool(final)
    return _pruned(rows[0].problem_id, nodes, found, parents) if found else None


def _merged(
    rows: list[SnapshotRow], tokenizer: StepTokenizer, rule: LabelRule, counts: Counter[str]
) -> list[_Node]:
    nodes = [_Node(tokenizer.problem(rows[0].problem), -1)]
    known: dict[tuple[int, bytes], int] = {}

    def child(parent: int, text: str) -> int:
        # By what the model reads: texts that are the same tokens cannot be preferred to each other.
        tokens = tokenizer.step(text)
        key = (parent, tokens.tobytes())
        if key not in known:
            known[key] = len(nodes)
            nodes.append(_Node(tokens, parent))
        return known[key]

    for row in rows:
        fitting, cut = tokenizer.solution(row.id, row.problem, row.steps)
        counts["truncated_steps"] += cut
        counts["truncated_solutions"] += bool(cut)
        path = [0]
        for k, text in enumerate(row.steps[: len(fitting) - 1]):
            path.append(child(path[-1], text))
            label, source = row.labels[k], row.label_source[k]
            if label is not None:
                node = nodes[path[-1]]
                (node.q_values if source == "automatic" else node.ratings).append(_evidence(row, k, label))
        _add_options(row, _fitting(row, fitting, tokenizer, counts), path, nodes, child, rule)
        labels = [label for label in row.labels if label is not None]
        if row.is_correct is not None and labels and not cut:
            nodes[path[-1]].endings.append((sum(labels) / len(labels), row.is_correct))
    return nodes


def _evidence(row: SnapshotRow, position: int, label: float) -> float:
    """The share of right rollouts where the label is the search's (hard ones have no margin)."""
    soft = (row.automatic or {}).get("soft")
    if row.label_source[position] == "automatic" and soft and soft[position] is not None:
        return float(soft[position])
    return label


def _fitting(
    row: SnapshotRow, nodes: list[Tokens], tokenizer: StepTokenizer, counts: Counter[str]
) -> list[dict[str, Any]]:
    """The alternatives that lie within the context behind their prefix; the others are counted."""
    inside = [option for option in row.options if option["position"] < len(nodes)]
    kept = [o for o in inside if tokenizer.fits(nodes[: o["position"] + 1], o["text"])]
    counts["truncated_alternatives"] += len(row.options) - len(kept)
    return kept


def _add_options(
    row: SnapshotRow,
    options: list[dict[str, Any]],
    path: list[int],
    nodes: list[_Node],
    child: Callable[[int, str], int],
    rule: LabelRule,
) -> None:
    """Alternatives in whose prefix no mistake is known, with people's ratings or the search's share."""
    last = last_place_for_alternatives(row, rule)
    for option in options:
        position, rating, share = option["position"], option.get("rating"), option.get("q_value")
        if position > last or not option["text"].strip():
            continue
        label = label_of(rating, rule.neutral)
        if rule.labels != "automatic" and label is not None:
            nodes[child(path[position], option["text"])].ratings.append(label)
        elif rule.labels != "human" and share is not None:
            nodes[child(path[position], option["text"])].q_values.append(share)


def _means(nodes: list[_Node], siblings: list[int], name: str) -> dict[int, float]:
    said = {index: getattr(nodes[index], name) for index in siblings}
    return {index: sum(values) / len(values) for index, values in said.items() if values}


def _final_pairs(nodes: list[_Node]) -> list[tuple[int, int, float]]:
    """Whole right solutions against whole wrong ones: the two with the highest and lowest mean label.

    A right answer whose steps are labelled no better than a wrong one's contradicts itself, and is no pair.
    """
    ends = sorted((mean, right, index) for index, node in enumerate(nodes) for mean, right in node.endings)
    # A node where several solutions end counts once, by the mean that the loop meets last: its own extreme.
    right = {index: mean for mean, is_right, index in ends if is_right}
    wrong = {index: mean for mean, is_right, index in reversed(ends) if not is_right}
    best = sorted(right, key=lambda index: (-right[index], index))[:TOP]
    worst = sorted(wrong, key=lambda index: (wrong[index], index))[:TOP]
    return _weighted([(b, w) for b in best for w in worst if b != w and right[b] > wrong[w]])


def _pruned(name: str, nodes: list[_Node], pairs: list[tuple[int, int, float]], parents: int) -> Example:
    """Keep the nodes on the way to a compared one."""
    needed: set[int] = {0}
    for better, worse, _ in pairs:
        for node in (better, worse):
            while node not in needed:
                needed.add(node)
                node = nodes[node].parent
    kept = sorted(needed)
    number = {old: new for new, old in enumerate(kept)}
    tree = TokenTree([nodes[old].tokens for old in kept], [number.get(nodes[old].parent, -1) for old in kept])
    reads = sorted({number[node] for better, worse, _ in pairs for node in (better, worse)})
    place = {node: index for index, node in enumerate(reads)}
    numbered = [(place[number[b]], place[number[w]], weight) for b, w, weight in pairs]
    return Example(name, tree, reads, [], [1.0] * len(reads), numbered, parents)
