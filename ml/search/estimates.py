"""From graded rollouts to the estimates of a given solution's steps, the same for every method."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ml.quality_value import quality_values
from ml.records import Solution, SolutionEstimate, StepEstimate
from ml.search.grading import codes_of, is_finished, style_of
from ml.search.requests import Grade, Graded, Run, Search, gather
from ml.search.tree import Tree

# See `mistakes`. One right rollout of 16 is luck where at least 10 of 16 were right before.
LUCK = 0.1


@dataclass(slots=True)
class Evidence:
    """What rollouts through one step showed.

    visits: graded rollouts. correct: of them, how many right. value_sum: outcomes in the method's own range.
    distance: m_k, the fewest further steps after which a rollout was right. assumed: hard without visits,
    from the search's assumption that no prefix after the first mistake can be saved. judged: whether the
    search itself took the step for mistaken, where it asks for more than one right rollout. lost: rollouts that
    nothing could grade; no evidence.
    """

    visits: int = 0
    correct: int = 0
    value_sum: float = 0.0
    distance: int | None = None
    assumed: int | None = None
    judged: bool | None = None
    lost: int = 0

    def count(self, is_correct: bool, steps: int, outcome: float | None = None) -> None:
        """Add one graded rollout of `steps` further steps."""
        self.visits += 1
        self.correct += is_correct
        self.value_sum += float(is_correct) if outcome is None else outcome
        if is_correct:
            self.distance = steps if self.distance is None else min(self.distance, steps)

    def is_mistaken(self, threshold: float) -> bool | None:
        """What the search decided, else whether the share of right rollouts is not above `threshold`; None
        without evidence.
        """
        if self.judged is not None:
            return self.judged
        if self.visits:
            return self.correct <= threshold * self.visits
        return None if self.assumed is None else not self.assumed

    @property
    def share(self) -> float:
        """The share of right rollouts, 0 without any."""
        return self.correct / self.visits if self.visits else 0.0


@dataclass(slots=True)
class Given:
    """A given solution as a search sees it.

    runnable: how many leading steps can be rolled out from; the steps after it failed when executed.
    graded: the finished solution's own end, None where it has no final answer yet.
    """

    solution: Solution
    style: str
    runnable: int
    graded: Graded | None
    evidence: list[Evidence] = field(default_factory=list)

    @property
    def steps(self) -> tuple[str, ...]:
        return self.solution.steps

    @property
    def open_positions(self) -> range:
        """The positions whose prefixes need rollouts: those that run, without a finished solution's last
        one.
        """
        last = len(self.steps) - 1 if self.graded is not None else len(self.steps)
        return range(min(last, self.runnable))


def examine(solution: Solution, style: str | None = None) -> Search[Given]:
    """Execute a given solution's code and grade its end; what cannot run gets its verdict here.

    A step whose code fails is a program error: no rollout from there can be right. An infrastructure verdict
    says nothing, and leaves the step and those after it without an estimate.
    """
    steps = solution.steps
    given = Given(solution, style or style_of(steps), len(steps), None, [Evidence() for _ in steps])
    codes = codes_of(steps)
    execution = (yield [Run(codes)])[0] if codes else None
    if execution is not None and not execution.ok:
        with_code = [index for index, step in enumerate(steps) if codes_of([step])]
        given.runnable = with_code[execution.ran]
        if execution.verdict == "program_error":
            for evidence in given.evidence[given.runnable :]:
                evidence.assumed = 0
        return given
    if is_finished(steps, execution):
        given.graded = (yield [Grade(solution.problem, steps)])[0]
    return given


def depth_for(solution: Solution, depth: int) -> int:
    """How deep a tree behind a prefix of a given solution may grow: at least as far as the solution itself goes. A
    lower limit would cut off every path like it, and count those alone that gave up early.
    """
    return max(depth, len(solution.steps))


def search_from_each(
    given: Given, grow: Callable[[tuple[str, ...]], Search[Tree]], read: Callable[[Tree], Evidence]
) -> Search[None]:
    """Grow a tree behind each open prefix of a given solution, and read the prefix's evidence at its root."""
    trees = yield from gather([grow(given.steps[: position + 1]) for position in given.open_positions])
    for position, tree in zip(given.open_positions, trees, strict=True):
        given.evidence[position] = read(tree)


