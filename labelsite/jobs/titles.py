"""What a job is called: a name that a person gave it, or words of ours with values, which each reader meets in their
own language. The row keeps the English words and the values, and beside them what was said when it was made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.utils.translation import override

from labelsite.wording import Sayable, said

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise as Words

LONGEST = 200


def worded(text: str | Words, **values: object) -> dict[str, Any]:
    """Words to be said later. text: marked with `gettext_noop`, or lazy. values: for its %(…)s; titles too."""
    with override(None):
        return {"text": str(text), "values": values}


def as_columns(title: Sayable) -> dict[str, Any]:
    """A title as a job's row keeps it."""
    return {"title": said(title)[:LONGEST], "words": None if isinstance(title, str) else title}
