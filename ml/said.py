"""Texts that remember how they were made, so that a page can say them in another language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


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
