"""A careless person who solves pocket problems in prose or in code, and carries each slip on to the end.

Prose is written as in BIG-Bench Mistake's traces. A code step is a sentence and a fenced line of Python.
What a prefix claims is taken over as it stands, right or wrong: rollouts can judge a step only if nobody
mends it silently.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from ml.pocket.expression import Factor, Sum, Term, as_number, evaluate, number, show, strip_brackets
from ml.pocket.free_reduction import bared, free_chain
from ml.pocket.plan import Habit, Plan, make_plan
from ml.pocket.reduction import Manner, chain
from ml.pocket.slips import (
    CARELESS_AFTER_PROSE,
    CARELESS_CODE,
    CARELESS_PROSE,
    CARELESS_STRANGER,
    TAKING_OVER,
    Care,
    Hand,
)
from ml.pocket.taste import draw_taste

TAKE_OVER = "From the steps above."


@dataclass(frozen=True, slots=True)
class Written:
    """A solution by the writer: its steps, the answer it ends in, and the step of its first slip, if any.

    `prefix` counts the leading steps that somebody else wrote (prose, where a code solution goes on from it).
    """

    steps: tuple[str, ...]
    answer: int
    first_slip: int | None
    prefix: int = 0


def fenced(sentence: str, code: str) -> str:
    """A code step: the sentence and the Python under it."""
    return f"{sentence}\n```python\n{code}\n```"


def write_prose(expression: Sum, rng: random.Random, care: Care = CARELESS_PROSE) -> Written:
    """A whole prose solution of a pocket problem's expression."""
    return _Prose(expression, rng, care, _manner(rng), "fine").solution()


def write_code(expression: Sum, rng: random.Random, care: Care = CARELESS_CODE) -> Written:
    """A whole code solution: one lettered part a step, then the answer printed."""
    plan = make_plan(expression, rng)
    hand = Hand(rng, care)
    steps: list[str] = []
    values: dict[str, int] = {}
    first_slip: int | None = None
    for place, (name, definition) in enumerate(plan.definitions.items()):
        step, values[name] = _code_part(name, definition, hand)
        if place == 0:
            step = f'This equation can be written as "{show(plan.formula)}". {step}'
        if values[name] != evaluate(definition) and first_slip is None:
            first_slip = place
        steps.append(step)
    step, answer = _code_answer(plan.formula, values, hand)
    if answer != evaluate(plan.formula, values) and first_slip is None:
        first_slip = len(steps)
    return Written((*steps, step), answer, first_slip)


def continue_prose(expression: Sum, rng: random.Random, care: Care = CARELESS_PROSE) -> Written:
    """A prose solution whose first steps were written by a stranger with other habits and more mistakes."""
    prose = _Prose(expression, rng, care, _manner(rng))
    prefix = rng.randint(1, len(prose.worked_out) + 1)
    return prose.solution(prefix)


def continue_in_code(expression: Sum, rng: random.Random, care: Care = CARELESS_AFTER_PROSE) -> Written:
    """A stranger's prose prefix, then code that takes over what the prefix claims."""
    stranger = _Prose(expression, rng, _STRANGER, _manner(rng))
    prefix = rng.randint(1, len(stranger.worked_out) + 1)
    opening = stranger.solution(prefix)
    hand = Hand(rng, care)
    steps = list(opening.steps[:prefix])
    values = {name: stranger.values[name] for name in stranger.worked_out[: prefix - 1]}
    if values:
        taking = Hand(rng, TAKING_OVER)
        lines = {name: taking.copy(number(value)) for name, value in values.items()}
        steps.append(fenced(TAKE_OVER, "\n".join(f"{name} = {show(line)}" for name, line in lines.items())))
        values = {name: evaluate(line) for name, line in lines.items()}
    for name in [name for name in stranger.written_definitions if name not in values]:
        definition = stranger.written_definitions[name]
        step, values[name] = _code_part(name, definition, hand)
        steps.append(step)
    step, answer = _code_answer(stranger.plan.formula, values, hand)
    return Written((*steps, step), answer, None, prefix)


