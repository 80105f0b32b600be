"""How a solver cuts an expression into lettered parts: `(A - B) * (C + D)`, A being the first group."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from ml.pocket.expression import Factor, Sum, Term, number, strip_brackets

_NAMES = "ABCDEFGH"
Habit = Literal["fine", "usual", "strange", "free"]
# By levels of pairing: how deep the left and the right half are cut, and how often; the usual cut first.
_CUTS = {
    1: (((0, 0), 1),),
    2: (((1, 1), 16), ((0, 0), 3), ((1, 0), 2)),
    3: (((1, 1), 8), ((0, 0), 8), ((1, 2), 1)),
}
# Strangers cut in more ways, and leave out more brackets.
_FREE_CUTS = {
    1: (((0, 0), 1),),
    2: (((1, 1), 14), ((0, 0), 4), ((1, 0), 2), ((0, 1), 1)),
    3: (((1, 1), 10), ((0, 0), 5), ((1, 2), 1), ((2, 2), 1)),
}


@dataclass(frozen=True, slots=True)
class Plan:
    """A formula over letters, and what each letter stands for (in order, with the group's own brackets)."""

    formula: Sum
    definitions: dict[str, Sum]


def make_plan(expression: Sum, rng: random.Random, habit: Habit = "usual") -> Plan:
    """Cut the expression of a pocket problem; mostly at its groups, now and then higher up.

    A fine plan is always cut at the groups: its parts are short enough to be worked out in prose. A strange plan
    may have a letter to spare.
    """
    root = strip_brackets(expression)
    depth = levels(root)
    if habit == "free":
        return _free_plan(root, rng, depth)
    cuts, weights = zip(*_CUTS[depth], strict=True)
    definitions: dict[str, Sum] = {}
    cut = cuts[0] if habit == "fine" else rng.choices(cuts, weights)[0]
    formula = _cut(root, cut, iter(_NAMES), definitions)
    if depth > 1 and habit != "fine" and rng.random() < 0.2:
        definitions = {name: _bare(part) for name, part in definitions.items()}
    if habit == "strange" and rng.random() < 0.08:
        return _with_spare_letter(Plan(formula, definitions), rng)
    if cut[0] == cut[1] and rng.random() < 0.2:
        formula = flattened(formula)
    elif depth == 1 and rng.random() < 0.5:
        formula = Sum((Term(1, (formula,)),))
    return Plan(formula, definitions)


def _free_plan(root: Sum, rng: random.Random, depth: int) -> Plan:
    """A stranger's plan: any cut, and any of its brackets left out."""
    cuts, weights = zip(*_FREE_CUTS[depth], strict=True)
    definitions: dict[str, Sum] = {}
    formula = _cut(root, rng.choices(cuts, weights)[0], iter(_NAMES), definitions)
    if depth > 1 and rng.random() < 0.2:
        share = rng.choice((0.5, 1.0))
        definitions = {
            name: _bare(part) if rng.random() < share else part for name, part in definitions.items()
        }
    if len(definitions) < len(_NAMES) and rng.random() < 0.03:
        return _with_spare_letter(Plan(formula, definitions), rng)
    brackets = rng.random()
    if brackets < 0.3:
        formula = flattened(formula)
    elif brackets < 0.45:
        formula = _partly_flattened(formula, rng)
    if rng.random() < (0.5 if len(definitions) == 2 else 0.05):
        formula = Sum((Term(1, (formula,)),))
    return Plan(formula, definitions)


def _partly_flattened(formula: Sum, rng: random.Random) -> Sum:
    """`(A * B) - ((C * D) + (E - F))` as `(A * B) - (C * D + E - F)`, or one of a sum's brackets left out."""
    terms = []
    for term in formula.terms:
        inner = tuple(flattened(f) if isinstance(f, Sum) else f for f in term.factors)
        terms.append(Term(term.sign, inner))
    place = rng.randrange(len(terms))
    left_out = flattened(Sum((terms[place],))).terms if len(terms) > 1 and rng.random() < 0.5 else None
    if left_out is None:
        return Sum(tuple(terms))
    return Sum((*terms[:place], *left_out, *terms[place + 1 :]))


def _with_spare_letter(plan: Plan, rng: random.Random) -> Plan:
    """One part becomes two, the second a mere number, as some people's plans have it: `(A + B) * C`, B = 0."""
    split = rng.choice(list(plan.definitions))
    names = iter(_NAMES)
    renamed: dict[str, Factor] = {}
    definitions: dict[str, Sum] = {}
    for old, part in plan.definitions.items():
        name = next(names)
        renamed[old], definitions[name] = name, part
        if old == split:
            spare = next(names)
            group = strip_brackets(part)
            last = group.terms[-1]
            if len(group.terms) > 2 and len(last.factors) == 1 and not isinstance(last.factors[0], Sum):
                definitions[name] = Sum((Term(1, (Sum(group.terms[:-1]),)),))
                definitions[spare] = Sum((Term(1, last.factors),))
                renamed[old] = Sum((Term(1, (name,)), Term(last.sign, (spare,))))
            else:
                definitions[spare] = number(0)
                renamed[old] = Sum((Term(1, (name,)), Term(1, (spare,))))
    return Plan(_renamed(plan.formula, renamed), definitions)


def _renamed(formula: Sum, names: dict[str, Factor]) -> Sum:
    terms = []
    for term in formula.terms:
        factors = [_renamed(f, names) if isinstance(f, Sum) else names[str(f)] for f in term.factors]
        terms.append(Term(term.sign, tuple(factors)))
    return Sum(tuple(terms))


def levels(root: Sum) -> int:
    """How many levels of pairing stand above the groups; 0 for a group."""
    inner = [factor for term in root.terms for factor in term.factors if isinstance(factor, Sum)]
    return 1 + max(levels(factor) for factor in inner) if inner else 0


def _bare(part: Sum) -> Sum:
    """A part that joins groups, without the brackets around the whole of it; a group as it is."""
    return strip_brackets(part) if levels(strip_brackets(part)) else part


def _cut(root: Sum, depths: tuple[int, int], names: Iterator[str], definitions: dict[str, Sum]) -> Sum:
    """Replace the two halves of `root` by letters, or by cut halves where the depth says so."""
    remaining = iter(depths)
    terms = []
    for term in root.terms:
        factors: list[Factor] = []
        for factor in term.factors:
            assert isinstance(factor, Sum)
            depth = next(remaining)
            if depth > 0:
                factors.append(_cut(factor, (depth - 1, depth - 1), names, definitions))
            else:
                name = next(names)
                definitions[name] = Sum((Term(1, (factor,)),))
                factors.append(name)
        terms.append(Term(term.sign, tuple(factors)))
    return Sum(tuple(terms))


def flattened(expression: Sum) -> Sum:
    """The same value without the brackets that change nothing: `(A - B) - (C - D)` as `A - B - C + D`."""
    terms: list[Term] = []
    for term in expression.terms:
        inner = term.factors[0]
        if len(term.factors) == 1 and isinstance(inner, Sum):
            terms += [Term(term.sign * t.sign, t.factors) for t in flattened(inner).terms]
            continue
        factors: list[Factor] = []
        for factor in term.factors:
            if isinstance(factor, Sum) and len(factor.terms) == 1 and factor.terms[0].sign > 0:
                factors += factor.terms[0].factors
            else:
                factors.append(factor)
        terms.append(Term(term.sign, tuple(factors)))
    return Sum(tuple(terms))
