"""OmegaPRM's binary search for the first mistake of a given solution, with as few rollouts as settle each probe."""

from __future__ import annotations

from collections.abc import Sequence

from ml.policies.protocol import Prefix
from ml.records import Solution, SolutionEstimate
from ml.search.estimates import Evidence, Given, conclude, examine
from ml.search.intervals import lower_bound, rollouts_to_refute, upper_bound
from ml.search.math_shepherd import grade_completions
from ml.search.omegaprm import OmegaPrm
from ml.search.probing import ASKED_AGAIN, next_probe, seed_of_try
from ml.search.requests import Completions, Search
from ml.seeds import seed_of


def estimate(solution: Solution, options: OmegaPrm, seed: int) -> Search[SolutionEstimate]:
    """Find the first mistake of a given solution by binary search over its prefixes.

    Probed steps have estimates. The others have visits 0 and only the hard label that the search's assumption
    gives them: what can no longer be saved stays so.
    """
    given = yield from examine(solution, options.style)
    # A step that fails to run, or a wrong answer, is where the mistake stands at the latest.
    latest = len(given.open_positions)
    if given.graded is not None and given.graded.is_correct and not options.search_correct:
        earliest = known = len(given.steps)
    else:
        earliest, known = yield from _first_mistake(given, latest, options, seed)
    _assume(given, earliest, known)
    return conclude(given, options.rollouts, options.threshold, luck=options.luck)


def _first_mistake(given: Given, latest: int, options: OmegaPrm, seed: int) -> Search[tuple[int, int]]:
    """Between which open positions the first mistake stands: the earliest where it may, and the first that is known
    to be mistaken (`latest` where none is). The same place, but where probes between the two could not be graded.
    """
    low, high, lost = 0, latest, set[int]()
    while True:
        while (probed := next_probe(low, high, lost)) is not None:
            mistaken = yield from _is_mistaken(given, probed, options, seed, options.adaptive)
            if mistaken is None:
                lost.add(probed)
            elif mistaken:
                high = probed
            else:
                low = probed + 1
        if not options.verify or high >= latest:
            return low, high
        if (yield from _is_mistaken(given, high, options, seed, adaptive=False)):
            return low, high
        low, high = high + 1, latest


def _is_mistaken(
    given: Given, position: int, options: OmegaPrm, seed: int, adaptive: bool
) -> Search[bool | None]:
    """Sample from a prefix until it is settled; None where nothing could grade any rollout, asked again or not."""
    prefix = Prefix(given.solution.problem, given.steps[: position + 1], given.style)
    evidence = given.evidence[position]
    hopeless = _hopeless(given.evidence[:position], options) if adaptive else 0.0
    asked, lost = options.rollouts, 0
    while evidence.visits < options.rollouts and not (adaptive and _is_settled(evidence, hopeless, options)):
        missing = options.rollouts - evidence.visits
        count = min(missing, _next_draw(evidence, hopeless, options)) if adaptive else missing
        # Each draw has a seed of its own: the same prefix must not be answered with the same rollouts.
        own = seed_of_try(seed_of(seed, "draw", evidence.visits), lost)
        request = Completions(prefix, count, options.temperature, own)
        graded = (yield from grade_completions([prefix], (yield [request])))[0]
        lost = 0 if graded else lost + 1
        if lost > ASKED_AGAIN:
            # Of the fewer that could be graded the same share must be right.
            asked = evidence.visits
            break
        for continuation, verdict in graded:
            evidence.count(verdict.is_correct, len(continuation.steps))
    if not evidence.visits:
        return None
    evidence.judged = None
    needed = min(options.needed_right, options.rollouts) * asked / options.rollouts
    # No step before one that is taken for right is probed later: the best share before it stays what it is here.
    best = max((step.share for step in given.evidence[:position]), default=0.0)
    evidence.judged = (
        evidence.correct < needed
        or bool(evidence.is_mistaken(options.threshold))
        or evidence.share <= options.luck * best
    )
    return evidence.judged


def _hopeless(before: Sequence[Evidence], options: OmegaPrm) -> float:
    """The success rate below which a prefix is given up.

    A right step does not make its solution less likely to succeed. So half of what an earlier prefix surely
    has is asked of a later one, and a good policy's mistakes are known after a handful of failures.
    """
    sure = [lower_bound(step.correct, step.visits, options.confidence) for step in before if step.visits]
    return max([options.hopeless, *(0.5 * rate for rate in sure)])


def _is_settled(evidence: Evidence, hopeless: float, options: OmegaPrm) -> bool:
    """Whether more rollouts would hardly change what the step is taken for."""
    if evidence.correct >= options.needed_right:
        # Were all that are missing wrong, no rule about shares would call the step mistaken.
        return options.threshold == 0.0 and evidence.correct > options.luck * options.rollouts
    highest = upper_bound(evidence.correct, evidence.visits, _at_a_look(options)) if evidence.visits else 1.0
    return highest < hopeless


def _at_a_look(options: OmegaPrm) -> float:
    """How sure each look must be for all of them together to be as sure as asked. However often one looks, giving up
    with c right rollouts takes that there are no more among the first n(c): one chance of error for each such c.
    """
    return 1.0 - (1.0 - options.confidence) / options.needed_right


def _next_draw(evidence: Evidence, hopeless: float, options: OmegaPrm) -> int:
    """How many rollouts to ask for next: half of what would settle a hopeless prefix, so that none is
    overshot. One that is never given up is settled by a right rollout alone, which any draw may bring.
    """
    if not evidence.visits or evidence.correct or hopeless <= 0.0:
        return options.first_draw
    return max(1, (rollouts_to_refute(hopeless, _at_a_look(options)) - evidence.visits + 1) // 2)


def _assume(given: Given, earliest: int, first: int) -> None:
    """The hard labels that a first mistake implies for steps without rollouts of their own: all before the earliest
    place where it may stand are right, and from the `first` that is known to be mistaken on all are wrong.

    An end that our own failure left ungraded is no mistake: where none is known before it, it stays unknown.
    """
    known = min(given.runnable, len(given.steps))
    if given.graded is not None and not given.graded.is_evidence and first == len(given.open_positions):
        known = first
    for position in (*range(min(earliest, known)), *range(first, known)):
        if not given.evidence[position].visits:
            given.evidence[position].assumed = int(position < first)
