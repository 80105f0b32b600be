"""What a search notes on its steps, in the reader's language."""

from __future__ import annotations

from django.utils.translation import gettext as _

from labelsite.problems.models import Verdict

# How `ml.search.expansion` begins the reason of a step whose code failed; Python's own error follows.
DOES_NOT_RUN = "does not run: "


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
    return reason
