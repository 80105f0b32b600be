"""The record of changes in the words that its settings have on their pages."""

from __future__ import annotations

from typing import Any

from django import template
from django.core.exceptions import FieldDoesNotExist
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from labelsite.accounts.models import Change, Role
from labelsite.autolabels.models import EstimateRun, ScoreRun
from labelsite.campaigns.forms import CampaignForm
from labelsite.campaigns.models import Campaign

register = template.Library()

# Longer values are folded.
LONG = 200
NAMES = {
    **CampaignForm.Meta.labels,
    "is_paused": _("Paused"),
    "is_archived": _("Archived"),
    "is_deleted": _("Deleted"),
    "members": _("Members"),
    "role": _("Role"),
    "is_active": _("May log in"),
    "labels_excluded": _("Labels left out of snapshots"),
    "password": _("New password"),
}
RUNS: dict[str, type[EstimateRun] | type[ScoreRun]] = {"estimate_run": EstimateRun, "score_run": ScoreRun}


@register.filter
def setting_name(change: Change) -> str:
    """What the page calls the setting."""
    return str(NAMES.get(change.field, change.field))


@register.filter
def before(change: Change) -> str:
    """The earlier value, for people."""
    return _said(change, change.old)


@register.filter
def after(change: Change) -> str:
    """The new value, for people."""
    return _said(change, change.new)


@register.filter
def is_long(text: str) -> bool:
    """Whether a value is folded."""
    return len(text) > LONG


def _said(change: Change, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if change.field in RUNS:
        run = RUNS[change.field]._default_manager.filter(pk=value).first()
        return run.name if run else str(value)
    return str(_choices(change.field).get(value, value))


def _choices(field: str) -> dict[Any, Any]:
    if field == "role":
        return dict(Role.choices)
    try:
        return dict(getattr(Campaign._meta.get_field(field), "flatchoices", ()))
    except FieldDoesNotExist:
        return {}
