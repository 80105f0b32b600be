"""What a job is called: a name that a person gave it, or words of ours with values, which each reader meets in their
own language. The row keeps the English words and the values, and beside them what was said when it was made.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext, override

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise as Words

LONGEST = 200
# The words as `worded` makes them; a text is a name, and the same for everybody.
Title = str | Mapping[str, Any]


def worded(text: str | Words, **values: object) -> dict[str, Any]:
    """Words to be said later. text: marked with `gettext_noop`, or lazy. values: for its %(…)s; titles too."""
    with override(None):
        return {"text": str(text), "values": values}


def said(title: Title) -> str:
    """A title in the reader's language; in English where an older or newer version had other words."""
    if isinstance(title, str):
        return title
    values = {
        name: said(value) if isinstance(value, Mapping) else value for name, value in title["values"].items()
    }
    text = gettext(title["text"])
    return text % values if values else text


def as_columns(title: Title) -> dict[str, Any]:
    """A title as a job's row keeps it."""
    return {"title": said(title)[:LONGEST], "words": None if isinstance(title, str) else title}
