"""Programs that a step may well be: arithmetic, sympy, numpy, fractions, generators; with what Python
prints.
"""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Callable
from fractions import Fraction

Make = Callable[[random.Random], tuple[str, str]]


def honest_programs(count: int) -> dict[str, tuple[str, str]]:
    """`count` programs by name, each with its output worked out here by other means."""
    generator = random.Random(0)
    return {
        f"{KINDS[index % len(KINDS)].__name__}-{index}": KINDS[index % len(KINDS)](generator)
        for index in range(count)
    }


def sympy_solve(generator: random.Random) -> tuple[str, str]:
    low, high = sorted(generator.sample(range(-20, 20), 2))
    code = f"import sympy\nx = sympy.symbols('x')\nprint(sympy.solve((x - {low}) * (x - {high}), x))"
    return code, str([low, high])


def sympy_factor(generator: random.Random) -> tuple[str, str]:
    primes = sorted(generator.choices([2, 3, 5, 7, 11, 13], k=4))
    product = math.prod(primes)
    return (
        f"from sympy import factorint\nprint(sorted(factorint({product}).items()))",
        str(sorted({prime: primes.count(prime) for prime in primes}.items())),
    )


def sympy_integral(generator: random.Random) -> tuple[str, str]:
    power, end = generator.randint(1, 5), generator.randint(1, 9)
    code = f"import sympy as sp\nx = sp.Symbol('x')\nprint(sp.integrate(x**{power}, (x, 0, {end})))"
    return code, str(Fraction(end ** (power + 1), power + 1))


def sympy_rational(generator: random.Random) -> tuple[str, str]:
    one, other = (Fraction(generator.randint(1, 30), generator.randint(1, 30)) for _ in range(2))
    terms = [f"Rational({part.numerator}, {part.denominator})" for part in (one, other)]
    code = f"from sympy import Rational\nprint({terms[0]} + {terms[1]})"
    return code, str(one + other)


def numpy_determinant(generator: random.Random) -> tuple[str, str]:
    a, b, c, d = (generator.randint(-9, 9) for _ in range(4))
    code = f"import numpy as np\nprint(round(float(np.linalg.det(np.array([[{a}, {b}], [{c}, {d}]])))))"
    return code, str(a * d - b * c)


def numpy_sum(generator: random.Random) -> tuple[str, str]:
    size = generator.randint(10, 2000)
    return f"import numpy as np\nprint(int(np.arange({size}).sum()))", str(size * (size - 1) // 2)


def fraction_chain(generator: random.Random) -> tuple[str, str]:
    parts = [Fraction(generator.randint(1, 9), generator.randint(1, 9)) for _ in range(4)]
    terms = ", ".join(f"Fraction({part.numerator}, {part.denominator})" for part in parts)
    return f"from fractions import Fraction\nprint(sum([{terms}]))", str(sum(parts))


def generator_expression(generator: random.Random) -> tuple[str, str]:
    size = generator.randint(5, 500)
    code = f"def squares(n):\n    for i in range(n):\n        yield i * i\nprint(sum(squares({size})))"
    return code, str(sum(i * i for i in range(size)))


def heap(generator: random.Random) -> tuple[str, str]:
    numbers = [generator.randint(0, 99) for _ in range(12)]
    return f"import heapq\nprint(heapq.nsmallest(3, {numbers}))", str(sorted(numbers)[:3])


def median(generator: random.Random) -> tuple[str, str]:
    numbers = [generator.randint(0, 99) for _ in range(9)]
    return f"import statistics\nprint(statistics.median({numbers}))", str(statistics.median(numbers))


def big_integer(generator: random.Random) -> tuple[str, str]:
    base, power = generator.randint(2, 9), generator.randint(50, 400)
    return f"print({base} ** {power} % 10**9)", str(base**power % 10**9)


def mentions_errors(generator: random.Random) -> tuple[str, str]:
    """Prints the word by which careless executors take a program for failed."""
    number = generator.randint(1, 99)
    return f"print('error: the relative error is {number} %')", f"error: the relative error is {number} %"


KINDS: tuple[Make, ...] = (
    sympy_solve,
    sympy_factor,
    sympy_integral,
    sympy_rational,
    numpy_determinant,
    numpy_sum,
    fraction_chain,
    generator_expression,
    heap,
    median,
    big_integer,
    mentions_errors,
)
