"""The truth of every step of a pocket solution, in prose or in code.

Each expression that a step writes down must have the true value of what it stands for: an `=` may not change
a value, a lettered part must have the value of its definition, the definitions must make up the problem, and
the end must be the answer. So the first step with a false expression is the first mistake, whatever follows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from ml.errors import MisstepError
from ml.pocket.expression import NotAnExpression, Sum, Term, evaluate, letters, parse, strip_brackets
from ml.pocket.plan import flattened, levels
from ml.pocket.problems import expression_of

_FENCE = re.compile(r"```(?:python)?\s*\n(.*?)```", re.DOTALL)
_FORMULA = re.compile(r'"([^"]+)"')
_DEFINITION = re.compile(r"\b([A-Z]) = (.*?)(?=(?:,? and |, )[A-Z] = |\.?\s*$)", re.DOTALL)
_CHAIN = re.compile(r"Let's calculate ([A-Z]) = (.*)", re.DOTALL)
_ENDING = re.compile(r"the final equation is (.*?)\. So the answer is (-?\d+)", re.DOTALL)
_PRINT = re.compile(r"print\((.*)\)")
_ASSIGNMENT = re.compile(r"([A-Z]) = (.*)")


class _Unreadable(MisstepError):
    """A step says nothing that this family knows; it counts as a mistake."""


def first_mistake(problem: str, steps: Sequence[str], finished: bool = True) -> int | None:
    """The 0-based position of the first false step, or None.

    A finished solution that never names an answer has its mistake in its last step. Raises MisstepError if
    the problem is not an expression of this family.
    """
    checker = _Checker(strip_brackets(expression_of(problem)))
    for place, step in enumerate(steps):
        if not checker.is_true(step):
            return place
    return len(steps) - 1 if finished and steps and not checker.answered else None


class _Checker:
    """What is true of one problem, as its steps name things."""

    def __init__(self, root: Sum) -> None:
        self.root, self.target = root, evaluate(root)
        self.truth: dict[str, int] = {}
        self.answered = False

    def is_true(self, step: str) -> bool:
        """Whether everything that the step writes down is true."""
        try:
            return all(claimed == true for claimed, true in self._claims(step))
        except (NotAnExpression, _Unreadable):
            return False

    def _claims(self, step: str) -> Iterator[tuple[int, int]]:
        """Pairs of a claimed and the true value."""
        fence = _FENCE.search(step)
        sentence = step[: fence.start()] if fence else step
        if "can be written as" in sentence:
            yield from self._opening(sentence)
        if fence:
            yield from self._code(fence.group(1))
        elif chain := _CHAIN.search(sentence):
            yield from self._chain(chain.group(1), chain.group(2))
        elif ending := _ENDING.search(sentence):
            self.answered = True
            for part in (*ending.group(1).split("="), ending.group(2)):
                yield evaluate(parse(part, lenient=True), self.truth), self.target
        elif "can be written as" not in sentence:
            raise _Unreadable("no definition, calculation or final equation")

    def _opening(self, sentence: str) -> Iterator[tuple[int, int]]:
        """The formula, with its definitions (prose) or with the cut that its letters imply (code)."""
        match = _FORMULA.search(sentence)
        if match is None:
            raise _Unreadable("a formula in quotes is missing")
        formula = parse(match.group(1), lenient=True)
        if ", where " in sentence:
            defined = _DEFINITION.findall(sentence.split(", where ", 1)[1])
            self.truth = {name: evaluate(parse(text, lenient=True)) for name, text in defined}
        else:
            self.truth = self._cut_by(formula)
        yield evaluate(formula, self.truth), self.target

    def _cut_by(self, formula: Sum) -> dict[str, int]:
        """The values of the parts of the problem that a formula's letters stand for, in order."""
        names = letters(formula)
        cuts = [
            dict(zip(names, parts, strict=True)) for parts in _cuts(self.root) if len(parts) == len(names)
        ]
        if not cuts:
            raise _Unreadable(f"no cut of the problem has {len(names)} parts")
        # Without brackets a formula may fit several cuts: the one it fits to the letter, else an even one.
        stated = strip_brackets(formula)
        cuts.sort(key=lambda cut: (_lettered(self.root, cut) != stated, len(set(map(levels, cut.values())))))
        wanted = _without_idle_brackets(formula)
        cut = next(
            (cut for cut in cuts if _without_idle_brackets(_lettered(self.root, cut)) == wanted), cuts[0]
        )
        return {name: evaluate(part) for name, part in cut.items()}

    def _chain(self, name: str, text: str) -> Iterator[tuple[int, int]]:
        if name not in self.truth:
            raise _Unreadable(f"nothing is named {name}")
        for part in text.rstrip().removesuffix(".").split("="):
            yield evaluate(parse(part, lenient=True), self.truth), self.truth[name]

    def _code(self, code: str) -> Iterator[tuple[int, int]]:
        for line in filter(None, map(str.strip, code.splitlines())):
            if printed := _PRINT.fullmatch(line):
                self.answered = True
                yield evaluate(parse(printed.group(1)), self.truth), self.target
            elif (assigned := _ASSIGNMENT.fullmatch(line)) and assigned.group(1) in self.truth:
                yield evaluate(parse(assigned.group(2)), self.truth), self.truth[assigned.group(1)]
            else:
                raise _Unreadable("code of another kind")


def _cuts(root: Sum) -> Iterator[list[Sum]]:
    """The ways to cut the problem into parts: both halves, or cuts of halves that join groups."""
    halves = _halves(root)
    if len(halves) != 2:
        return
    left, right = halves
    for first in ([left], *(_cuts(left) if levels(left) else ())):
        for second in ([right], *(_cuts(right) if levels(right) else ())):
            yield [*first, *second]


def _halves(root: Sum) -> list[Sum]:
    return [factor for term in root.terms for factor in term.factors if isinstance(factor, Sum)]


def _lettered(root: Sum, cut: Mapping[str, Sum]) -> Sum:
    """The formula of a cut: the problem with letters for its parts."""
    names = {id(part): name for name, part in cut.items()}
    terms = []
    for term in root.terms:
        factors = [names.get(id(f)) or (_lettered(f, cut) if isinstance(f, Sum) else f) for f in term.factors]
        terms.append(Term(term.sign, tuple(factors)))
    return Sum(tuple(terms))


def _without_idle_brackets(formula: Sum) -> Sum:
    formula = strip_brackets(formula)
    while (simpler := flattened(formula)) != formula:
        formula = simpler
    return formula
