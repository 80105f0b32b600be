"""A search's trees as the rows of a snapshot: what a preference model of rStar-Math's later rounds learns from.

Every graded trajectory is a row, with the Q of each of its steps; siblings are therefore steps of other rows of the
same problem, and meet again where a problem's rows are merged by their texts. Steps that rollouts went through, and
that stand on no graded trajectory (OmegaPRM keeps few of its rollouts), hang beside the first row as alternatives.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ml.errors import BadRecord
from ml.json_lines import storable
from ml.result_lines import Refusal, TreeLine, read_trees
from ml.search.tree import CORRECT, WRONG, lowest_q
from ml.snapshot import SnapshotRow, problem_hash, split_of
from ml.snapshot_checks import complaint_about
from ml.targets.rules import LabelRule, refuse_shares_of_ends
from ml.targets.snapshot_rows import labelled
from ml.targets.unlabelled import stays

Node = Mapping[str, Any]


def rows_from_trees(
    path: Path, rule: LabelRule, dropped: Counter[str], keep_unlabelled: bool = False
) -> Iterator[SnapshotRow]:
    """The labelled rows of a `trees.jsonl`; `dropped` counts what is left out, by reason.

    keep_unlabelled: rows without a label stay where it is known whether their answer is right. A problem is named by
    the first tree that has its text. Raises BadRecord for a tree that says less than it must, and for one that stands
    in the file twice.
    """
    for row in labelled(_rows(path, dropped), rule):
        refuse_shares_of_ends(rule, [(row.automatic or {}).get("method")])
        if stays(row, keep_unlabelled):
            yield row
        else:
            dropped["solutions_without_labels"] += 1


def _rows(path: Path, dropped: Counter[str]) -> Iterator[SnapshotRow]:
    """The rows with their evidence, before labels."""
    used: set[str] = set()
    problems: dict[str, str] = {}
    for number, line in enumerate(read_trees(path), start=1):
        refusal = Refusal(path, number)
        if line.id in used:
            refusal(f"id {line.id!r} a second time", "each id once")
        used.add(line.id)
        tree = _SearchTree(line, refusal)
        name = problems.setdefault(problem_hash(tree.problem), tree.name)
        rows = list(tree.rows(dropped))
        if not rows:
            dropped["trees_without_a_graded_end"] += 1
        for row in rows:
            if complaint := complaint_about(row):
                raise BadRecord(str(path), number, f"record {row.id}: {complaint[0]}", complaint[1])
            yield replace(row, problem_id=name)


class _SearchTree:
    """One line of `trees.jsonl`, checked. Halves of surrogate pairs, which models write, are replaced in its texts."""

    def __init__(self, line: TreeLine, refusal: Refusal) -> None:
        self.name, self.refusal = str(storable(line.id)), refusal
        self.problem = self._text(line.data, "problem")
        self.answer = refusal.optional_text(line.data, "answer")
        self.method = refusal.optional_text(line.data, "method")
        self.lowest = lowest_q(str(self.method))
        self.nodes: Sequence[Node] = [self._checked(node) for node in line.data["nodes"]]
        self.children: dict[int, list[int]] = {}
        for node in self.nodes:
            if node["parent"] is not None:
                self.children.setdefault(node["parent"], []).append(node["id"])

    def rows(self, dropped: Counter[str]) -> Iterator[SnapshotRow]:
        """A row for each graded trajectory. Of those with the same words the first one stays."""
        paths = [self._path(node) for node in self.nodes if self._is_graded_end(node)]
        on_a_path = {node["id"] for path in paths for node in path}
        said: set[tuple[str, ...]] = set()
        passed: set[int] = set()
        for path in paths:
            # An end at once, behind the steps so far, is a node without text and no step.
            steps = [node for node in path if node["text"].strip()]
            texts = tuple(node["text"] for node in steps)
            if not steps or texts in said:
                dropped["repeated_solutions" if steps else "solutions_without_usable_steps"] += 1
                continue
            said.add(texts)
            yield self._row(path[-1], steps, list(self._options(steps, on_a_path, passed)))

    def _row(self, end: Node, steps: Sequence[Node], options: list[dict[str, Any]]) -> SnapshotRow:
        answer = end["final_answer"]
        return SnapshotRow(
            id=f"{self.name}/{end['id']}",
            problem_id=self.name,
            problem=self.problem,
            answer=self.answer,
            steps=[node["text"] for node in steps],
            final_answer=answer,
            # A rollout that was cut off is no right one, and says nothing of a whole wrong solution either.
            is_correct=end["terminal"] == CORRECT if answer is not None else None,
            split=split_of(self.problem),
            automatic=self._evidence(steps),
            labels=[None] * len(steps),
            label_source=[None] * len(steps),
            options=options,
        )

    def _evidence(self, steps: Sequence[Node]) -> dict[str, Any]:
        seen, right = [node["graded"] for node in steps], [node["correct"] for node in steps]
        shares = [r / s if s else None for r, s in zip(right, seen, strict=True)]
        return {
            "visits": seen,
            "correct": right,
            "q_value": [node["q_value"] for node in steps],
            "hard": [int(r > 0) if s else None for r, s in zip(right, seen, strict=True)],
            "soft": shares,
            "quality_value": [node.get("quality_value") for node in steps],
            # Q of rStar begins at -1; the preference model's first value of a step is part of it, and of no share.
            "lowest_q": self.lowest,
            "method": self.method,
        }

    def _options(
        self, steps: Sequence[Node], on_a_path: set[int], passed: set[int]
    ) -> Iterator[dict[str, Any]]:
        """The steps beside a trajectory that stand on none, once for all rows that share the prefix."""
        for position, parent in enumerate([self.nodes[0], *steps]):
            if parent["id"] in passed:
                continue
            passed.add(parent["id"])
            for node in (self.nodes[child] for child in self.children.get(parent["id"], ())):
                if node["id"] in on_a_path or not node["graded"] or not node["text"].strip():
                    continue
                if node["q_value"] is not None:
                    q = (node["q_value"] - self.lowest) / (1.0 - self.lowest)
                    yield {"position": position, "text": node["text"], "rating": None, "q_value": q}

    def _path(self, node: Node) -> list[Node]:
        """From the first step to `node`; the root, which is the bare problem, is left out."""
        path = []
        while node["parent"] is not None:
            path.append(node)
            node = self.nodes[node["parent"]]
        return path[::-1]

    def _is_graded_end(self, node: Node) -> bool:
        """An end that was backed up: one that the search never came to has no Q."""
        return node.get("terminal") in (CORRECT, WRONG) and node["graded"] > 0

    def _checked(self, node: Node) -> Node:
        for name in ("graded", "correct"):
            if name not in node:
                self.refusal(f"node {node['id']} without {name}", "trees of python -m ml autolabel")
        if self.refusal.count(node, "correct") > self.refusal.count(node, "graded"):
            self.refusal(f"{node['correct']} correct of {node['graded']} graded", "at most as many")
        self.refusal.optional_number(node, "q_value", self.lowest, 1.0)
        self.refusal.optional_number(node, "quality_value", 0.0, 1.0)
        if not isinstance(node["text"], str):
            self.refusal(f"node {node['id']} without text", "a text, empty for an end at once")
        answer = self.refusal.optional_text(node, "final_answer")
        return {**node, "text": storable(node["text"]), "final_answer": answer}

    def _text(self, record: Mapping[str, Any], key: str) -> str:
        value = record.get(key)
        if not isinstance(value, str) or not value.strip():
            self.refusal(f"{key} {value!r}"[:200], "the problem's text")
        return str(storable(value))
