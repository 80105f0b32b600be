"""Growing a node: ask for candidates, drop doubles, run their code or grade their end, and note what came
out.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from ml.execution import Execution
from ml.policies.protocol import Continuation
from ml.search.grading import code_of, codes_of
from ml.search.probing import ASKED_AGAIN, seed_of_try
from ml.search.requests import Grade, Graded, NextSteps, Request, Run, Search
from ml.search.tree import CORRECT, INVALID, WRONG, Node, Tree

# Why a node is never selected; where its code failed, Python's own error follows.
CUT_OFF, UNREAD, DOES_NOT_RUN = "cut off at the longest step", "no answer to read", "does not run: "


def expand(
    tree: Tree,
    node: Node,
    count: int,
    temperature: float,
    seed: int,
    depth: int,
    finished: str = "all",
    errors_threshold: int | None = None,
    phrases_end: bool = True,
) -> Search[list[Node]]:
    """Give `node` its children; returns them, pruned ones included.

    depth: steps at most behind the root; a node that deep without an end is an invalid one. finished:
    "all", or "first": where any candidate ended the solution, the first such one is the only child.
    errors_threshold: None prunes a candidate that does not run; n keeps it, and makes it an invalid end at n failing
    steps in a row. A step that was cut off at its longest is pruned: half a step is none to go on from.
    phrases_end: whether a step ends the solution that only states an answer.
    """
    node.expanded = True
    continuations = yield from _draws(tree, node, count, temperature, seed)
    if not phrases_end:
        continuations = [replace(one, finished=one.finished and not one.by_phrase) for one in continuations]
    drawn = Counter(map(_identity, continuations))
    children = list[Node]()
    for candidate in distinct(continuations, finished):
        # An end at once says that the steps so far are the solution: a child without text. Nothing is none.
        if candidate.steps or tree.steps(node):
            child = tree.add(node, "\n".join(candidate.steps), candidate.finished)
            child.drawn = drawn[_identity(candidate)]
            child.pruned = CUT_OFF if candidate.cut else None
            children.append(child)
    whole = [child for child in children if child.pruned is None]
    outcomes = yield [_question(tree, child) for child in whole]
    for child, outcome in zip(whole, outcomes, strict=True):
        _note(tree, child, outcome, depth, errors_threshold)
    return children


def _draws(tree: Tree, node: Node, count: int, temperature: float, seed: int) -> Search[list[Continuation]]:
    """Candidates without those that are lost, which the node counts; asked for again where all of them were: a node
    without children is given up for good, and such a node says nothing of itself.
    """
    kept = list[Continuation]()
    for attempt in range(1 + ASKED_AGAIN):
        request = NextSteps(tree.prefix(node), count, temperature, seed_of_try(seed, attempt))
        written: list[Continuation] = (yield [request])[0]
        kept = [one for one in written if not one.lost]
        node.lost += len(written) - len(kept)
        if kept or not written:
            break
    return kept


def distinct(continuations: list[Continuation], finished: str = "all") -> list[Continuation]:
    """Candidates without equal ones, in their order.

    An end, an inner step and one that was cut off of the same words are three, and a candidate that says nothing and
    does not end is none.
    """
    kept: dict[tuple[tuple[str, ...], bool, bool], Continuation] = {}
    for candidate in continuations:
        if candidate.steps or candidate.finished:
            kept.setdefault(_identity(candidate), candidate)
    ended = [candidate for candidate in kept.values() if candidate.finished]
    return ended[:1] if finished == "first" and ended else list(kept.values())


def _identity(candidate: Continuation) -> tuple[tuple[str, ...], bool, bool]:
    return candidate.steps, candidate.finished, candidate.cut


def _question(tree: Tree, child: Node) -> Request:
    steps = tree.steps(child)
    return Grade(tree.problem, steps) if child.finished else Run(codes_of(steps))


def _note(
    tree: Tree, child: Node, outcome: Graded | Execution, depth: int, errors_threshold: int | None
) -> None:
    """Write what running or grading told onto a new node."""
    execution = outcome.execution if isinstance(outcome, Graded) else outcome
    child.code = code_of(child.text)
    if execution is not None and child.code is not None:
        child.output, child.verdict = execution.output, str(execution.verdict)
        child.sandbox_level = execution.level
    if execution is not None and not execution.ok:
        if execution.verdict == "infrastructure":
            # Our own failure says nothing of the step: it is neither selected nor counted.
            child.pruned = "infrastructure"
        elif errors_threshold is None:
            child.pruned = f"{DOES_NOT_RUN}{execution.error}"
        elif child.finished or _errors_in_a_row(tree, child) >= errors_threshold:
            child.terminal = INVALID
    elif isinstance(outcome, Graded) and outcome.is_unread and not child.text:
        # An end at once, behind steps in which nobody can read an answer: it says nothing of them.
        child.pruned = UNREAD
    elif isinstance(outcome, Graded):
        child.final_answer = outcome.answer
        child.terminal = INVALID if outcome.answer is None else CORRECT if outcome.is_correct else WRONG
    if child.pruned is None and child.terminal is None and child.depth >= depth:
        child.terminal = INVALID


def _errors_in_a_row(tree: Tree, node: Node) -> int:
    count = 0
    for step in reversed(tree.path(node)):
        if step.verdict != "program_error":
            break
        count += 1
    return count
