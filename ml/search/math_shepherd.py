"""Math-Shepherd: N completions from every prefix (arXiv 2312.08935, equations 3 and 4).

Hard estimate: 1 if any of the N ends in the reference answer. Soft estimate: the share that does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ml.policies.protocol import Continuation, Prefix
from ml.records import Problem, Solution, SolutionEstimate
from ml.search.estimates import LUCK, Evidence, conclude, examine, mistakes
from ml.search.grading import code_of
from ml.search.named_options import Amount, BelowOne, Count, Fresh, Given, Style
from ml.search.requests import Completions, Grade, Graded, Search
from ml.search.tree import CORRECT, INVALID, WRONG, Node, Tree
from ml.seeds import seed_of


@dataclass(frozen=True, slots=True)
class MathShepherd:
    """rollouts: N. threshold: a step is mistaken when correct / visits is not above it (0: hard estimation).
    luck: see `estimates.mistakes`; 0 takes every right rollout for proof, as the paper does.

    stop_at_first_mistake: go step by step and leave what follows the first mistake without an estimate;
    cheaper, but one call after another. style: in which style to continue, None for the solution's own.
    candidates: how many solutions of a fresh problem are sampled (the paper: 15).
    """

    rollouts: Count = 8
    candidates: Fresh[Count] = 15
    temperature: Amount = 0.8
    threshold: BelowOne = 0.0
    luck: BelowOne = LUCK
    stop_at_first_mistake: Given[bool] = False
    style: Style = None


def estimate(solution: Solution, options: MathShepherd, seed: int) -> Search[SolutionEstimate]:
    """Estimate every step of a given solution; all prefixes are asked for at once."""
    given = yield from examine(solution, options.style)
    positions = list(given.open_positions)
    groups = [[position] for position in positions] if options.stop_at_first_mistake else [positions]
    for group in groups:
        prefixes = [Prefix(solution.problem, given.steps[: position + 1], given.style) for position in group]
        evidence = yield from roll_out(prefixes, options.rollouts, options.temperature, seed)
        for position, found in zip(group, evidence, strict=True):
            given.evidence[position] = found
        if options.stop_at_first_mistake:
            known = given.evidence[: group[-1] + 1]
            if mistakes(known, options.threshold, options.luck)[-1]:
                given.graded = None
                break
    return conclude(given, options.rollouts, options.threshold, luck=options.luck)


def roll_out(prefixes: Sequence[Prefix], count: int, temperature: float, seed: int) -> Search[list[Evidence]]:
    """`count` graded completions from each prefix; shape of the result [prefixes]."""
    if not prefixes:
        return []
    completions = yield [Completions(prefix, count, temperature, seed) for prefix in prefixes]
    evidence = []
    graded = yield from grade_completions(prefixes, completions)
    for written, ends in zip(completions, graded, strict=True):
        found = Evidence(lost=len(written) - len(ends))
        for continuation, verdict in ends:
            found.count(verdict.is_correct, len(continuation.steps))
        evidence.append(found)
    return evidence


def grade_completions(
    prefixes: Sequence[Prefix], completions: Sequence[Sequence[Continuation]]
) -> Search[list[list[tuple[Continuation, Graded]]]]:
    """Grade completions; lost ones and those that the sandbox failed on are left out, and equal texts are graded once.

    A completion that was cut off before its end is wrong: it reached no answer. One that ended at once, behind steps
    in which nobody can read an answer, is left out too.
    """
    requests: dict[tuple[Problem, tuple[str, ...]], Grade] = {}
    for prefix, ends in zip(prefixes, completions, strict=True):
        for end in ends:
            steps = prefix.steps + end.steps
            if end.finished:
                requests.setdefault((prefix.problem, steps), Grade(prefix.problem, steps))
    answers = yield list(requests.values())
    graded = dict(zip(requests, answers, strict=True))
    cut_off = Graded(None, False)

    def verdict_on(prefix: Prefix, end: Continuation) -> Graded:
        return graded[prefix.problem, prefix.steps + end.steps] if end.finished else cut_off

    def tells(prefix: Prefix, end: Continuation) -> bool:
        verdict = verdict_on(prefix, end)
        ended_at_once = end.finished and not end.steps and bool(prefix.steps)
        return not end.lost and verdict.is_evidence and not (ended_at_once and verdict.is_unread)

    return [
        [(end, verdict_on(prefix, end)) for end in ends if tells(prefix, end)]
        for prefix, ends in zip(prefixes, completions, strict=True)
    ]


def search(problem: Problem, options: MathShepherd, seed: int, style: str = "prose") -> Search[Tree]:
    """Sample solutions of a fresh problem and estimate their steps; equal steps after equal prefixes are one
    node.

    Every inner node holds the evidence of its own completions; ends are graded once each.
    """
    tree = Tree(problem, (), style, "math-shepherd")
    completions: list[Continuation] = (
        yield [Completions(tree.prefix(tree.root), options.candidates, options.temperature, seed)]
    )[0]
    ends = [_grow(tree, completion) for completion in completions]
    yield from _grade_ends(tree, [end for end in ends if end is not None])
    inner = [node for node in tree.nodes if node.terminal is None and node.pruned is None]
    # Other draws than those that the tree is made of, and than the next seed's.
    own = seed_of(seed, "rollouts")
    evidence = yield from roll_out(
        [tree.prefix(node) for node in inner], options.rollouts, options.temperature, own
    )
    for node, found in zip(inner, evidence, strict=True):
        node.visits, node.value_sum = found.visits, found.value_sum
        node.graded, node.correct, node.nearest = found.visits, found.correct, found.distance
        node.lost = found.lost
    return tree


def _grow(tree: Tree, completion: Continuation) -> Node | None:
    """Add a sampled solution's whole steps to the tree; its last node, None for a solution without an end."""
    node = tree.root
    for index, text in enumerate(completion.steps[:-1] if completion.cut else completion.steps):
        node = tree.step(node, text, finished=completion.finished and index == len(completion.steps) - 1)
        node.code = code_of(text)
    return node if node.finished else None


def _grade_ends(tree: Tree, ends: Sequence[Node]) -> Search[None]:
    distinct = list({end.id: end for end in ends}.values())
    answers = yield [Grade(tree.problem, tree.steps(end)) for end in distinct]
    for end, graded in zip(distinct, answers, strict=True):
        tree.note_execution(end, graded.execution)
        if not graded.is_evidence:
            end.pruned = "infrastructure"
            continue
        end.final_answer = graded.answer
        end.terminal = INVALID if graded.answer is None else CORRECT if graded.is_correct else WRONG
        end.visits, end.graded = 1, 1
        end.correct, end.value_sum = int(graded.is_correct), float(graded.is_correct)
