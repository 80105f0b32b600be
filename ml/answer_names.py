"""What stands before an answer to say which it is: a program prints "Total cost: 18" or "The total is 18"."""

from __future__ import annotations

import re

from ml.answer_words import plain_text

# "1:18" and "at 7:30" are no names, and neither is what holds a value itself.
_BEFORE_A_COLON = re.compile(r"[^\W\d][^:=,;]{0,99}(?<![\d\s])\s{0,4}:(?P<value>[^:]+)")
# "None of them is 18" names no value.
_IN_A_SENTENCE = re.compile(
    r"(?!.*\b(?:no|not|none|never|neither|nor|nothing)\b)[^\W\d_]+(?:[ '-][^\W\d_]+){0,19}"
    r"(?: (?:is|are|was|were|equals) | ?= ?)(?P<value>[^:=]+)",
    re.IGNORECASE,
)


def behind_name(answer: str) -> str | None:
    """The value that an answer gives behind words that name it; None where it names none, or several."""
    texts = (answer, plain_text(answer) or "")
    matches = (pattern.fullmatch(text) for text in texts for pattern in (_BEFORE_A_COLON, _IN_A_SENTENCE))
    return next((match["value"].strip() for match in matches if match is not None), None)
