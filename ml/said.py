"""Texts that remember how they were made, so that a page can say them in another language."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

PLACE = re.compile(r"%(?:\((\w+)\)s|%)")


class Said(str):
    """English words with %(name)s in them, and what stands there; a value may be such a text itself. What is neither a
    text nor a whole number is kept as its text: a job's row could not hold an error, which holds all that it came from.
    """

    words: str
    values: Mapping[str, Any]

    def __new__(cls, words: str, **values: object) -> Said:
        made = super().__new__(cls, words % values if values else words)
        made.words = words
        made.values = {
            name: value if isinstance(value, str | int) else str(value) for name, value in values.items()
        }
        return made

    @classmethod
    def of(cls, text: str) -> Said:
        """The text; one that remembers nothing is all words."""
        return text if isinstance(text, cls) else cls(text)

    @classmethod
    def joined(cls, separator: str, texts: Sequence[str]) -> Said:
        """The texts in a row, each still known for itself."""
        words = separator.join(f"%({place})s" for place in range(len(texts)))
        return cls(words, **{str(place): text for place, text in enumerate(texts)})


def sayable(text: str) -> str | dict[str, Any]:
    """The text as JSON can keep it until a reader comes."""
    if not isinstance(text, Said):
        return text
    values = {
        name: sayable(value) if isinstance(value, str) else value for name, value in text.values.items()
    }
    return {"text": text.words, "values": values}


def heard(told: Any, longest: int, depth: int = 10) -> str:
    """The text that `sayable` made this of, in a process that is not trusted: a model may have written parts of it.
    Raises ValueError for what is made of no text, of a longer one, or of one with more texts inside of each other.
    """
    if isinstance(told, str) and len(told) <= longest:
        return told
    match told:
        case {"text": str(words), "values": dict(given)} if depth:
            with suppress(KeyError, TypeError):
                places = [name for name in PLACE.findall(words) if name and given]
                values = {
                    name: value if isinstance(value := given[name], int) else heard(value, longest, depth - 1)
                    for name in set(places)
                }
                # Counted before it is put together: a value may stand in many places, and so in values that do.
                length = len(words) + sum(len(str(values[name])) for name in places)
                if length <= longest and not (given and "%" in PLACE.sub("", words)):
                    return Said(words, **values)
    raise ValueError(
        f"{type(told).__name__}, expected a text of at most {longest} characters, or what it is made of"
    )
