"""Final answers: say whether two mean the same. `ml/answers_found.py` finds one in a text.

Equivalence has a fast path (equal text, equal or clearly different numbers, words: `ml/answer_words.py`), then
math-verify in worker processes that can be killed (`ml/answer_grading.py`). math-verify's own time limits use
SIGALRM, which is wrong off the main thread, so they are switched off and the wall clock is kept outside. A strict
second opinion refuses what the first may be too kind about (a dropped base or unit, an unreduced fraction); where
the two differ, a person should look.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from ml.answer_bases import same_in_base
from ml.answer_exponents import without_exponents
from ml.answer_grading import GRADER, NoVerdict, math_verify_verdict
from ml.answer_names import behind_name
from ml.answer_notation import (
    is_reduced,
    normalise,
    normalise_strictly,
    parts_of,
    same_dotted,
    same_exclaimed,
    same_number,
    same_percentage,
    value_of,
    without_float_noise,
    without_mixed_number,
)
from ml.answer_signs import plainly_written, with_both_signs
from ml.answer_words import bare_percentages, same_but_for_unit, same_choice, same_words

# Answers longer than this are no final answers but run-away text; comparing them costs time and means
# nothing.
LONGEST_ANSWER = 2_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """Two opinions on whether an answer equals the reference. `grader` names what gave the primary one."""

    primary: bool
    strict: bool
    grader: str

    @property
    def agree(self) -> bool:
        """Whether the two opinions are the same; where they are not, a person should decide."""
        return self.primary == self.strict


def is_equivalent(answer: str | None, reference: str | None) -> bool:
    """Whether `answer` means the same as `reference` (the primary opinion; order matters to math-verify).

    Where the grader gives no verdict on the pair the strict opinion stands in, for this once: a vote over answers
    goes on.
    """
    if answer is None or reference is None:
        return False
    try:
        return _primary(answer, reference)[0]
    except NoVerdict:
        return is_strictly_equal(answer, reference)


def judge(answer: str | None, reference: str | None) -> Verdict:
    """Both opinions on one answer; an absent answer is wrong to both.

    Raises NoVerdict where the grader gave none, which is no evidence about the answer.
    """
    if answer is None or reference is None:
        return _ABSENT
    return _with_strict(_primary(answer, reference), answer, reference)


def judge_at_once(answer: str | None, reference: str | None) -> Verdict | None:
    """As `judge`, without the slow grader; None where that has to be asked."""
    if answer is None or reference is None:
        return _ABSENT
    known = _known_at_once(answer, reference)
    return _with_strict(known, answer, reference) if known is not None else None


def is_strictly_equal(answer: str, reference: str) -> bool:
    """The conservative opinion: equal after normalising notation, or equal numbers in lowest terms.

    Units, bases and labels must match; "2/4" is not "1/2"; tuples compare part by part, in order; of words the case
    does not matter, as to PRM800K's rules. Those go on to ask sympy about the difference of two expressions. That is
    left to the primary opinion, since sympy must not read hostile text in this process: "x+1" and "1+x" count as
    disputed.
    """
    if max(len(answer), len(reference)) > LONGEST_ANSWER:
        return False
    answer, reference = plainly_written(answer), plainly_written(reference)
    left, right = normalise_strictly(answer), normalise_strictly(reference)
    if not left or not right:
        return False
    if left == right or same_words(answer, reference):
        return True
    left_parts, right_parts = parts_of(left), parts_of(right)
    if len(left_parts) > 1 or len(right_parts) > 1:
        same_brackets = left[:1] + left[-1:] == right[:1] + right[-1:]
        return (
            same_brackets
            and len(left_parts) == len(right_parts)
            and all(_strict_part(one, other) for one, other in zip(left_parts, right_parts, strict=True))
        )
    return _strict_part(left, right)


def _strict_part(left: str, right: str) -> bool:
    if left == right:
        return True
    one, other = value_of(left), value_of(right)
    return one is not None and one == other and is_reduced(left) and is_reduced(right)


_ABSENT = Verdict(primary=False, strict=False, grader="absent")


def _with_strict(opinion: tuple[bool, str], answer: str, reference: str) -> Verdict:
    return Verdict(opinion[0], is_strictly_equal(answer, reference), opinion[1])


def _primary(answer: str, reference: str) -> tuple[bool, str]:
    known = _known_at_once(answer, reference)
    return known if known is not None else _compared(*_to_compare(answer, reference))


def _known_at_once(answer: str, reference: str) -> tuple[bool, str] | None:
    # Looked at before anything is remembered: run-away texts would fill the memory.
    answer, reference = answer.strip(), reference.strip()
    if not answer or not reference or max(len(answer), len(reference)) > LONGEST_ANSWER:
        return False, "length"
    return _read(*_to_compare(answer, reference))


def _to_compare(answer: str, reference: str) -> tuple[str, str]:
    return bare_percentages(plainly_written(answer), plainly_written(reference))


@lru_cache(maxsize=100_000)
def _read(answer: str, reference: str) -> tuple[bool, str] | None:
    """What text, numbers and words tell; None where that is for math-verify to say."""
    told = [_told(one, reference) for one in _ways_to_read(answer, reference)]
    right = next((one for one in told if one is not None and one[0]), None)
    return right or (None if None in told else told[0])


def _ways_to_read(answer: str, reference: str) -> tuple[str, ...]:
    """The answer, and the value that it names where the reference is a bare one."""
    value = behind_name(answer)
    return (answer,) if value is None or behind_name(reference) is not None else (answer, value)


def _told(answer: str, reference: str) -> tuple[bool, str] | None:
    if answer == reference or normalise(answer) == normalise(reference) != "":
        return True, "text"
    same = same_number(answer, reference)
    if same is not None:
        return same, "number"
    for same_number_as in (same_percentage, same_dotted, same_exclaimed, same_in_base):
        if (told := same_number_as(answer, reference)) is not None:
            return told, "number"
    if same_choice(answer, reference):
        return True, "text"
    told = same_words(answer, reference)
    if told is not None:
        return told, "text"
    told = same_but_for_unit(answer, reference)
    return (told, "number") if told is not None else None


@lru_cache(maxsize=100_000)
def _compared(answer: str, reference: str) -> tuple[bool, str]:
    """What math-verify says of what is not told yet."""
    is_right, grader = False, GRADER
    for one in reversed(_ways_to_read(answer, reference)):
        if not is_right and _told(one, reference) is None:
            is_right, grader = _verified(one, reference)
    return is_right, grader


def _verified(answer: str, reference: str) -> tuple[bool, str]:
    given, expected = (
        without_float_noise(without_exponents(without_mixed_number(one))) for one in (answer, reference)
    )
    verdict = math_verify_verdict(*with_both_signs(given, expected))
    if verdict is None:
        return is_strictly_equal(answer, reference), "strict"
    return verdict, GRADER
