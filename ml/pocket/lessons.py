"""What the pocket policy learns from: token sequences of a careless solver's work, and short drills."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tokenizers import Tokenizer

from ml.pocket import writer
from ml.pocket.expression import Sum
from ml.pocket.problems import draw_expression, question
from ml.pocket.reduction import Manner, chain
from ml.pocket.slips import CAREFUL, Hand
from ml.pocket.tokenizer import BEGIN, CODE, DRILL, END, PROSE, STEP
from ml.pocket.writer import Written

LONGEST_LESSON = 640
DRILLS = 30
# The shapes of SHAPES, those with eight groups more often: they are the hardest to copy.
_LEARNED_SHAPES = ((2, 4, 60), (1, 4, 40), (2, 3, 25), (3, 2, 22), (2, 2, 7))


def _careful_prose(expression: Sum, rng: random.Random) -> Written:
    return writer.write_prose(expression, rng, CAREFUL)


def _careful_strangers(expression: Sum, rng: random.Random) -> Written:
    return writer.write_freely(expression, rng, CAREFUL)


# (style, who writes it, how often of 100)
_Kinds = tuple[tuple[str, Callable[[Sum, random.Random], Written] | None, int], ...]
COURSES: dict[str, _Kinds] = {
    # What makes a policy: it writes as a careless person does, and goes on from what others wrote.
    "careless": (
        ("prose", writer.write_prose, 42),
        ("prose", writer.continue_prose, 8),
        ("code", writer.write_code, 7),
        ("code", writer.continue_in_code, 13),
        ("drill", None, 30),
    ),
    # What makes a reader, the base of PRMs: correct work only, more of it by strangers than in the policy's own hand.
    "careful": (
        ("prose", _careful_prose, 20),
        ("prose", _careful_strangers, 40),
        ("drill", None, 40),
    ),
}


@dataclass(frozen=True, slots=True)
class Lesson:
    """Token ids, and which of them are learned (the others are given)."""

    tokens: list[int]
    learned: list[bool]


def prompt_text(problem: str, style: str) -> str:
    """How a problem and the wanted style are put to the policy."""
    return f"{BEGIN}{problem}{PROSE if style == 'prose' else CODE}"


def steps_text(steps: tuple[str, ...]) -> str:
    """Finished steps, each closed by the step token."""
    return "".join(f"{step}{STEP}" for step in steps)


def solution_lesson(tokenizer: Tokenizer, problem: str, style: str, written: Written) -> Lesson:
    """A solution as a lesson: the problem and a stranger's prefix are given, the rest is learned."""
    given = prompt_text(problem, style) + steps_text(written.steps[: written.prefix])
    learned = STEP.join(written.steps[written.prefix :]) + END
    return _lesson(tokenizer, [(given, False), (learned, True)])


def drill_lesson(tokenizer: Tokenizer, rng: random.Random, wide: bool) -> Lesson:
    """A page of sums and products of the sizes that turn up in chains; only the results are learned.

    Half of a wide page are sums and differences of up to four digits, in any mixture of lengths.
    """
    pieces = [(f"{BEGIN}{DRILL}", False)]
    tasks = _atoms(rng)
    if wide:
        tasks = tasks[: DRILLS // 2] + _sums(rng)
        rng.shuffle(tasks)
    for task, result in tasks:
        pieces += [(f"{task} = ", False), (result, True), (", ", False)]
    return _lesson(tokenizer, pieces)


def _lesson(tokenizer: Tokenizer, pieces: list[tuple[str, bool]]) -> Lesson:
    """Texts joined to one sequence; the flags say which are learned."""
    tokens: list[int] = []
    flags: list[bool] = []
    for text, learned in pieces:
        ids = tokenizer.encode(text).ids
        tokens += ids
        flags += [learned] * len(ids)
    return Lesson(tokens, flags)


def _atoms(rng: random.Random) -> list[tuple[str, str]]:
    """The single operations with their results that some random problems take, shuffled."""
    hand = _Recorder(rng)
    while len(hand.atoms) < 2 * DRILLS:
        chain(draw_expression(rng, _LEARNED_SHAPES), hand, Manner())
    return rng.sample(hand.atoms, DRILLS)


def _sums(rng: random.Random) -> list[tuple[str, str]]:
    """Sums of two numbers of one to four digits each, of either sign; two and three digits most often."""
    hand = _Recorder(rng)
    for _ in range(DRILLS // 2):
        left, right = (
            rng.choice((-1, 1)) * rng.randrange(10 ** rng.choices((1, 2, 3, 4), (20, 35, 35, 10))[0])
            for _ in range(2)
        )
        hand.add(left, right)
    return hand.atoms


class _Recorder(Hand):
    """A careful hand that notes what it does."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__(rng, CAREFUL)
        self.atoms: list[tuple[str, str]] = []

    def multiply(self, left: int, right: int) -> int:
        self.atoms.append((f"{left} * {right}", str(left * right)))
        return left * right

    def split(self, left: int, right: int) -> list[int]:
        parts = super().split(left, right)
        signs = "".join(f" {'-' if part < 0 else '+'} {abs(part)}" for part in parts[1:])
        self.atoms.append((f"({left} * {right})", f"({parts[0]}{signs})"))
        return parts

    def add(self, left: int, right: int) -> int:
        sign = "-" if right < 0 else "+"
        self.atoms.append((f"{left} {sign} {abs(right)}", str(left + right)))
        return left + right


def lessons(tokenizer: Tokenizer, seed: int | str, course: str = "careless") -> Iterator[Lesson]:
    """An endless mixture, the same for the same seed: whole solutions, continued prefixes, drills."""
    rng = random.Random(f"pocket lessons {seed}")
    kinds = COURSES[course]
    while True:
        style, write, _ = rng.choices(kinds, weights=[kind[2] for kind in kinds])[0]
        if write is None:
            lesson = drill_lesson(tokenizer, rng, wide=course == "careful")
        else:
            expression = draw_expression(rng, _LEARNED_SHAPES)
            lesson = solution_lesson(tokenizer, question(expression), style, write(expression, rng))
        if len(lesson.tokens) <= LONGEST_LESSON:
            yield lesson
