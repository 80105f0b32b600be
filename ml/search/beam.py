"""Beam search over steps and diverse verifier tree search, guided by a process reward model.

Beam: of all continuations of the kept prefixes the best go on. DVTS: the beams are parted into independent
subtrees, each of which keeps its own best, so that one early favourite cannot crowd out the others. Tree of
thought: breadth first with a fixed number of branches kept at each depth. Where none of them comes to an answer, the
best path that is still open is completed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ml.aggregation import AGGREGATIONS
from ml.policies.protocol import Continuation, Prefix
from ml.records import Problem
from ml.search.best_of_n import as_candidates, voted
from ml.search.completing import completed
from ml.search.named_options import Aggregation, Amount, Count
from ml.search.requests import NextSteps, Search, Value, gather
from ml.search.voting import Candidate, Chosen, best_candidate
from ml.seeds import seed_of


@dataclass(frozen=True, slots=True)
class Beam:
    """beams: candidates in all at each depth. width: how many of each kept prefix, so beams // width are kept.

    Solutions that ended are set aside and crowd nobody out; the best `beams` of them are chosen among. diverse:
    DVTS, beams // width subtrees of one kept prefix each, which ends when its best candidate does. depth: steps at
    most. aggregation: how step scores become one, for going on and for choosing. weighted: end in a
    score-weighted vote instead of the best solution. search-and-learn's defaults: 4, 4, 40 iterations, T 0.8.
    """

    beams: Count = 16
    width: Count = 4
    depth: Count = 16
    diverse: bool = False
    weighted: bool = False
    aggregation: Aggregation = "last"
    temperature: Amount = 0.8

    @property
    def kept(self) -> int:
        """Prefixes that go on at each depth, or DVTS's subtrees."""
        return max(1, self.beams // self.width)


@dataclass(frozen=True, slots=True)
class TreeOfThought:
    """candidates: proposals from each kept prefix. kept: how many go on at each depth (the paper's
    baseline: 2).
    """

    candidates: Count = 3
    kept: Count = 2
    depth: Count = 8
    temperature: Amount = 0.7
    aggregation: Aggregation = "last"


@dataclass(frozen=True, slots=True)
class _Path:
    """Steps so far, and what the reward model said after each."""

    steps: tuple[str, ...] = ()
    values: tuple[float, ...] = ()
    finished: bool = False


# The paths that ended, and those that would go on.
_Reached = tuple[list[_Path], list[_Path]]


@dataclass(frozen=True, slots=True)
class _Setting:
    """What all depths of one search have in common."""

    problem: Problem
    style: str
    temperature: float
    aggregation: str
    seed: int

    def best(self, paths: Sequence[_Path], keep: int) -> list[_Path]:
        """The `keep` paths that the reward model likes best, the earlier first among equals."""
        score = AGGREGATIONS[self.aggregation]
        return sorted(paths, key=lambda path: -score(path.values))[:keep]


def search(problem: Problem, options: Beam, seed: int, style: str = "prose") -> Search[Chosen]:
    """Search and choose among the finished solutions."""
    setting = _Setting(problem, style, options.temperature, options.aggregation, seed)
    if options.diverse:
        subtrees = [replace(setting, seed=seed_of(seed, "subtree", tree)) for tree in range(options.kept)]
        parts = yield from gather([_subtree(subtree, options) for subtree in subtrees])
        ended, going = ([path for part in parts for path in part[side]] for side in (0, 1))
    else:
        ended, going = yield from _beams(setting, options)
    return (yield from _choose(setting, ended, going, options.weighted))


def tree_of_thought(
    problem: Problem, options: TreeOfThought, seed: int, style: str = "prose"
) -> Search[Chosen]:
    """Breadth-first tree of thought with a value for each thought; ends compete with what goes on."""
    setting = _Setting(problem, style, options.temperature, options.aggregation, seed)
    going, ended = [_Path()], list[_Path]()
    for _ in range(options.depth):
        grown = yield from _grow(setting, going, [options.candidates] * len(going))
        kept = setting.best(grown, options.kept)
        ended += [path for path in kept if path.finished]
        going = [path for path in kept if not path.finished]
        if not going or len(ended) >= options.kept:
            break
    return (yield from _choose(setting, ended, going, weighted=False))


def _beams(setting: _Setting, options: Beam) -> Search[_Reached]:
    """Beam search: the best solutions that ended, and what would go on."""
    going, ended = [_Path()], list[_Path]()
    for _ in range(options.depth):
        grown = yield from _grow(setting, going, _shares(options.beams, len(going)))
        ended += [path for path in grown if path.finished]
        going = setting.best([path for path in grown if not path.finished], options.kept)
        if not going:
            break
    return setting.best(ended, options.beams), going


def _subtree(setting: _Setting, options: Beam) -> Search[_Reached]:
    """One greedy subtree of DVTS: what ended at the depth at which its best candidate did, or else what would go on."""
    going = _Path()
    for _ in range(options.depth):
        grown = yield from _grow(setting, [going], [options.width])
        if not grown:
            break
        going = setting.best(grown, 1)[0]
        if going.finished:
            return [path for path in grown if path.finished], []
    return [], [going]


def _shares(total: int, parts: int) -> list[int]:
    """`total` candidates over so many prefixes, the first ones a candidate more where it does not come out even."""
    return [total // parts + (part < total % parts) for part in range(parts)]


def _grow(setting: _Setting, going: Sequence[_Path], counts: Sequence[int]) -> Search[list[_Path]]:
    """The distinct whole continuations of all paths, each valued. An end at once adds no step and keeps the values."""
    prefixes = [Prefix(setting.problem, path.steps, setting.style) for path in going]
    answers: Sequence[list[Continuation]] = yield [
        NextSteps(prefix, count, setting.temperature, setting.seed)
        for prefix, count in zip(prefixes, counts, strict=True)
    ]
    grown = dict.fromkeys(
        _Path(path.steps + one.steps, path.values, one.finished)
        for path, continuations in zip(going, answers, strict=True)
        for one in continuations
        if not one.cut and (one.steps or (one.finished and path.steps))
    )
    values: Sequence[float] = yield [
        Value(Prefix(setting.problem, path.steps, setting.style)) for path in grown
    ]
    return [
        replace(path, values=(*path.values[: len(path.steps) - 1], value))
        for path, value in zip(grown, values, strict=True)
    ]


def _choose(
    setting: _Setting, ended: Sequence[_Path], going: Sequence[_Path], weighted: bool
) -> Search[Chosen]:
    solutions = [path.steps for path in ended]
    candidates: list[Candidate] = yield from as_candidates(setting.problem, solutions, setting.style)
    if all(candidate.answer is None for candidate in candidates):
        candidates += yield from _completed(setting, going)
    if weighted:
        return (yield from voted(candidates, setting.aggregation, weighted=True))
    return best_candidate(candidates, setting.aggregation)


def _completed(setting: _Setting, going: Sequence[_Path]) -> Search[list[Candidate]]:
    """The completion of the best of the longest paths that would go on, or of the problem itself."""
    furthest = max((len(path.steps) for path in going), default=0)
    longest = [path for path in going if len(path.steps) == furthest]
    steps = setting.best(longest, 1)[0].steps if furthest else ()
    prefix = Prefix(setting.problem, steps, setting.style)
    solutions = yield from completed(prefix, setting.temperature, setting.seed)
    return (yield from as_candidates(setting.problem, solutions, setting.style))
