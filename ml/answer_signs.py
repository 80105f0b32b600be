"""Signs that say nothing of an answer but where its mathematics begins and ends."""

from __future__ import annotations

import re

_DISPLAYS = (("\\[", "\\]"), ("\\(", "\\)"), ("$$", "$$"))
# The second of two backslashes begins no sign: \\[2pt] and \\(1) follow the end of a matrix's row.
_INLINE = re.compile(r"(?<!\\)\\[()]")


def without_display(answer: str) -> str:
    r"""`answer` without the one pair of \[...\], \(...\) or $$...$$ that stands round all of it."""
    text = answer.strip()
    for opening, closing in _DISPLAYS:
        inside = text[len(opening) : -len(closing)]
        if text.startswith(opening) and text.endswith(closing) and len(text) > len(opening + closing):
            return answer if opening in inside or closing in inside else inside.strip()
    return answer


def plainly_written(answer: str) -> str:
    """`answer` as the opinions compare it, without the signs that display it."""
    text = answer.strip()
    if "\\" not in text and "$$" not in text:
        return text
    bare = without_display(text.rstrip("."))
    return _INLINE.sub("", text if bare == text.rstrip(".") else bare)
