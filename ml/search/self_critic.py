"""ReST-MCTS*'s self-critic that asks: the policy says whether a node's steps solve the problem, before the node is
expanded, or given up at the depth limit.

The simple critic needs nothing of this: a step that states an answer ends its solution (`policies/prompt.py`).
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from ml.policies.prompt import CRITIC
from ml.policies.protocol import Continuation, Prefix, Unanswerable
from ml.search.requests import Grade, Graded, NextSteps, Search
from ml.search.tree import CORRECT, INVALID, WRONG, Node, Tree

PHRASE: Final = "phrase"
ASK: Final = "ask"

_SOLVED = re.compile(r"\bsolved\b", re.IGNORECASE)
_NOT_SOLVED = re.compile(r"\b(?:unsolved|not)\b|n['\u2019]t\b", re.IGNORECASE)


def ends_here(tree: Tree, node: Node, seed: int) -> Search[bool]:
    """Ask about `node`; where the policy calls it solved, it is a graded end from then on.

    The root, what the search was given, is not asked about. Where no answer can be read or graded the search goes on:
    such an end would say nothing of the steps before it. So it does where the question is too long for the policy: a
    prefix of the search loses its oldest steps then, and a question has none to lose.
    """
    if node is tree.root:
        return False
    replies: list[Continuation] | Unanswerable = (
        yield [NextSteps(question(tree, node), 1, 0.0, seed, is_optional=True)]
    )[0]
    if isinstance(replies, Unanswerable):
        return False
    if not any(says_solved("\n".join(reply.steps)) for reply in replies if not reply.lost):
        return False
    graded: Graded = (yield [Grade(tree.problem, tree.steps(node))])[0]
    if graded.is_unread or not graded.is_evidence:
        return False
    node.finished, node.final_answer = True, graded.answer
    node.terminal = INVALID if graded.answer is None else CORRECT if graded.is_correct else WRONG
    node.graded, node.correct = node.graded + 1, node.correct + graded.is_correct
    node.nearest = 0 if graded.is_correct else node.nearest
    tree.note_execution(node, graded.execution)
    return True


def question(tree: Tree, node: Node) -> Prefix:
    """What the policy is asked, as a problem of its own: without the reference, and in a template of its own."""
    text = "\n\n".join([tree.problem.text, "Solution so far:", *tree.steps(node)])
    return Prefix(replace(tree.problem, text=text, answer=None, reference_solution=None), (), CRITIC)


def says_solved(reply: str) -> bool:
    """Whether a reply says "solved", and not "unsolved" or "not solved"; any other says nothing, and ends nothing."""
    return bool(_SOLVED.search(reply)) and not _NOT_SOLVED.search(reply)
