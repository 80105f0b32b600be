"""Why a task comes now, in the reader's language, from the code that its row keeps."""

from __future__ import annotations

from django.utils.translation import gettext

from ml.acquisition import REASONS


def reason_text(code: str) -> str:
    """The words for a `Priority.code`. What is none is shown as it is."""
    kind, *facts = code.split(" ")
    words = REASONS.get(kind)
    if words is None:
        return code
    given = dict(fact.split("=", 1) for fact in facts if "=" in fact)
    try:
        return gettext(words).format(**given) if words else ""
    except KeyError:
        return code