def conclude(
    given: Given, rollouts: int, threshold: float = 0.0, wrong_outcome: float = 0.0, luck: float = LUCK
) -> SolutionEstimate:
    """The estimates of a given solution.

    The last step of a finished solution is graded by its own final answer. Every rollout from there would end
    at once and equally, so it counts as `rollouts` of them: visits are the same all along a solution. A step
    that failed to run counts `rollouts` wrong ones in the same way. `wrong_outcome` is what the method adds
    for a wrong end (-1 for rStar).
    """
    for position in range(given.runnable, len(given.steps)):
        if given.evidence[position].assumed == 0:
            given.evidence[position] = settled(False, rollouts, wrong_outcome)
    if given.graded is not None and given.graded.is_evidence:
        given.evidence[-1] = settled(given.graded.is_correct, rollouts, wrong_outcome)
    return to_estimate(given.solution.id, given.evidence, threshold, luck)


def settled(is_correct: bool, rollouts: int, wrong_outcome: float = 0.0) -> Evidence:
    """The evidence of an end that every rollout would reach at once."""
    evidence = Evidence()
    for _ in range(rollouts):
        evidence.count(is_correct, 0, 1.0 if is_correct else wrong_outcome)
    return evidence


def to_estimate(
    name: str, evidence: Sequence[Evidence], threshold: float = 0.0, luck: float = 0.0
) -> SolutionEstimate:
    """One line of `estimates.jsonl` from the evidence at each step.

    A step without evidence counts as neither: it is no first mistake, and has no quality value. A mistake behind
    one may not be the first, and is not called so; the step's own estimate says that it is wrong all the same.
    """
    mistaken = mistakes(evidence, threshold, luck)
    distances = _distances(evidence, mistaken)
    # The bare problem's own distance only matters where the first step is wrong, and there v is 0 whatever it
    # is.
    known = distances[0] if distances else None
    values = quality_values(
        [None if wrong is None else not wrong for wrong in mistaken],
        distances,
        len(evidence) if known is None else known + 1,
    )
    steps = [
        _step_estimate(step, None if wrong is None else value)
        for step, wrong, value in zip(evidence, mistaken, values, strict=True)
    ]
    return SolutionEstimate(name, first_known_mistake(mistaken), tuple(steps))


def first_known_mistake(mistaken: Sequence[bool | None]) -> int | None:
    """The first mistaken step, where nothing before it is unknown: otherwise it may be either."""
    first = next((index for index, wrong in enumerate(mistaken) if wrong is not False), None)
    return first if first is not None and mistaken[first] else None


def _distances(evidence: Sequence[Evidence], mistaken: Sequence[bool | None]) -> list[int | None]:
    """m_k of each step: its own nearest right rollout, or one step more than the next right step's."""
    distances: list[int | None] = []
    following: int | None = None
    for step, wrong in zip(reversed(evidence), reversed(mistaken), strict=True):
        own = None if wrong else step.distance
        beyond = None if wrong or following is None else following + 1
        following = min((one for one in (own, beyond) if one is not None), default=None)
        distances.append(following)
    return distances[::-1]


def mistakes(evidence: Sequence[Evidence], threshold: float, luck: float) -> list[bool | None]:
    """Which steps are mistaken; None without evidence.

    A rollout that goes on from a mistake and errs once more may land on the right answer. So a step is
    mistaken too when its share of right rollouts is at most `luck` times the best share of the steps before
    it: had the step been right, the share would not have fallen so far. The hard estimate stays
    Math-Shepherd's, any right rollout.
    """
    best = 0.0
    found: list[bool | None] = []
    for step in evidence:
        wrong = step.is_mistaken(threshold)
        if wrong is False and step.visits and step.share <= luck * best:
            wrong = True
        best = max(best, step.share)
        found.append(wrong)
    return found


def _step_estimate(evidence: Evidence, quality_value: float | None) -> StepEstimate:
    if not evidence.visits:
        return StepEstimate(0, 0, None, evidence.assumed, None, quality_value)
    return StepEstimate(
        visits=evidence.visits,
        correct=evidence.correct,
        q_value=evidence.value_sum / evidence.visits,
        hard=int(evidence.correct > 0),
        soft=evidence.correct / evidence.visits,
        quality_value=quality_value,
    )
