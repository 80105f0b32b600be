"""Names and values that code wrote, in the reader's language and in a fixed order: the database keeps none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from django.utils.formats import number_format
from django.utils.translation import gettext

from ml.said import sayable

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise as Words

Value = TypeVar("Value")


class Count(int):
    """A number that writes itself as a reader wants it, 12,345; whoever chooses a plural still has the number."""

    def __str__(self) -> str:
        return number_format(int(self), use_l10n=True, force_grouping=True)


def counted(value: object) -> object:
    """A count as `Count` writes it; what is none stays as it is."""
    return Count(value) if isinstance(value, int) and not isinstance(value, bool) else value


# A text as `said` takes it: words of ours with %(…)s in them and what stands there, or a name, the same for everybody.
Sayable = str | Mapping[str, Any]


def said(text: Sayable) -> str:
    """It in the reader's language; in English where an older or newer version had other words."""
    if isinstance(text, str):
        return text
    values = {
        name: said(value) if isinstance(value, Mapping) else value for name, value in text["values"].items()
    }
    words = gettext(text["text"])
    return words % values if values else words


def translated(text: str) -> str:
    """What `ml` said, in the reader's language."""
    return said(sayable(text))


def named(found: Mapping[str, Value], names: Mapping[str, Words]) -> list[tuple[str, str, Value]]:
    """Each name, what it is called, and its value, in the order of `names`; then what has no words of its own."""
    order = [*(name for name in names if name in found), *sorted(set(found) - set(names))]
    return [(name, str(names.get(name, name.replace("_", " "))), found[name]) for name in order]


def value_in_words(name: str, value: object, words: Mapping[str, Mapping[Any, Words]]) -> object:
    """The value of a setting; what has no words of its own stays as it was written."""
    said = words.get(name, {}).get(value) if isinstance(value, str) else None
    return value if said is None else str(said)
