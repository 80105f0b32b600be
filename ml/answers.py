"""Final answers: find one in a text, and say whether two mean the same.

Equivalence has a fast path (equal text, equal or clearly different numbers, words: `ml/answer_words.py`), then
math-verify in worker processes that can be killed (`ml/answer_grading.py`). math-verify's own time limits use
SIGALRM, which is wrong off the main thread, so they are switched off and the wall clock is kept outside. A strict
second opinion refuses what the first may be too kind about (a dropped base or unit, an unreduced fraction); where
the two differ, a person should look.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from ml.answer_exponents import without_exponents
from ml.answer_grading import GRADER, NoVerdict, math_verify_verdict
from ml.answer_notation import (
    is_reduced,
    normalise,
    normalise_strictly,
    parts_of,
    same_dotted,
    same_number,
    same_percentage,
    value_of,
    without_float_noise,
    without_mixed_number,
)
from ml.answer_sentences import announced, is_bare, is_remark, read_on, read_sentence, says_something, trim
from ml.answer_signs import plainly_written, with_both_signs
from ml.answer_words import same_but_for_name, same_but_for_unit, same_choice, same_words

# Answers longer than this are no final answers but run-away text; comparing them costs time and means
# nothing.
LONGEST_ANSWER = 2_000

# What stands between a mark and its answer: blanks, line ends, markdown stars. A model may write thousands of them
# in a row, so the second repetition needs a colon before it: two that can share one run try every way to cut it in
# two.
_COLON = r"[\s*]*(?::[\s*]*)?"
# To the end of the sentence or of the line; a full stop inside a number or behind an abbreviation ends nothing.
_SENTENCE = (
    r"(?P<answer>[^\n]+?)(?=(?<!\bSt)(?<!\bMt)(?<!\bMr)(?<!\bMs)(?<!\bDr)(?<!\bMrs)(?<!\bvs)\.[ \t]+[A-Z]|$)"
)
_ANSWER_WORD = r"(?:final[ \t]+)?answer"
_HEADING = re.compile(
    r"^[ \t]*(?:#{1,6}|\*\*)[ \t*]*" + _ANSWER_WORD + r"[ \t*]*(?::[ \t*]*)?\n\s*(?P<answer>\S[^\n]*)",
    re.IGNORECASE | re.MULTILINE,
)
_MARKED = (
    # GSM8K's mark, also behind a sentence. A heading of a step or of the answer looks the same, and states none itself.
    re.compile(
        r"(?<!#)####(?!#)(?![ \t*]*(?:step[ \t]*\d|" + _ANSWER_WORD + r"\b))[ \t]*(?P<answer>[^\n]+)",
        re.IGNORECASE,
    ),
    _HEADING,
    re.compile(r"^[ \t]*A:[ \t]*(?P<answer>[^\n]+)", re.MULTILINE),
)
# Only this may be a remark on an answer that stands elsewhere: a box, a mark and a colon are followed by the answer.
_SAID = re.compile(
    # What would be the answer may be none: in so many words only a number, a formula or a choice is one.
    r"\b(?:final[ \t]+)?answer[ \t*]+(?:is|was|(?P<supposed>would[ \t]+be)(?=[ \t:]+[*(]*(?:[-+$\\\d]|[A-E]\b)))\b"
    + _COLON
    + _SENTENCE,
    re.IGNORECASE | re.MULTILINE,
)
_IN_A_SENTENCE = (
    _SAID,
    re.compile(r"\b(?:final[ \t]+)?answer[ \t*]*[:=][\s*]*" + _SENTENCE, re.IGNORECASE | re.MULTILINE),
)
_BOX = r"\\(?:boxed|fbox)(?![A-Za-z])"
# An escaped brace opens and closes nothing, so what is escaped is read as one piece.
_BRACES = re.compile(_BOX + r"\s*\{|\\.|[{}]", re.DOTALL)
# Only what begins like a number or a symbol: "in \boxed form" holds no answer. Not beyond the next box: else a row of
# boxes would be read to its end from each.
_BARE_BOX = re.compile(
    _BOX + r"[ \t]*(?P<answer>[-+]?[\d.\\](?:(?!" + _BOX + r")[^\s${}])*?)(?=[\s$]|\\[)\]]|\Z)"
)


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


class Stated(NamedTuple):
    """An answer that a text states; one that is not firm may be a remark, or a sentence below a heading, and counts
    only where there is no other.
    """

    answer: str
    is_firm: bool


def extract_final_answer(text: str, supposed: bool = True) -> str | None:
    """The final answer that `text` states, or None. supposed: also one that "would be" it, which may hold under a
    condition only that the text goes on to drop, and one that may be a remark, as that it is correct.

    A box wins over every other mark, as the field's graders have it; among the others, and among boxes, the last
    one counts, because a solution may correct itself. A remark counts only where there is nothing else, and so
    does a sentence below a heading.
    """
    stated = _stated_in(text, supposed)
    return None if stated is None else stated.answer


def _stated_in(text: str, supposed: bool = True) -> Stated | None:
    if (boxed := _last_boxed(text)) is not None:
        return Stated(boxed.strip(), is_firm=True)
    stated = [
        (_is_firm(match, answer), match.start(), answer)
        for patterns, read in ((_MARKED, trim), (_IN_A_SENTENCE, read_sentence))
        for pattern in patterns
        for match in pattern.finditer(text)
        if says_something(answer := read(read_on(text, *match.span("answer"))))
        and (supposed or not _may_be_none(match, answer))
    ]
    if not stated:
        return None
    is_firm, _, last = max(stated)
    return Stated(last, is_firm)


def _may_be_none(match: re.Match[str], answer: str) -> bool:
    return match.re is _SAID and (bool(match["supposed"]) or is_remark(answer))


def _is_firm(match: re.Match[str], answer: str) -> bool:
    if match.re is _HEADING:
        return is_bare(match["answer"])
    return match.re is not _SAID or not is_remark(answer)


def stated_by(step: str, before: str | None) -> Stated | None:
    """What a prose step states as the answer, also where only the prose step before it says that it is one."""
    stated = _stated_in(step)
    if stated is not None or before is None:
        return stated
    both = announced(before, step)
    return None if both is None else _stated_in(both)


def boxed_answer(text: str) -> str | None:
    """What the last box of `text` holds that holds anything, None without one."""
    return (_last_boxed(text) or "").strip() or None


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
    return known if known is not None else _compared(plainly_written(answer), plainly_written(reference))


def _known_at_once(answer: str, reference: str) -> tuple[bool, str] | None:
    # Looked at before anything is remembered: run-away texts would fill the memory.
    answer, reference = answer.strip(), reference.strip()
    if not answer or not reference or max(len(answer), len(reference)) > LONGEST_ANSWER:
        return False, "length"
    return _read(plainly_written(answer), plainly_written(reference))


@lru_cache(maxsize=100_000)
def _read(answer: str, reference: str) -> tuple[bool, str] | None:
    """What text, numbers and words tell; None where that is for math-verify to say."""
    if answer == reference or normalise(answer) == normalise(reference) != "":
        return True, "text"
    same = same_number(answer, reference)
    if same is not None:
        return same, "number"
    for same_number_as in (same_percentage, same_dotted):
        if (told := same_number_as(answer, reference)) is not None:
            return told, "number"
    if same_choice(answer, reference):
        return True, "text"
    told = same_words(answer, reference)
    if told is not None:
        return told, "text"
    for same_number_in in (same_but_for_unit, same_but_for_name):
        if (told := same_number_in(answer, reference)) is not None:
            return told, "number"
    return None


@lru_cache(maxsize=100_000)
def _compared(answer: str, reference: str) -> tuple[bool, str]:
    given, expected = (
        without_float_noise(without_exponents(without_mixed_number(one))) for one in (answer, reference)
    )
    verdict = math_verify_verdict(*with_both_signs(given, expected))
    if verdict is None:
        return is_strictly_equal(answer, reference), "strict"
    return verdict, GRADER


def _last_boxed(text: str) -> str | None:
    r"""What the last box holds that is closed and not empty: \boxed{...} or \fbox{...}, braces balanced, or one word
    after \boxed.
    """
    # Where each box begins, and where what it holds does and ends: boxes in boxes would be long texts many times over.
    found = [(match.start(), *match.span("answer")) for match in _BARE_BOX.finditer(text)]
    openings: list[re.Match[str]] = []
    for match in _BRACES.finditer(text):
        if match[0] == "}" and openings:
            opening = openings.pop()
            if opening[0] != "{":
                found.append((opening.start(), opening.end(), match.start()))
        elif match[0].endswith("{") and match[0] != r"\{":
            openings.append(match)
    # A box that holds nothing tells where an answer belongs.
    last = next((box for box in sorted(found, reverse=True) if text[box[1] : box[2]].strip()), None)
    if last is None:
        return None
    _, begin, end = last
    answer = text[begin:end]
    return answer if text[begin - 1] == "{" else answer.rstrip(".,;:")
