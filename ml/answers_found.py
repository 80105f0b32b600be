"""Final answers: find the one that a text states."""

from __future__ import annotations

import re
from typing import NamedTuple

from ml.answer_sentences import announced, is_bare, is_remark, read_on, read_sentence, says_something, trim

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
