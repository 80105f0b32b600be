"""Every refusal of a submission or a draft: its status, its code for programs, and its words. Both doors tell it so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from labelsite.annotations.conflicts import AlreadySubmitted, Closed, KeyReused, ProtocolChanged, StaleDraft
from labelsite.annotations.judgement import Unlawful
from labelsite.campaigns.leases import LeaseLost
from labelsite.campaigns.models import Assignment


@dataclass(frozen=True, slots=True)
class Refusal:
    """status: of HTTP. more: what the caller needs to go on, such as the newer draft."""

    status: int
    code: str
    text: str
    more: Mapping[str, Any] = field(default_factory=dict)


def refusal_of(error: Exception) -> Refusal | None:
    """What to tell of an error that a service of this app raised; None for what is no refusal."""
    match error:
        case Unlawful():
            return Refusal(422, error.code, str(error), _of_the_field(error))
        case LeaseLost():
            text = _("Your hold on this task ended, and it was taken up elsewhere. Your draft is kept.")
            return Refusal(409, "lease_lost", text)
        case StaleDraft():
            return Refusal(409, "stale_draft", str(error), {"draft": error.draft, "version": error.version})
        case AlreadySubmitted():
            text = _("You submitted this task already, from another page or with another key.")
            return Refusal(409, "already_submitted", text)
        case KeyReused():
            return Refusal(409, "key_reused", _("This idempotency key was sent with another request before."))
        case ProtocolChanged():
            return Refusal(409, "protocol_changed", _of_another_protocol(error))
        case Closed():
            return Refusal(409, "closed", str(error))
        case Assignment.DoesNotExist():
            return Refusal(404, "not_found", _("There is no such task of yours."))
    return None


def _of_the_field(error: Unlawful) -> dict[str, Any]:
    """Where the judgement is wrong, in the shape of a request's other field errors."""
    return {"errors": {"judgement": {error.field: [str(error)]}}} if error.field else {}


def _of_another_protocol(error: ProtocolChanged) -> str:
    if error.is_correction:
        return _(
            "The campaign's protocol was changed meanwhile, so your correction was not taken. Your earlier submission"
            " stands: correct it as the page asks now."
        )
    return _(
        "The campaign's protocol was changed while you had this task, so nothing was submitted. Your draft is"
        " kept: judge the task as the page asks now, and submit again."
    )