def write_freely(expression: Sum, rng: random.Random, care: Care = CARELESS_STRANGER) -> Written:
    """A whole prose solution by somebody with habits of their own and more slips than the policy has."""
    return _FreeProse(expression, rng, care).solution()


def _code_part(name: str, definition: Sum, hand: Hand) -> tuple[str, int]:
    written = hand.copy(strip_brackets(definition))
    return fenced(f"Let's calculate {name}.", f"{name} = {show(written)}"), evaluate(written)


def _code_answer(formula: Sum, values: dict[str, int], hand: Hand) -> tuple[str, int]:
    written = hand.formula(formula)
    sentence = f"Then, the final equation is {show(formula)}."
    return fenced(sentence, f"print({show(strip_brackets(written))})"), evaluate(written, values)


_STRANGER = Care(sign=0.06, product=0.06, carry=0.06, copying=0.02)


def _manner(rng: random.Random) -> Manner:
    """One person's habits, drawn."""
    return Manner(bracket_products=rng.random() < 0.12, keep_brackets=rng.random() < 0.2)


def _stranger_manner(rng: random.Random) -> Manner:
    """Habits of the strangers whose prefixes have to be read: they skip hops, and bracket more."""
    return Manner(rng.random() < 0.4, rng.random() < 0.4, skip=rng.choice((0.0, 0.5, 0.9)))


class _Prose:
    """One prose solution in the making."""

    def __init__(
        self, expression: Sum, rng: random.Random, care: Care, manner: Manner, habit: Habit = "strange"
    ) -> None:
        self.rng, self.care, self.manner = rng, care, manner
        self.plan: Plan = make_plan(expression, rng, habit)
        self.worked_out = [
            name for name, part in self.plan.definitions.items() if not self._is_left_out(part)
        ]
        self.expression = expression
        self.values: dict[str, int] = {}
        self.written_definitions: dict[str, Sum] = {}
        self.slips: list[bool] = []

    def solution(self, prefix: int = 0) -> Written:
        """All steps; the first `prefix` in a stranger's hand."""
        steps = []
        own = (Hand(self.rng, self.care), self.manner)
        stranger = (Hand(self.rng, _STRANGER), _stranger_manner(self.rng))
        for place in range(len(self.worked_out) + 2):
            hand, manner = own if place >= prefix else stranger
            if place == 0:
                steps.append(self._opening(hand))
            elif place <= len(self.worked_out):
                steps.append(self._part(self.worked_out[place - 1], hand, manner, place < prefix))
            else:
                step, answer = self._ending(hand, manner)
                steps.append(step)
        first_slip = self.slips.index(True) if True in self.slips else None
        return Written(tuple(steps), answer, first_slip, prefix)

    def _chain(self, expression: Sum, hand: Hand, manner: Manner) -> tuple[list[Sum], bool]:
        return chain(expression, hand, manner)

    def _is_left_out(self, part: Sum) -> bool:
        """Some people do not work out a part that is a mere number."""
        return as_number(part) is not None and self.rng.random() < 0.5

    def _opening(self, hand: Hand) -> str:
        """Step 0: the formula, and what the letters stand for."""
        self.written_definitions = {
            name: hand.copy(definition) if self.rng.random() < 0.2 else definition
            for name, definition in self.plan.definitions.items()
        }
        values = {name: evaluate(part) for name, part in self.written_definitions.items()}
        self.slips.append(evaluate(self.plan.formula, values) != evaluate(self.expression))
        self.values = {name: value for name, value in values.items() if name not in self.worked_out}
        parts = [f"{name} = {show(part)}" for name, part in self.written_definitions.items()]
        return f'This equation can be written as "{show(self.plan.formula)}", where {self._list(parts)}.'

    def _list(self, parts: Sequence[str]) -> str:
        if len(parts) == 2 or self.rng.random() < 0.4:
            return " and ".join(parts)
        return ", ".join(parts[:-1]) + f", and {parts[-1]}"

    def _part(self, name: str, hand: Hand, manner: Manner, strange: bool) -> str:
        """One lettered part worked out in a chain of equal signs."""
        definition = self.written_definitions[name]
        if as_number(definition) is not None:
            self.values[name] = evaluate(definition)
            self.slips.append(False)
            return f"Let's calculate {name} = {show(definition)}."
        hops, slipped = self._chain(definition, hand, manner)
        shown = [hop for hop in hops[:-1] if self.rng.random() >= manner.skip]
        value = evaluate(hops[-1])
        if strange and self.rng.random() < 0.2:
            value, slipped = value + self.rng.randint(-12, 12), True
        self.values[name] = value
        self.slips.append(slipped)
        last = self._result(hops[-1], value, strange)
        return f"Let's calculate {' = '.join([name, *map(show, (definition, *shown)), last])}."

    def _put_in(self, formula: Sum, values: dict[str, int], hand: Hand, manner: Manner) -> Sum:
        """The formula with its letters' values."""
        return _filled(formula, values, manner.keep_brackets)

    def _formula_again(self) -> Sum:
        """The formula as the ending begins with it."""
        return self.plan.formula

    def _result(self, hop: Sum, value: int, strange: bool) -> str:
        """What a part comes to, as it is written down."""
        return f"({value})" if strange and self.rng.random() < 0.25 else str(value)

    def _ending(self, hand: Hand, manner: Manner) -> tuple[str, int]:
        """The formula with the values put in, worked out."""
        values = {name: evaluate(hand.copy(number(value))) for name, value in self.values.items()}
        formula = self._formula_again()
        filled = self._put_in(hand.formula(formula), values, hand, manner)
        hops, slipped = self._chain(filled, hand, manner)
        wrong = evaluate(filled) != evaluate(self.plan.formula, self.values)
        self.slips.append(slipped or wrong)
        answer = evaluate((filled, *hops)[-1])
        steps = " = ".join(map(show, (formula, filled, *hops)))
        return f"Then, the final equation is {steps}. So the answer is {answer}", answer


