"""MATH-APS (OmegaPRM's output): `{question_id, question, final_answer, reasoning_steps}`.

Flat: `reasoning_steps` is a list of `{solution_prefix, mc_value}`. Tree: it is one node
`{text, mc_value, children}` whose root text is the question. One format name reads both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean
from typing import Any

from ml.formats import fields
from ml.formats.fields import Record
from ml.formats.first_mistake import chain
from ml.formats.lines import Unreadable
from ml.records import LabelledSolution, Problem, Solution
from ml.said import Said
from ml.segmentation import segment

KEYS = frozenset({"question", "reasoning_steps"})
FLAT = frozenset({"reasoning_steps[].solution_prefix", "reasoning_steps[].mc_value"})
READS = frozenset({"question_id", "question", "final_answer", "reasoning_steps"}) | FLAT
NODE = frozenset({"text", "mc_value", "children"})
# Search stops long before these; without them one line could unfold into more than the memory holds.
DEEPEST = 100
MOST_NODES = 10_000
MOST_PREFIXES = 2_000


def parse(record: Record, line: int) -> Iterator[LabelledSolution]:
    """One solution per flat prefix, or per leaf of a tree, with ids LINE/INDEX. Raises Unreadable.

    The published files use one `question_id` on several lines, so it names the problem only.

    `extra["soft"]` has each step's mc_value, None where the file has none: the whole remaining solution that a
    leaf may hold has the value of its last step alone. Nobody annotated them.
    """
    problem = problem_of(record, line)
    if isinstance(record.get("reasoning_steps"), dict):
        paths = _tree_paths(problem.id, fields.mapping(record, "reasoning_steps"))
    else:
        paths = _flat_paths(problem.text, fields.objects(record, "reasoning_steps", at_least=1))
    for index, (steps, soft) in enumerate(paths):
        solution = Solution(f"{line}/{index}", problem, chain(steps), extra={"soft": list(soft)})
        yield LabelledSolution(line, solution)


def unread_inside(record: Record) -> Iterator[str]:
    """The keys that nodes of a tree have beside ours, wherever they stand in it."""
    waiting = [record["reasoning_steps"]] if isinstance(record["reasoning_steps"], dict) else []
    while waiting:
        node = waiting.pop()
        yield from (f"reasoning_steps.{key}" for key in node if key not in NODE)
        waiting.extend(node.get("children", ()))


def problem_of(record: Record, line: int) -> Problem:
    """The problem of a line, which may be all it tells: a tree can be a bare root."""
    identity = fields.identity_or_line(record, "question_id", line)
    return Problem(identity, fields.text(record, "question"), fields.short_answer(record, "final_answer"))


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A node that is still to be read: the steps and values from below the root to it, and where it stands."""

    node: Record
    steps: list[str]
    soft: list[float | None]
    place: str


def _tree_paths(name: str, root: Record) -> Iterator[tuple[list[str], list[float | None]]]:
    """The steps and values from below the root down to each leaf, in the order of the file.

    A leaf's paragraphs are a step each: it may hold the whole remaining solution. The root may be without a value.
    What cannot be read is named with the tree, and with its place there.
    """
    waiting = [_Waiting(root, [], [], "reasoning_steps")]
    nodes = 0
    while waiting:
        at = waiting.pop()
        with fields.naming(f"tree {name!r}, {at.place}"):
            if at.node is root and root.get("mc_value") is not None:
                fields.number(root, "mc_value", 0, 1)
            children = fields.objects(at.node, "children") if "children" in at.node else []
        if not children and at.steps:
            last = segment(at.steps[-1], "paragraph")
            yield [*at.steps[:-1], *last], [*at.soft[:-1], *[None] * (len(last) - 1), at.soft[-1]]
        nodes += 1
        if len(at.steps) > DEEPEST or nodes > MOST_NODES:
            found = Said(
                "tree %(name)s: a tree of more than %(steps)s steps or %(nodes)s nodes",
                name=repr(name),
                steps=DEEPEST,
                nodes=MOST_NODES,
            )
            raise Unreadable(found, "a smaller tree")
        for index, child in reversed(list(enumerate(children))):
            place = f"{at.place}.children[{index}]"
            with fields.naming(f"tree {name!r}, {place}"):
                text, value = fields.text(child, "text").strip(), fields.number(child, "mc_value", 0, 1)
            waiting.append(_Waiting(child, [*at.steps, text], [*at.soft, value], place))


