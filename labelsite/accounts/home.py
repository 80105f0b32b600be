"""What the start page offers. The campaigns app, further right, is reached by its page names only."""

from __future__ import annotations

from dataclasses import dataclass

from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _

from labelsite.accounts.models import User


@dataclass(frozen=True, slots=True)
class Thing:
    title: str
    text: str
    url: str
    action: str


def _thing(page: str, title: str, text: str, action: str) -> Thing | None:
    try:
        return Thing(title, text, reverse(page), action)
    except NoReverseMatch:
        return None


def next_things(user: User) -> list[Thing]:
    """The cards below the person's campaigns, by role."""
    everyone = [
        _thing(
            "annotations:my_day",
            _("My day"),
            _("What you labeled, how fast, and where gold items disagreed with you."),
            _("Open my day"),
        ),
        _thing(
            "accounts:settings",
            _("Settings"),
            _("Theme, language, keys and the tokens of your scripts."),
            _("Open settings"),
        ),
    ]
    admin = [
        _thing(
            "annotations:import",
            _("Bring in solutions"),
            _("Upload a file of step-by-step solutions and look at its first ten."),
            _("Import"),
        ),
        _thing(
            "campaigns:create",
            _("Start a campaign"),
            _("Decide who labels what, by which protocol, blind or assisted."),
            _("New campaign"),
        ),
        _thing(
            "accounts:people",
            _("People"),
            _("Make accounts, pause somebody, keep somebody's labels out of snapshots."),
            _("Open people"),
        ),
    ]
    return [thing for thing in (admin + everyone if user.is_admin else everyone) if thing]