class _FreeProse(_Prose):
    """Prose whose chains are worked out to somebody's taste."""

    def __init__(self, expression: Sum, rng: random.Random, care: Care) -> None:
        manner = Manner(keep_brackets=rng.random() < 0.5)
        super().__init__(expression, rng, care, manner, "free")
        self.taste = draw_taste(rng)
        # Some work every part out in another way, as a language model does.
        self.is_fickle = rng.random() < 0.4
        self.melts = rng.choice((0.0, 0.0, 0.3, 0.9))
        self.drops_brackets = rng.random() < 0.5

    def _chain(self, expression: Sum, hand: Hand, manner: Manner) -> tuple[list[Sum], bool]:
        if self.is_fickle:
            self.taste = draw_taste(self.rng)
        return free_chain(expression, hand, self.taste)

    def _formula_again(self) -> Sum:
        return bared(self.plan.formula) if self.drops_brackets else self.plan.formula

    def _put_in(self, formula: Sum, values: dict[str, int], hand: Hand, manner: Manner) -> Sum:
        filled = super()._put_in(formula, values, hand, manner)
        return _melted(filled, hand) if self.rng.random() < self.melts else filled

    def _result(self, hop: Sum, value: int, strange: bool) -> str:
        return show(hop)


def _melted(filled: Sum, hand: Hand) -> Sum:
    """`11 + -420 - -3` as `11 - 420 + 3`, where a number stands alone."""
    terms = []
    for place, term in enumerate(filled.terms):
        value = as_number(term.factors[0])
        if place and len(term.factors) == 1 and value is not None and value < 0:
            sign, magnitude = hand.simplify(term.sign, value)
            terms.append(Term(sign, (magnitude,)))
        else:
            terms.append(term)
    return Sum(tuple(terms))


def _filled(formula: Sum, values: dict[str, int], bracket_negatives: bool) -> Sum:
    """The formula with numbers for letters."""
    terms: list[Term] = []
    for place, term in enumerate(formula.terms):
        factors: list[Factor] = []
        for factor in term.factors:
            if isinstance(factor, Sum):
                factors.append(_filled(factor, values, bracket_negatives))
            elif isinstance(factor, str):
                value = values[factor]
                bracketed = bracket_negatives and value < 0 and (place > 0 or factors)
                factors.append(number(value) if bracketed else value)
            else:
                factors.append(factor)
        terms.append(Term(term.sign, tuple(factors)))
    return Sum(tuple(terms))
