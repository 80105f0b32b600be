"""Reads the answer in the rest of a line or sentence that states one: without what leads to it, follows it and
surrounds it.
"""

from __future__ import annotations

import re

from ml.answer_repeating import without_full_stops
from ml.answer_signs import without_display
from ml.answer_words import changes_a_number, is_measured

# How a sentence comes to its answer: adverbs, and before a number also how exact it is and how it was found.
_FOUND = r"(?:obtained|found|given|calculated|computed|determined|derived|reached|achieved)"
_LEAD_IN = re.compile(
    r"(?:(?:therefore|thus|hence|then|so|simply|just|clearly|indeed|also|actually|equal[ \t]+to)\b,?[ \t]+(?=\S)"
    r"|(?:(?:approximately|about|roughly|around|exactly|only)|"
    + _FOUND
    + r"[ \t]+(?:by|as|to[ \t]+be))[ \t]+"
    r"(?=[-+(]*[$\\\d]|\w[ \t]*=)"
    # More words behind it tell how the answer is found.
    r"|as[ \t]+follows[ \t*]*:[ \t*]*(?=[-+(\[]*[$\\\d]|\w[ \t]*=|[^\W\d_]+\W*$))+",
    re.IGNORECASE,
)
# How it goes on behind its answer. The blanks before are not searched for: of a long run of them each would begin anew.
_TAIL_WORDS = r"which|because|since|as|so|where|but|while|whereas|giving|making|meaning|hence|thus|therefore"
_TAIL, _TAIL_OF_A_VALUE = (
    re.compile(
        r"(?:[,;][ \t]{1,4}(?:" + words + r")"
        r"|(?<=[ \t])(?:because|since|which[ \t]+(?:is|means|makes|gives|equals)"
        r"|as[ \t]+(?:required|expected|desired|claimed|stated)))(?![\w']).*",
        re.IGNORECASE,
    )
    # "That is" and its like: behind a value comes the same in words, behind words the value.
    for words in (_TAIL_WORDS, _TAIL_WORDS + r"|i\.e|that[ \t]+is|namely")
)
# Behind a value, a remark in brackets, "18 (rounded to the nearest integer)", or behind a semicolon. One word may be a
# factor or a unit, and what has brackets, digits or formulas itself a part of the answer.
_ASIDE = re.compile(
    r"(?<=[^\s(])[ \t]{1,4}\((?:(?P<word>[^\W\d_]{3,})[ ,]|(?:as|by|so|to|we) [^\W\d_]{3})[^()]*\)[.!*]*$"
    r"|;[ \t]{1,4}(?P<next>[^\W\d_]{3,})\b[^\d=$\\;:]*$"
)
# A unit has none.
_VERB = re.compile(r"\b(?:is|are|was|were|be|been|has|have|had)\b", re.IGNORECASE)
_BEGINS_A_VALUE = re.compile(r"[-+*(]*[$\\\d]|\w[ \t]*=")
# A description may end in the answer: a value, or the word before one.
_NO_VALUE_FOLLOWS = r"(?!.*(?:[$=\\]|\b(?:is|equals)\b|[,:][ \t]*[-+(]*\d))"
# What says how the answer is found, or what it is not.
_NO_ANSWER = re.compile(
    _FOUND + r"[ \t]+(?:by|from|using|through|via|when|after|if|in|with|as)\b"
    r"|not[ \t]+(?:yet\b|an?\b|the\b|[-+$(\\]*\d)|as[ \t]+follows\b|that\b|see[ \t]+above\b"
    r"|" + _NO_VALUE_FOLLOWS + r"(?:the[ \t]+(?:sum|difference|product|quotient|ratio)[ \t]+of\b"
    r"|in[ \t]+(?:its[ \t]+|the[ \t]+)?(?:simplest|lowest|reduced|desired|required|correct|right|form)\b)",
    re.IGNORECASE,
)
# What mostly says something about an answer that stands elsewhere. Of these "valid" may be one, and so may the others.
_REMARK = re.compile(
    r"(?:(?:in)?correct|right|wrong|(?:un)?reasonable|(?:in)?valid|(?:in)?consistent|plausible|sensible|positive|negative)"
    r"(?:,?[ \t](?:and|for|to|with|when|given|in|by)\b.*)?"
    r"|(?:less|more|fewer|greater|larger|smaller|bigger|higher|lower)[ \t]+than\b.*|at[ \t]+(?:most|least)\b.*"
    r"|an?[ \t]+(?:[A-Za-z-]+[ \t]+){0,2}(?:integer|number|multiple|fraction|decimal|percentage|factor|divisor)\b.*",
    re.IGNORECASE,
)
_ANNOUNCEMENT = re.compile(r"(?:\banswer[ \t*]+is|^[ \t#*]*(?:final[ \t]+)?answer)\Z", re.IGNORECASE)
# A number, a formula or a choice, but no list of steps and no sentence.
_BEGINS_AN_ANSWER = re.compile(r"(?!\d+[.)][ \t])[-+*(]*(?:[$\\\d]|[A-E]\b(?![ \t]+\w))")
# A longer one that begins otherwise is a sentence, unless it has no words.
_MOST_WORDS = 3
_WORD = re.compile(r"[^\W\d_]{2}")
# What opens LaTeX that may stand on lines of its own, and what closes it.
_DISPLAYS = (("\\[", "\\]"), ("$$", "$$"), ("\\(", "\\)"))
# A longer one was never closed, or is no answer.
LONGEST_DISPLAY = 2_000
# Markdown's stars round a part of an answer. Behind a number or before a digit they would be a product's or a power's.
_EMPHASIS = re.compile(
    r"(?<![^\s(\[:=$\"'])(?<![\d)\]}] )"
    r"(?:(?P<stars>\*{2,3})(?=[^\s*])(?P<bold>(?:[^*\n]|\*(?!\*))*?[^\s*])(?P=stars)"
    r"|\*(?=[^\s*])(?P<italic>[^*\n]*[^\s*])\*)(?![\w*])"
)
_MOST_STARS = 3
# What they close may have begun before the answer did.
_CLOSING_STARS = re.compile(r"(?<=[^\s*])\*\*(?= [^\W\d_]{2})")
# Brackets may be an answer, and so may an empty set, a sign between two numbers and every other symbol; these are none.
_NOTHING = re.compile(
    r"(?:[\s:;,.!?*_`'\"$\u2026\u201c\u201d\u2018\u2019\u3002\uff0c\uff1a\uff01\uff1f-]|\\[\[\]()]|\\$)*"
)


