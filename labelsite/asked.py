"""How a page reads what an address or a form asks of it: numbers, pages by id; and how it refuses the rest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.db.models import Model, QuerySet
from django.http import HttpResponse

Row = TypeVar("Row", bound=Model)

# Any such number fits in PostgreSQL's eight bytes. Python itself refuses to read one of more than 4,300 digits, and a
# form's field may be that long.
MOST_DIGITS = 18


def whole(text: str) -> int | None:
    """The id or count that a text names; None for everything else, so that a page passes over it."""
    return int(text) if text.isdecimal() and len(text) <= MOST_DIGITS else None


def wholes(texts: Iterable[str]) -> list[int]:
    """The numbers that stand among some texts."""
    return [number for number in map(whole, texts) if number is not None]


def refused(text: str) -> HttpResponse:
    """The answer to what no form of ours sends, in plain words."""
    return HttpResponse(text, status=400, content_type="text/plain; charset=utf-8")


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Some rows, the newest first. further: the id below which the next page begins; None where there is none."""

    rows: Sequence[Row]
    further: int | None


def page_below(rows: QuerySet[Any, Row], before: str, size: int) -> Page[Row]:
    """The first `size` of rows that come by id, the largest first; of those below `before` where that is an id.

    By id, so that page 1,000 costs what page 1 does.
    """
    start = whole(before)
    # One more than is shown tells whether there are others.
    found = list((rows if start is None else rows.filter(pk__lt=start))[: size + 1])
    return Page(found[:size], found[size - 1].pk if len(found) > size else None)
