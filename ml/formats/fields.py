"""Small functions that take one field out of a parsed record, or say what was found and what was expected."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from ml.bounds import is_whole, is_within
from ml.formats.lines import Unreadable, json_type
from ml.said import Said

Record = Mapping[str, Any]
# Whole numbers end up in 32-bit database columns (positions, milliseconds).
LARGEST_INTEGER = 2**31 - 1


def shown(value: object) -> str:
    """A value as it stands in a message: short, on one line."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."


def refuse(key: str, value: object, expected: str) -> Unreadable:
    """The error for a field whose value is not what the format says; for the caller to raise."""
    return Unreadable(Said("`%(key)s` = %(value)s", key=key, value=shown(value)), expected)


@contextmanager
def naming(place: str) -> Iterator[None]:
    """Says of what cannot be read where in its line it is."""
    try:
        yield
    except Unreadable as error:
        found = Said("%(place)s: %(found)s", place=place, found=error.found)
        raise Unreadable(found, error.expected) from None


def present(record: Record, key: str) -> Any:
    """The value under a key that the format demands."""
    if key not in record:
        keys = ", ".join(map(str, record))[:120]
        raise Unreadable(
            Said("no key `%(key)s` (keys: %(keys)s)", key=key, keys=keys), Said("a `%(key)s`", key=key)
        )
    return record[key]


def text(record: Record, key: str) -> str:
    """A string that holds something besides white space."""
    value = present(record, key)
    if not isinstance(value, str) or not value.strip():
        raise refuse(key, value, "a text")
    return value


def optional_text(record: Record, key: str) -> str | None:
    """A string, or None where the key is missing or null."""
    value = record.get(key)
    if value is not None and not isinstance(value, str):
        raise refuse(key, value, "a text or null")
    return value


def short_answer(record: Record, key: str) -> str | None:
    """A final answer: text, or a number written as text (files disagree about which); None if missing or blank.

    Against a blank reference every rollout would be wrong, and so every step.
    """
    value = record.get(key)
    if value is None or isinstance(value, str):
        return value if value and value.strip() else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise refuse(key, value, "a final answer: a text, a number or null")
    return str(value)


def texts(record: Record, key: str, at_least: int = 1) -> tuple[str, ...]:
    """A list of strings, each of which holds something."""
    value = present(record, key)
    if not isinstance(value, list) or len(value) < at_least:
        raise refuse(key, value, Said("a list of at least %(least)s text(s)", least=at_least))
    for index, item in enumerate(value):
        if not isinstance(item, str) or not item.strip():
            raise refuse(f"{key}[{index}]", item, "a text")
    return tuple(value)


def boolean(record: Record, key: str) -> bool:
    """true or false."""
    value = present(record, key)
    if not isinstance(value, bool):
        raise refuse(key, value, "true or false")
    return value


def boolean_or_null(record: Record, key: str) -> bool | None:
    """true, false, or None for null; the key must be there."""
    return None if present(record, key) is None else boolean(record, key)


def optional_boolean(record: Record, key: str) -> bool | None:
    """true, false, or None where the key is missing or null."""
    return None if record.get(key) is None else boolean(record, key)


def integer(record: Record, key: str, low: int = 0, high: int = LARGEST_INTEGER) -> int:
    """A whole number from low to high (both included); true and 1.0 are not whole numbers here."""
    value = present(record, key)
    if not is_whole(value) or not low <= value <= high:
        is_above = is_whole(value) and value > high
        if high == LARGEST_INTEGER and not is_above:
            raise refuse(key, value, Said("a whole number of at least %(low)s", low=low))
        raise refuse(key, value, Said("a whole number from %(low)s to %(high)s", low=low, high=high))
    return value


def optional_integer(record: Record, key: str, low: int = 0, high: int = LARGEST_INTEGER) -> int | None:
    """A whole number from low to high, or None where the key is missing or null."""
    return None if record.get(key) is None else integer(record, key, low, high)


def number(record: Record, key: str, low: float, high: float) -> float:
    """A number from low to high."""
    value = present(record, key)
    if not is_within(value, low, high):
        raise refuse(key, value, Said("a number from %(low)s to %(high)s", low=f"{low:g}", high=f"{high:g}"))
    return float(value)


def one_of(record: Record, key: str, choices: Sequence[str]) -> str:
    """One of a few words."""
    value = present(record, key)
    if value not in choices:
        raise refuse(key, value, Said("one of %(choices)s", choices=", ".join(choices)))
    return str(value)


def mapping(record: Record, key: str) -> Mapping[str, Any]:
    """A nested object."""
    value = present(record, key)
    if not isinstance(value, dict):
        raise refuse(key, value, "an object")
    return value


def objects(record: Record, key: str, at_least: int = 0) -> list[Mapping[str, Any]]:
    """A list of nested objects."""
    value = present(record, key)
    if not isinstance(value, list) or len(value) < at_least:
        raise refuse(key, value, Said("a list of at least %(least)s object(s)", least=at_least))
    for index, item in enumerate(value):
        if not isinstance(item, dict):
            found = Said("`%(key)s` is a JSON %(type)s", key=f"{key}[{index}]", type=json_type(item))
            raise Unreadable(found, "an object")
    return value


def identity(record: Record, key: str) -> str:
    """A record's id as text: a text of at most 200 characters, or a whole number."""
    value = present(record, key)
    if is_whole(value):
        value = str(value)
    if not isinstance(value, str) or not value.strip() or len(value) > 200:
        raise refuse(key, value, "an id: a text of at most 200 characters, or a whole number")
    return value


def identity_or_line(record: Record, key: str, line: int) -> str:
    """The record's id, or the number of its line where it has none: tables write a missing one as null."""
    return str(line) if record.get(key) is None else identity(record, key)
