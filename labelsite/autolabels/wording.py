"""What a search notes on its steps, in the reader's language."""

from __future__ import annotations

from django.utils.translation import gettext as _

from labelsite.problems.models import Verdict
from ml.search.expansion import CUT_OFF, DOES_NOT_RUN, UNREAD


def verdict_in_words(verdict: str) -> str:
    """How a step's code ended."""
    words: dict[str, str] = {
        Verdict.OK: _("ran"),
        Verdict.PROGRAM_ERROR: _("the code failed"),
        Verdict.INFRASTRUCTURE: _("the code was not run"),
    }
    return words.get(verdict, verdict)


def pruned_in_words(reason: str) -> str:
    """Why a step is never selected; a reason of another kind stays as it was written."""
    if reason == Verdict.INFRASTRUCTURE:
        return verdict_in_words(reason)
    if reason.startswith(DOES_NOT_RUN):
        return _("does not run: %(error)s") % {"error": reason.removeprefix(DOES_NOT_RUN)}
    words = {CUT_OFF: _("cut off at the longest step"), UNREAD: _("no answer to read")}
    return words.get(reason, reason)
