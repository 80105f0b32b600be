"""A problem's solutions and their alternatives as one tree, with all that was said of each step.

Q stands between 0 and 1 here, as labels do: the share of right ends, or a search's own value brought to that range.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ml.prm.tokenization import StepTokenizer
from ml.prm.tokens import Tokens
from ml.snapshot import SnapshotRow
from ml.targets.rules import LabelRule, label_of
from ml.targets.snapshot_rows import is_finished, last_place_for_alternatives


@dataclass
class Step:
    """One distinct step after one distinct prefix.

    ratings: people's labels. q_values: what rollouts say. has_right, has_wrong: whether some rollout through it came
    out so. is_labelled: whether the label rule lets what is said of it teach at all; behind a first mistake it does
    not. ends: whether the solutions that end here are right.
    """

    tokens: Tokens
    text: str
    parent: int
    ratings: list[float] = field(default_factory=list)
    q_values: list[float] = field(default_factory=list)
    has_right: bool = False
    has_wrong: bool = False
    is_labelled: bool = False
    ends: set[bool] = field(default_factory=set)
    children: list[int] = field(default_factory=list)

    @property
    def rating(self) -> float | None:
        """The mean of people's labels."""
        return _mean(self.ratings)

    @property
    def q_value(self) -> float | None:
        """The mean of what rollouts say."""
        return _mean(self.q_values)

    @property
    def value(self) -> float | None:
        """People's word where there is one, else the rollouts'."""
        return self.rating if self.ratings else self.q_value


