"""The pocket problem family: BIG-Bench's multistep arithmetic, made by seed, with exact answers.

An expression joins two or four groups, as in `((-1 * 9 + 1 + -1) - (8 + -2 * 7 + 5)) =`. Shapes are
drawn with the frequencies of the 152 expressions of BIG-Bench Mistake; numbers and operators are uniform, as
they are there.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

from ml.errors import MisstepError
from ml.pocket.expression import Factor, Sum, Term, evaluate, parse, show
from ml.records import Problem

LARGEST_ANSWER = 99_999
_OPERATORS = "+-*"
# (levels of pairing above the groups, numbers in a group, how often of 152)
SHAPES = ((2, 4, 64), (1, 4, 45), (2, 3, 25), (3, 2, 11), (2, 2, 7))
# Of problems and drills that nothing in the pocket family was trained on.
HELD_OUT_SEED = 999
_REQUEST = re.compile(r"pocket:(\d+)(?::seed=(\d+))?")


def draw_expression(rng: random.Random, shapes: Sequence[tuple[int, int, int]] = SHAPES) -> Sum:
    """One random expression of the family; its value stays within +-LARGEST_ANSWER."""
    while True:
        levels, size, _ = rng.choices(shapes, weights=[shape[2] for shape in shapes])[0]
        expression = Sum((Term(1, (_pairing(rng, levels, size),)),))
        if abs(evaluate(expression)) <= LARGEST_ANSWER:
            return expression


def _pairing(rng: random.Random, levels: int, size: int) -> Sum:
    if levels == 0:
        return _join(
            [rng.randint(-9, 9) for _ in range(size)], [rng.choice(_OPERATORS) for _ in range(size - 1)]
        )
    halves = [_pairing(rng, levels - 1, size) for _ in range(2)]
    return _join(halves, [rng.choice(_OPERATORS)])


def _join(factors: Sequence[Factor], operators: Sequence[str]) -> Sum:
    """The sum that reads `factor operator factor operator ...`."""
    terms = [Term(1, (factors[0],))]
    for operator, factor in zip(operators, factors[1:], strict=True):
        if operator == "*":
            terms[-1] = Term(terms[-1].sign, (*terms[-1].factors, factor))
        else:
            terms.append(Term(1 if operator == "+" else -1, (factor,)))
    return Sum(tuple(terms))


def question(expression: Sum) -> str:
    """The problem's text: the expression and an equals sign."""
    return f"{show(expression)} ="


def expression_of(text: str) -> Sum:
    """The expression of a problem's text, with or without the closing `=`; else MisstepError."""
    return parse(text.strip().removesuffix("="))


def is_pocket_problem(text: str) -> bool:
    """Whether a problem's text is an expression of this family."""
    try:
        expression = expression_of(text)
        evaluate(expression)
    except MisstepError:
        return False
    return any(isinstance(factor, Sum) for term in expression.terms for factor in term.factors)


def generate(count: int, seed: int = 0) -> list[Problem]:
    """`count` different problems by seed; a longer list begins with the shorter one."""
    rng = random.Random(f"pocket problems {seed}")
    problems: list[Problem] = []
    seen: set[str] = set()
    while len(problems) < count:
        expression = draw_expression(rng)
        text = question(expression)
        if text not in seen:
            seen.add(text)
            name = f"pocket-{seed}-{len(problems):05d}"
            problems.append(Problem(id=name, text=text, answer=str(evaluate(expression))))
    return problems


def from_request(request: str) -> list[Problem]:
    """The problems that `pocket:N` or `pocket:N:seed=S` asks for."""
    match = _REQUEST.fullmatch(request)
    if match is None:
        raise MisstepError(f"{request!r} asks for no problems, expected pocket:N or pocket:N:seed=S")
    return generate(int(match.group(1)), int(match.group(2) or 0))
