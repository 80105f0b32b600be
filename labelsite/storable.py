"""What of a request PostgreSQL could hold at all: no NUL in a text, no number of more than eight bytes."""

from __future__ import annotations

from collections.abc import Iterable

from django.core.exceptions import BadRequest

LARGEST_ID = 2**63 - 1


def may_be_stored(values: Iterable[object]) -> bool:
    """Whether there could be a row with these values; for the parts of an address."""
    return all(
        "\0" not in value if isinstance(value, str) else not isinstance(value, int) or value <= LARGEST_ID
        for value in values
    )


def text(value: str, longest: int | None = None) -> str:
    """A text of a request as it came; raises BadRequest, which is a 400, if no row could hold it."""
    if "\0" in value or (longest is not None and len(value) > longest):
        raise BadRequest("a text with a NUL, or one that is too long")
    return value