def _flat_paths(question: str, entries: Sequence[Record]) -> Iterator[tuple[list[str], list[float | None]]]:
    """Each prefix cut where shorter prefixes of the record end; the bare question is left out."""
    if len(entries) > MOST_PREFIXES:
        raise Unreadable(
            Said("%(count)s prefixes of one question", count=len(entries)),
            Said("at most %(most)s", most=MOST_PREFIXES),
        )
    seen: dict[str, list[float]] = {}
    for entry in entries:
        prefix = fields.text(entry, "solution_prefix")
        if not prefix.startswith(question):
            raise Unreadable(
                "a `solution_prefix` that does not begin with the question", "question, then steps"
            )
        body = prefix[len(question) :].strip()
        if body:
            seen.setdefault(body, []).append(fields.number(entry, "mc_value", 0, 1))
    # Two nodes of the search may hold the same text, each with rollouts of its own.
    known = {body: fmean(values) for body, values in seen.items()}
    shorter = sorted(known, key=len)
    for body in known:
        ends = [len(start) for start in shorter if _ends_within(start, body)]
        cuts = [0, *ends, len(body)]
        steps = [body[begin:end].strip() for begin, end in pairwise(cuts)]
        yield steps, [known[body[:end]] for end in cuts[1:]]


def _ends_within(start: str, body: str) -> bool:
    """Whether a step of `body` ends where `start` does: "x = 1" begins "x = 12", and is no prefix of its steps."""
    return len(start) < len(body) and body.startswith(start) and body[len(start)].isspace()


def write_record(tree: Mapping[str, Any]) -> dict[str, Any]:
    """The tree line for one line of `trees.jsonl` (id, problem, answer, nodes; parents before children).

    mc_value: the share of correct rollouts, null at a root without any; what a model guessed is none. Of a tree whose
    nodes do not count what was graded it is `soft`, else the q_value, which rStar counts from -1 to 1. A node of the
    format is a span of steps: one that nothing was graded through (OmegaPRM probes few) stands in front of what was
    graded below it, and is left out where nothing was. An end without a text of its own adds no node.
    """
    lowest = -1.0 if tree.get("method") == "rstar" else 0.0
    root: dict[str, Any] | None = None
    # For each node: the written node that what comes below hangs on, and the steps that wait to be written there.
    places: dict[int, tuple[dict[str, Any], list[str]]] = {}
    for node in tree["nodes"]:
        if node["parent"] is None:
            root = {"text": tree["problem"], "mc_value": _share(node, lowest), "children": []}
            places[node["id"]] = root, []
            continue
        above, waiting = places[node["parent"]]
        steps = [*waiting, node["text"]] if node["text"] else waiting
        if steps and node.get("graded", node["visits"]):
            # A blank line between steps: it is where a leaf is cut when it is read again.
            text = "\n\n".join(steps)
            written: dict[str, Any] = {"text": text, "mc_value": _share(node, lowest), "children": []}
            above["children"].append(written)
            above, steps = written, []
        places[node["id"]] = above, steps
    if root is None:
        raise ValueError(f"tree {tree['id']} has no root")
    return {
        "question": tree["problem"],
        "final_answer": tree["answer"],
        "reasoning_steps": root,
        "question_id": tree.get("question_id", tree["id"]),
    }


def _share(node: Mapping[str, Any], lowest: float) -> float | None:
    if "graded" in node:
        return node["correct"] / node["graded"] if node["graded"] else None
    value = node.get("q_value")
    if node.get("soft") is not None:
        return float(node["soft"])
    return None if value is None else min(max((float(value) - lowest) / (1.0 - lowest), 0.0), 1.0)
