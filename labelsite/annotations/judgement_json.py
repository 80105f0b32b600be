"""A judgement as the page and scripts send it: read from JSON, and refused where it is none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from labelsite.annotations.judgement import Judgement, Rating, Unlawful
from labelsite.annotations.models import FinishReason
from labelsite.campaigns.models import Protocol
from ml.json_lines import UNSTORABLE

LONGEST_TEXT = 20_000
LONGEST_TIME_MS = 24 * 3600 * 1000


def parse(data: Any) -> Judgement:
    """Reads the JSON object of a judgement; raises Unlawful("malformed") for anything else."""
    try:
        ratings = tuple(_parse_rating(item) for item in data.get("ratings") or ())
        first, guideline = data.get("first_mistake"), data.get("guideline_version")
        protocol = data.get("protocol")
        return Judgement(
            finish_reason=FinishReason(data["finish_reason"]).value,
            reason=_text(data.get("reason", "")),
            ratings=ratings,
            first_mistake=None if first is None else _whole(first),
            written=tuple(_text(text) for text in data.get("written") or ()),
            total_time_ms=_time(data.get("total_time_ms")),
            guideline_version=None if guideline is None else _whole(guideline),
            protocol=None if protocol is None else Protocol(protocol).value,
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise Unlawful("malformed", _("This is not a judgement: %(error)s") % {"error": error}) from error


def _parse_rating(item: Mapping[str, Any]) -> Rating:
    rating = item.get("rating")
    if rating is not None and (isinstance(rating, bool) or rating not in (-1, 0, 1)):
        raise ValueError(f"rating {rating!r}, expected -1, 0, 1 or null")
    return Rating(
        step=_whole(item["step"]),
        rating=None if rating is None else int(rating),
        flagged=item.get("flagged") is True,
        milliseconds=_time(item.get("milliseconds")),
        note=_text(item.get("note", "")),
    )


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{value!r}, expected a whole number")
    return value


def _time(value: Any) -> int | None:
    return None if value is None else min(max(0, _whole(value)), LONGEST_TIME_MS)


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > LONGEST_TEXT or UNSTORABLE.search(value):
        raise ValueError("text that is too long, or holds a NUL or half a character, or is no text")
    return value.strip()
