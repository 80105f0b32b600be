"""What the start page offers. The campaigns app, further right, is reached by its page names only."""

from __future__ import annotations

from dataclasses import dataclass

from django.urls import reverse
from django.utils.translation import gettext as _

from labelsite.accounts.models import User


@dataclass(frozen=True, slots=True)
class Thing:
    title: str
    text: str
    url: str
    action: str


def next_things(user: User) -> list[Thing]:
    """The cards below the person's campaigns, by role."""
    everyone = [
        Thing(
            _("My day"),
            _("What you labelled, how fast, and where gold items disagreed with you."),
            reverse("annotations:my_day"),
            _("Open my day"),
        ),
        Thing(
            _("Settings"),
            _("Password, theme, language, keys and the tokens of your scripts."),
            reverse("accounts:settings"),
            _("Open settings"),
        ),
    ]
    admin = [
        Thing(
            _("Bring in solutions"),
            _("Upload a file of step-by-step solutions and look at its first ten."),
            reverse("annotations:import"),
            _("Import"),
        ),
        Thing(
            _("Start a campaign"),
            _("Decide who labels what, by which protocol, blind or assisted."),
            reverse("campaigns:create"),
            _("New campaign"),
        ),
        Thing(
            _("People"),
            _("Make accounts, pause somebody, keep somebody's labels out of snapshots."),
            reverse("accounts:people"),
            _("Open people"),
        ),
    ]
    return admin + everyone if user.is_admin else everyone
