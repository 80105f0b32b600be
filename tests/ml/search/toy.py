"""A policy whose every probability is known: it adds numbers one by one, and errs with a fixed chance.

A problem reads "3 + 4 + 5". A prose step is "Adding 4 gives 7."; after the last number comes "The answer is
12." A code step is a sentence and one line of Python. It takes over the total that the prefix claims.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

from ml.policies.protocol import Continuation, Prefix, Unanswerable, all_answered
from ml.records import Option, Position, Problem, Solution
from ml.seeds import seed_of


def chain_problem(*numbers: int, name: str = "chain") -> Problem:
    return Problem(name, " + ".join(map(str, numbers)), str(sum(numbers)))


def prose_solution(problem: Problem, totals: Sequence[int], answer: int, name: str = "s") -> Solution:
    """A finished solution that claims these running totals, one a step, then the answer."""
    numbers = [int(part) for part in problem.text.split(" + ")]
    steps = [f"Adding {n} gives {t}." for n, t in zip(numbers[1:], totals, strict=True)]
    return solution_of(problem, [*steps, f"The answer is {answer}."], name)


def solution_of(problem: Problem, steps: Sequence[str], name: str = "s") -> Solution:
    return Solution(name, problem, tuple(Position((Option(step),)) for step in steps))


class ChainPolicy:
    """Adds wrongly (by one) with probability `error`, from a generator of (seed, prefix, index) only."""

    def __init__(self, error: float = 0.0) -> None:
        self.name = f"chain-{error}"
        self.error = error
        self.batches: list[int] = []

    def next_steps(
        self, prefixes: Sequence[Prefix], count: int, temperature: float, seed: int
    ) -> list[list[Continuation]]:
        self.batches.append(len(prefixes))
        return [[self._continue(p, seed, i, steps=1) for i in range(count)] for p in prefixes]

    def complete(
        self, prefixes: Sequence[Prefix], count: int, temperature: float, seed: int
    ) -> list[list[Continuation]]:
        self.batches.append(len(prefixes))
        return [[self._continue(p, seed, i, steps=None) for i in range(count)] for p in prefixes]

    def _continue(self, prefix: Prefix, seed: int, index: int, steps: int | None) -> Continuation:
        generator = random.Random(seed_of(seed, prefix.problem.text, *prefix.steps, index))
        written: list[str] = []
        done = False
        while not done and (steps is None or len(written) < steps):
            text, done = self._step(prefix, (*prefix.steps, *written), generator)
            written.append(text)
        return Continuation(tuple(written), done, sum(len(text.split()) for text in written))

    def _step(self, prefix: Prefix, before: tuple[str, ...], generator: random.Random) -> tuple[str, bool]:
        numbers = [int(part) for part in prefix.problem.text.split(" + ")]
        slip = 1 if generator.random() < self.error else 0
        if prefix.style == "code":
            return self._code_step(numbers, before, slip)
        totals = [int(found[1]) for step in before if (found := re.search(r"gives (-?\d+)", step))]
        if len(totals) + 1 >= len(numbers):
            return f"The answer is {totals[-1] if totals else numbers[0]}.", True
        total = totals[-1] if totals else numbers[0]
        return f"Adding {numbers[len(totals) + 1]} gives {total + numbers[len(totals) + 1] + slip}.", False

    def _code_step(self, numbers: list[int], before: tuple[str, ...], slip: int) -> tuple[str, bool]:
        if len(before) >= len(numbers):
            return "Print it.\n```python\nprint(x)\n```", True
        number = numbers[len(before)] + slip
        line = f"x = {number}" if not before else f"x = x + {number}"
        return f"Take {number}.\n```python\n{line}\n```", False


class ShortSightedPolicy(ChainPolicy):
    """Cannot read problems of more than `longest` numbers."""

    def __init__(self, error: float = 0.0, longest: int = 6) -> None:
        super().__init__(error)
        self.longest = longest

    def next_steps(self, prefixes, count, temperature, seed):
        return self._readable(super().next_steps(prefixes, count, temperature, seed), prefixes)

    def complete(self, prefixes, count, temperature, seed):
        return self._readable(super().complete(prefixes, count, temperature, seed), prefixes)

    def _readable(self, written, prefixes):
        return all_answered(
            [
                text
                if len(prefix.problem.text.split(" + ")) <= self.longest
                else Unanswerable(f"problem {prefix.problem.id!r} is too long")
                for text, prefix in zip(written, prefixes, strict=True)
            ]
        )


def run(search, policy, sandbox=None, **options):
    """Drive one search to its end; returns its result."""
    from ml.execution import sandbox as shared
    from ml.search.walk import Walk

    walk = Walk(policy, sandbox or shared(), **options)
    return next(iter(walk.drive([("only", search)]))).result
