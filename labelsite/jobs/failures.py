"""Why an attempt of a job ended, kept in its row, and told in the reader's language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import override

from labelsite.jobs.errors import Why
from labelsite.wording import said
from ml.json_lines import storable
from ml.said import Said, sayable

LONGEST = 10_000


@dataclass(frozen=True, slots=True)
class Failure:
    """code: for programs. said: for the reader; empty where there are only the program's own words. detail: those."""

    code: str
    said: str
    detail: str = ""
    attempts: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, (self.said, self.detail, self.attempts)))


def as_columns(why: Why | None) -> dict[str, Any]:
    """The reason as a job's row keeps it: what it is made of, and all of it in English."""
    if why is None:
        return {"error": "", "refusal": None}
    words: Any = {"text": "", "values": {}}
    detail = why.text
    if isinstance(why.text, Said) and len(why.text) <= LONGEST:
        words, detail = sayable(why.text), why.detail
    # What no row could hold must not keep it from being written that the attempt has ended.
    kept = storable({"code": why.code, "detail": detail[:LONGEST], "attempts": why.attempts, **words})
    with override(None):
        return {"error": str(failure("", kept))[:LONGEST], "refusal": kept}


def failure(error: str, kept: Mapping[str, Any] | None) -> Failure:
    """The reason in the reader's language. Older rows keep no code, or nothing but the English."""
    if kept is None:
        return Failure("failed" if error else "", "", error)
    attempts = ""
    if tried := kept.get("attempts"):
        attempts = _("(attempt %(attempt)s of %(most)s)") % {"attempt": tried[0], "most": tried[1]}
    return Failure(kept.get("code", "refused"), said(kept), kept.get("detail", ""), attempts)
