"""Why a submission, a draft or a revision is refused although there is nothing wrong with the judgement as such."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _


class StaleDraft(Exception):
    """Another device saved a newer draft; it comes along, so that the person can choose."""

    def __init__(self, draft: Mapping[str, Any], version: int) -> None:
        self.draft, self.version = draft, version
        super().__init__(_("This task was changed on another device."))


class AlreadySubmitted(Exception):
    """The person submitted this task before, from another page; that submission stands."""


class KeyReused(Exception):
    """The idempotency key was sent with another request before."""


class ProtocolChanged(Exception):
    """The judgement was made under a protocol that the campaign no longer has; the draft is kept.

    Of a correction there is no draft: what was submitted before stands.
    """

    def __init__(self, is_correction: bool = False) -> None:
        super().__init__()
        self.is_correction = is_correction


class Closed(Exception):
    """This annotation can no longer be changed."""