class MergedTree:
    """Equal steps behind equal prefixes are one node; node 0 is the problem."""

    def __init__(self, rows: Sequence[SnapshotRow], tokenizer: StepTokenizer, rule: LabelRule) -> None:
        problem = rows[0].problem
        self.nodes = [Step(tokenizer.problem(problem), problem, -1)]
        self._known: dict[tuple[int, bytes], int] = {}
        self._tokenizer, self._rule = tokenizer, rule

    def take(self, row: SnapshotRow, counts: Counter[str]) -> None:
        """Take in a solution and the alternatives beside it; `counts` gains what does not fit the context."""
        fitting, cut = self._tokenizer.solution(row.id, row.problem, row.steps)
        counts["truncated_steps"] += cut
        counts["truncated_solutions"] += bool(cut)
        path = [0]
        for k, text in enumerate(row.steps[: len(fitting) - 1]):
            path.append(self._child(path[-1], text))
            self._hear(self.nodes[path[-1]], row, k)
        self._take_options(row, fitting, path, counts)
        # Who was cut off, here or by the context, came to no end, and to no wrong one without a mistake.
        has_ended = is_finished(row) or row.first_mistake is not None
        if row.is_correct is not None and has_ended and not cut:
            self.nodes[path[-1]].ends.add(row.is_correct)

    def path(self, index: int) -> list[int]:
        """The nodes from the first step to this one."""
        path = []
        while index:
            path.append(index)
            index = self.nodes[index].parent
        return path[::-1]

    def mean(self, index: int) -> float | None:
        """The mean value of a trajectory's steps, those left out of which nothing is known."""
        known = (self.nodes[node].value for node in self.path(index))
        return _mean([value for value in known if value is not None])

    def ends(self, is_right: bool) -> Iterator[int]:
        """Where right (or wrong) solutions end of whose steps something is known."""
        for index, node in enumerate(self.nodes):
            if is_right in node.ends and self.mean(index) is not None:
                yield index

    def leads_to(self, is_right: bool) -> set[int]:
        """The nodes that stand on the way to a right (or wrong) end, the ends themselves included."""
        found: set[int] = set()
        for end in self.ends(is_right):
            found.update(self.path(end))
        return found

    def _child(self, parent: int, text: str) -> int:
        # By what the model reads: texts that are the same tokens cannot be preferred to each other.
        tokens = self._tokenizer.step(text)
        key = (parent, tokens.tobytes())
        if key not in self._known:
            self._known[key] = len(self.nodes)
            self.nodes[parent].children.append(len(self.nodes))
            self.nodes.append(Step(tokens, text, parent))
        return self._known[key]

    def _hear(self, node: Step, row: SnapshotRow, position: int) -> None:
        """Take in what a row says of a step on its trajectory."""
        label, source = row.labels[position], row.label_source[position]
        node.is_labelled |= label is not None
        if label is not None and source != "automatic":
            node.ratings.append(label)
        elif label is not None or self._speaks_behind_labels(row, position):
            _hear_rollouts(node, row, position, label)

    def _speaks_behind_labels(self, row: SnapshotRow, position: int) -> bool:
        """Whether rollouts say something of a step without a label: the mean Q of a trajectory is that of all its
        steps, and a wrong one is the worse for those behind its mistake.

        Not behind a mistake that a person found, since rollouts that come right from there are luck; not where too few
        went there, nor in a row that the rule has dropped.
        """
        if all(label is None for label in row.labels):
            return False
        if not self._rule.has_labels_of_rollouts and "automatic" not in row.label_source:
            return False
        people = (row.human or {}).get("first_mistake") if self._rule.labels != "automatic" else None
        visits = (row.automatic or {}).get("visits")
        enough = visits is None or (visits[position] or 0) >= max(self._rule.minimum_visits, 1)
        return enough and (people is None or position <= people)

    def _take_options(
        self, row: SnapshotRow, fitting: list[Tokens], path: list[int], counts: Counter[str]
    ) -> None:
        """Alternatives in whose prefix no mistake is known, with people's ratings or the search's share."""
        last = last_place_for_alternatives(row, self._rule)
        for option in self._fitting_options(row, fitting, counts):
            position, rating, share = option["position"], option.get("rating"), option.get("q_value")
            if position > last or not option["text"].strip():
                continue
            label = label_of(rating, self._rule.neutral)
            if self._rule.labels != "automatic" and label is not None:
                self._beside(path[position], option["text"]).ratings.append(label)
            elif self._rule.labels != "human" and share is not None:
                _hear_q(self._beside(path[position], option["text"]), share, share > 0.0, share < 1.0)

    def _beside(self, parent: int, text: str) -> Step:
        """The node of an alternative that teaches."""
        node = self.nodes[self._child(parent, text)]
        node.is_labelled = True
        return node

    def _fitting_options(
        self, row: SnapshotRow, fitting: list[Tokens], counts: Counter[str]
    ) -> list[dict[str, Any]]:
        """The alternatives that lie within the context behind their prefix; the others are counted."""
        inside = [option for option in row.options if option["position"] < len(fitting)]
        kept = [o for o in inside if self._tokenizer.fits(fitting[: o["position"] + 1], o["text"])]
        counts["truncated_alternatives"] += len(row.options) - len(kept)
        return kept


def _hear_rollouts(node: Step, row: SnapshotRow, position: int, label: float | None) -> None:
    """What rollouts say of a step: a search's own Q, else the share of right ones, else the bare label."""
    said = {name: values[position] for name, values in _series(row) if values}
    seen, right = said.get("visits"), said.get("correct")
    share = right / seen if seen and right is not None else said.get("soft")
    known: float | None = label if share is None else share
    if known is None:
        return
    lowest, own = (row.automatic or {}).get("lowest_q"), said.get("q_value")
    q = known if lowest is None or own is None else (own - lowest) / (1.0 - lowest)
    # A preference model's first value is part of Q, and no rollout: only the share tells what came out below.
    _hear_q(node, q, known > 0.0, known < 1.0)


def _series(row: SnapshotRow) -> Iterator[tuple[str, Any]]:
    return ((name, (row.automatic or {}).get(name)) for name in ("visits", "correct", "soft", "q_value"))


def _hear_q(node: Step, q: float, has_right: bool, has_wrong: bool) -> None:
    node.q_values.append(q)
    node.has_right |= has_right
    node.has_wrong |= has_wrong


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
