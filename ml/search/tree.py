"""The search tree: it stores, and nothing else. Rules choose (`selection.py`), recipes walk.

Node 0 is the root: the problem and, for a given solution, the steps that the search starts after. A node is
one step; `visits`, `value_sum` and `q_value` are what came back through it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ml.execution import Execution, Verdict
from ml.policies.protocol import Prefix
from ml.records import Problem
from ml.search.grading import codes_of

CORRECT, WRONG, INVALID = "correct", "wrong", "invalid"


def lowest_q(method: str) -> float:
    """Where a method's Q-values begin: rStar rewards a wrong end with -1."""
    return -1.0 if method == "rstar" else 0.0


@dataclass(slots=True)
class Node:
    """One step in a tree.

    value_sum: summed outcomes, so that q_value = value_sum / visits. value: a method's own value where it is no
    mean of outcomes (MCTS*'s V); of a tree `by_value` it is the only one. prior: what a value model gave the node
    when it was new. drawn: how many of its parent's candidates said the same. graded: how many graded paths went
    through it, rollouts from here or ends below. correct: how many of them were correct. nearest: the fewest
    further steps after which a rollout from here was right, None without one. lost: rollouts from here that nothing
    could grade, and candidates that were no draws of the policy: they say nothing of the step. terminal: correct,
    wrong or invalid (no answer, or cut off) once graded. pruned: why the node is never selected, None where it may
    be. finished: the policy ended the solution here; where it did so at once, behind the steps so far, the node has
    no text. sandbox_level: where its code ran. exhausted: nothing below is left to select.
    """

    id: int
    parent: int | None
    depth: int
    text: str
    code: str | None = None
    output: str | None = None
    verdict: str | None = None
    sandbox_level: str | None = None
    visits: int = 0
    value_sum: float = 0.0
    value: float | None = None
    prior: float | None = None
    terminal: str | None = None
    final_answer: str | None = None
    pruned: str | None = None
    quality_value: float | None = None
    drawn: int = 1
    graded: int = 0
    correct: int = 0
    nearest: int | None = None
    lost: int = 0
    by_value: bool = False
    finished: bool = False
    expanded: bool = False
    exhausted: bool = False
    children: list[int] = field(default_factory=list)

    @property
    def q_value(self) -> float | None:
        """The method's value, else the mean outcome, else None for a node that nothing came back through."""
        if self.value is not None or self.by_value:
            return self.value
        return self.value_sum / self.visits if self.visits else None


@dataclass(slots=True)
class Tree:
    """A problem, the steps that the root stands after, and the nodes in the order of their creation.

    by_value: the method gives each node a value of its own; a node without one has no Q, however often it was visited.
    """

    problem: Problem
    given: tuple[str, ...] = ()
    style: str = "prose"
    method: str = ""
    by_value: bool = False
    nodes: list[Node] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not self.nodes:
            self.nodes.append(Node(0, None, 0, "", by_value=self.by_value))

    @property
    def root(self) -> Node:
        """Node 0."""
        return self.nodes[0]

    def add(self, parent: Node, text: str, finished: bool = False) -> Node:
        """A new child of `parent`."""
        node = Node(
            len(self.nodes), parent.id, parent.depth + 1, text, finished=finished, by_value=self.by_value
        )
        self.nodes.append(node)
        parent.children.append(node.id)
        return node

    def children(self, node: Node) -> list[Node]:
        """The children of `node`, in the order of their creation."""
        return [self.nodes[child] for child in node.children]

    def step(self, node: Node, text: str, finished: bool) -> Node:
        """The child of `node` with this text, made where it is missing.

        Where one solution ends, another may go on after the same words: an end and an inner step are two nodes,
        since what comes back from one says nothing of the other.
        """
        known = (child for child in self.children(node) if child.text == text and child.finished == finished)
        return next(known, None) or self.add(node, text, finished)

    def path(self, node: Node) -> list[Node]:
        """From the root to `node`, both included."""
        path = [node]
        while path[-1].parent is not None:
            path.append(self.nodes[path[-1].parent])
        return path[::-1]

    def steps(self, node: Node) -> tuple[str, ...]:
        """The texts of the whole solution up to `node`, what the root was given included."""
        return self.given + tuple(step.text for step in self.path(node)[1:] if step.text)

    def distance(self, node: Node) -> int:
        """How many steps `node` lies behind the root; an end at once (a node without text) is none."""
        return len(self.steps(node)) - len(self.given)

    def prefix(self, node: Node) -> Prefix:
        """What a policy continues at `node`."""
        return Prefix(self.problem, self.steps(node), self.style)

    def backup(self, node: Node, outcome: float, correct: bool = False) -> None:
        """Add one graded outcome to `node` and to everything above it, the root included."""
        for step in self.path(node):
            step.visits += 1
            step.value_sum += outcome
            step.graded += 1
            step.correct += correct

    def add_up(self) -> None:
        """Add the evidence that each node has of itself alone to everything above it. Children stand behind their
        parents.
        """
        for node in reversed(self.nodes):
            if node.parent is None:
                continue
            parent = self.nodes[node.parent]
            parent.graded += node.graded
            parent.correct += node.correct
            if node.nearest is not None:
                distance = node.nearest + bool(node.text)
                parent.nearest = distance if parent.nearest is None else min(parent.nearest, distance)

    def note_execution(self, end: Node, execution: Execution | None) -> None:
        """Keep where the code of a whole path ran and how it went; what follows a step that failed did not run. Of what
        was printed only the last step's output is known: the others' is as a step of its own, if it ever is one.
        """
        if execution is None:
            return
        with_code = [node for node in self.path(end) if node.code is not None]
        # The given steps ran before the tree's own.
        ran = execution.ran - len(codes_of(self.given))
        executed = with_code[: max(0, ran + 1)]
        for place, node in enumerate(executed):
            node.sandbox_level = node.sandbox_level or execution.level
            # Our own failure says nothing of a step, and gives way to what another run found.
            if node.verdict in (None, Verdict.INFRASTRUCTURE):
                node.verdict = str(execution.verdict if place == ran else Verdict.OK)
        if executed and executed[-1].output is None:
            executed[-1].output = execution.output

    def terminals(self) -> Iterator[Node]:
        """Every graded end."""
        return (node for node in self.nodes if node.terminal in (CORRECT, WRONG))

    def as_json(self) -> dict[str, Any]:
        """The tree as one line of `trees.jsonl`."""
        return {
            "id": self.problem.id,
            "problem": self.problem.text,
            "answer": self.problem.answer,
            "method": self.method,
            "nodes": [_node_json(node) for node in self.nodes],
        }


def _node_json(node: Node) -> dict[str, Any]:
    return {
        "id": node.id,
        "parent": node.parent,
        "depth": node.depth,
        "text": node.text,
        "code": node.code,
        "output": node.output,
        "verdict": node.verdict,
        "sandbox_level": node.sandbox_level,
        "visits": node.visits,
        "value_sum": node.value_sum,
        "q_value": node.q_value,
        "graded": node.graded,
        "correct": node.correct,
        "prior": node.prior,
        "terminal": node.terminal,
        "final_answer": node.final_answer,
        "pruned": node.pruned,
        "quality_value": node.quality_value,
        **({"lost": node.lost} if node.lost else {}),
    }
