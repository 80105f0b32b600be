"""A stored search tree as a page walks it: what is shown, where it stands, and the way to the answer."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext

from labelsite.autolabels.wording import pruned_in_words, verdict_in_words
from ml.search.tree import lowest_q
from ml.segmentation import split_code

# Up to here everything is open at first; beyond, the most visited nodes are until about this many are shown.
COMFORTABLE = 250
SHOWN_AT_FIRST = 160


@dataclass(slots=True)
class TreeNode:
    """A node of trees.jsonl with its place in the drawing: `column` is its depth, `row` its height."""

    id: int
    parent: int | None
    facts: Mapping[str, Any]
    children: list[int] = field(default_factory=list)
    size: int = 1
    column: int = 0
    row: int = 0
    is_open: bool = False
    on_best_path: bool = False
    leads_to_answer: bool = False

    @property
    def sentence(self) -> str:
        return split_code(str(self.facts.get("text") or ""))[0]

    @property
    def code(self) -> str | None:
        return self.facts.get("code") or split_code(str(self.facts.get("text") or ""))[1]

    @property
    def title(self) -> str:
        """What tells the step from its siblings: their sentences are often the same, what they compute is not."""
        return " ".join((self.code or self.sentence).split()) or gettext("ends here")

    @property
    def verdict(self) -> str:
        """How its code ended, in words; empty for a step without code."""
        return verdict_in_words(str(self.facts.get("verdict") or ""))

    @property
    def why_pruned(self) -> str:
        """Why it is never selected, in words; empty for a step that may be."""
        return pruned_in_words(str(self.facts.get("pruned") or ""))

    @property
    def hidden(self) -> int:
        """How many nodes hang below a closed one."""
        return 0 if self.is_open else self.size - 1


class TreeView:
    """The tree with some nodes open. `toggled` are those that differ from what is open at first."""

    def __init__(
        self, data: Mapping[str, Any], toggled: Collection[int] = (), is_all_open: bool = False
    ) -> None:
        self.data = data
        self.nodes = [TreeNode(fact["id"], fact["parent"], fact, column=0) for fact in data["nodes"]]
        for node in self.nodes[1:]:
            parent = self.nodes[node.parent or 0]
            parent.children.append(node.id)
            node.column = parent.column + 1
        for node in reversed(self.nodes[1:]):
            self.nodes[node.parent or 0].size += node.size
        self._mark_answers()
        for node in self.nodes:
            node.children.sort(key=self._order)
        self._open(toggled, is_all_open)
        self.shown = self._placed()

    @property
    def root(self) -> TreeNode:
        return self.nodes[0]

    @property
    def lowest_q(self) -> float:
        return lowest_q(str(self.data.get("method")))

    @property
    def columns(self) -> int:
        return 1 + max(node.column for node in self.shown)

    @property
    def rows(self) -> int:
        return 1 + max(node.row for node in self.shown)

    def path(self, node: TreeNode) -> list[TreeNode]:
        """From the first step to `node`; the root, which is the bare problem, is left out."""
        path: list[TreeNode] = []
        while node.parent is not None:
            path.append(node)
            node = self.nodes[node.parent]
        return path[::-1]

    def counts(self) -> dict[str, int]:
        """What the tree's ends are, how much was pruned, and how many draws nothing could grade or use."""
        ends = [node.facts.get("terminal") for node in self.nodes]
        return {
            "nodes": len(self.nodes),
            "correct": ends.count("correct"),
            "wrong": ends.count("wrong"),
            "invalid": ends.count("invalid"),
            "pruned": sum(bool(node.facts.get("pruned")) for node in self.nodes),
            "lost": sum(int(node.facts.get("lost") or 0) for node in self.nodes),
        }

    def _mark_answers(self) -> None:
        answers = [node for node in self.nodes if node.facts.get("terminal") == "correct"]
        for answer in answers:
            for node in self.path(answer):
                node.leads_to_answer = True
        best = max(answers, key=_worth, default=None)
        if best is not None:
            for node in [self.root, *self.path(best)]:
                node.on_best_path = True

    def _order(self, child: int) -> tuple[bool, bool]:
        """The way to the answer first, what was pruned last, and else as the steps were made."""
        node = self.nodes[child]
        return not node.on_best_path, bool(node.facts.get("pruned"))

    def _open(self, toggled: Collection[int], is_all_open: bool) -> None:
        if is_all_open or len(self.nodes) <= COMFORTABLE:
            for node in self.nodes:
                node.is_open = bool(node.children)
        else:
            self._open_most_visited()
        for number in toggled:
            if 0 <= number < len(self.nodes) and self.nodes[number].children:
                self.nodes[number].is_open = not self.nodes[number].is_open

    def _open_most_visited(self) -> None:
        """The way to the answer, then whatever was visited most, until the drawing is full."""
        shown = 1
        waiting = [(0, 0)]
        while waiting and shown < SHOWN_AT_FIRST:
            _, number = heapq.heappop(waiting)
            node = self.nodes[number]
            node.is_open = bool(node.children)
            shown += len(node.children)
            for child in node.children:
                visits = int(self.nodes[child].facts.get("visits") or 0)
                urgency = -visits - (10**9 if self.nodes[child].on_best_path else 0)
                heapq.heappush(waiting, (urgency, child))

    def _placed(self) -> list[TreeNode]:
        """Depth first: every leaf of the drawing has its own row, a parent stands in that of its first child.

        So the way to the answer is one straight line at the top, and a large tree begins where one looks first.
        """
        shown: list[TreeNode] = []
        row = 0
        waiting = [0]
        while waiting:
            node = self.nodes[waiting.pop()]
            node.row = row
            shown.append(node)
            if node.is_open and node.children:
                waiting.extend(reversed(node.children))
            else:
                row += 1
        return shown


def parse_toggled(text: str) -> list[int]:
    """The numbers in "3,17,40"; what is no number is passed over."""
    return [int(part) for part in text.split(",")[:500] if part.isdecimal() and len(part) < 9]


def with_toggled(toggled: Sequence[int], number: int) -> str:
    """The list with one more change, or one less."""
    changed = [other for other in toggled if other != number] if number in toggled else [*toggled, number]
    return ",".join(map(str, changed))


def _worth(node: TreeNode) -> tuple[float, int]:
    return float(node.facts.get("q_value") or 0.0), int(node.facts.get("visits") or 0)