def read_sentence(rest: str) -> str:
    """The answer in the rest of a sentence that states it, without what leads to it and what follows; nothing where
    the rest is none.
    """
    rest = _without_emphasis(rest.strip()).lstrip("*,").lstrip()
    lead = _LEAD_IN.match(rest)
    if lead is not None:
        rest = rest[lead.end() :]
    is_value = _BEGINS_A_VALUE.match(rest) is not None
    tail = (_TAIL_OF_A_VALUE if is_value else _TAIL).search(rest)
    if tail is not None and tail.start():
        rest = rest[: tail.start()]
    if is_value:
        rest = _without_aside(rest)
    return "" if _NO_ANSWER.match(rest) else trim(rest)


def _without_aside(value: str) -> str:
    aside = _ASIDE.search(value)
    if aside is None or changes_a_number(aside["word"] or aside["next"] or ""):
        return value
    if is_measured(value) and not _VERB.search(aside[0]):
        return value
    return value[: aside.start()]


def trim(answer: str) -> str:
    """Without what surrounds an answer in a sentence: markdown stars, a closing full stop, quotes,
    dollars, and other signs that display LaTeX.
    """
    text = _without_emphasis(answer.strip()).strip("*").strip()
    text = without_full_stops(text.rstrip("。")).strip().strip("*").strip()
    if len(text) > 2 and text[0] == text[-1] and text[0] in "\"'$`" and text[0] not in text[1:-1]:
        text = text[1:-1].strip()
    return without_display(text)


def _without_emphasis(text: str) -> str:
    unmarked = _EMPHASIS.sub(lambda match: match["bold"] or match["italic"], text)
    return _CLOSING_STARS.sub("", unmarked)


def read_on(text: str, begin: int, end: int) -> str:
    """`text` from `begin` to `end`, the end of a line, with the stars that open there. Where displayed LaTeX opens that
    line and does not close on it, all that the display holds, as one line.
    """
    return _stars_before(text, begin) + _line_or_display(text, begin, end)


def _stars_before(text: str, begin: int) -> str:
    before = text[max(0, begin - _MOST_STARS) : begin]
    return before[len(before.rstrip("*")) :]


def _line_or_display(text: str, begin: int, end: int) -> str:
    rest = text[begin:end]
    for opening, closing in _DISPLAYS:
        if rest.startswith(opening) and closing not in rest[len(opening) :]:
            inside = begin + len(opening)
            closed = text.find(closing, inside, inside + LONGEST_DISPLAY)
            return " ".join(text[inside:closed].split()) if closed >= 0 else rest
    return rest


def says_something(answer: str) -> bool:
    """Whether an answer is more than the marks that lead to one: "the answer is:" may end a line."""
    return _NOTHING.fullmatch(answer) is None


def is_remark(answer: str) -> bool:
    """Whether what a sentence says of "the answer" may be all that it says: that it is correct, or less than 10. Where
    another answer is stated, it is none.
    """
    return _REMARK.fullmatch(answer) is not None


def is_bare(line: str) -> bool:
    """Whether the line below a heading is no more than an answer. A sentence there may be about one that the text
    states in so many words.
    """
    if _BEGINS_AN_ANSWER.match(line):
        return True
    is_short = len(line.split()) <= _MOST_WORDS or not _WORD.search(line)
    return is_short and not _NO_ANSWER.match(line.lstrip("*([_"))


def announced(step: str, following: str) -> str | None:
    """Both steps as one text where the first ends in "the answer is:", or a heading like it, and the next begins as an
    answer does; None otherwise. Blank lines part steps, and models leave one there.
    """
    line = step.rstrip().rpartition("\n")[2]
    bare = line.rstrip("*: \t")
    is_marked = line.lstrip().startswith(("#", "**")) or ":" in line[len(bare) :]
    if not (is_marked and _ANNOUNCEMENT.search(bare) and _BEGINS_AN_ANSWER.match(following.lstrip())):
        return None
    return f"{step}\n{following}"
