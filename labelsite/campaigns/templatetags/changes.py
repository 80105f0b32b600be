"""The record of changes in the words that its settings have on their pages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django import template
from django.core.exceptions import FieldDoesNotExist
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from labelsite.accounts.models import Change, Role
from labelsite.autolabels.models import EstimateRun, ScoreRun
from labelsite.autolabels.templatetags.figures import step_numbers
from labelsite.campaigns.forms import CampaignForm
from labelsite.campaigns.models import Campaign, MemberState, TaskKind, TaskState

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
    "state": _("State"),
    "sections": _("Sections"),
    "kind": _("Kind"),
    "gold": _("Gold"),
    "tasks": _("Solutions"),
}
CHOICES = {
    "role": Role.choices,
    "state": [*MemberState.choices, *TaskState.choices],
    "kind": TaskKind.choices,
}
RUNS: dict[str, type[EstimateRun] | type[ScoreRun]] = {"estimate_run": EstimateRun, "score_run": ScoreRun}


@dataclass(frozen=True, slots=True)
class Said:
    """One change for people. name: what the page calls the setting."""

    change: Change
    name: str
    before: str
    after: str


@register.simple_tag
def said(changes: Iterable[Change]) -> list[Said]:
    """The changes with their values in words; runs have their names, found by one query for each kind."""
    rows = list(changes)
    runs = {field: _names_of(field, rows) for field in RUNS}
    return [
        Said(
            change,
            str(NAMES.get(change.field, change.field)),
            _value(change.field, change.old, runs),
            _value(change.field, change.new, runs),
        )
        for change in rows
    ]


@register.filter
def is_long(text: str) -> bool:
    """Whether a value is folded."""
    return len(text) > LONG


def _names_of(field: str, rows: Sequence[Change]) -> dict[Any, str]:
    asked = {value for change in rows if change.field == field for value in (change.old, change.new) if value}
    return {run.pk: run.name for run in RUNS[field]._default_manager.filter(pk__in=asked)}


def _value(field: str, value: Any, runs: Mapping[str, Mapping[Any, str]]) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    if field == "gold":
        return step_numbers(value)
    if isinstance(value, list):
        return ", ".join(map(str, value))
    words = runs.get(field) or _choices(field)
    return str(words.get(value, value))


def _choices(field: str) -> Mapping[Any, Any]:
    if field in CHOICES:
        return dict(CHOICES[field])
    try:
        return dict(getattr(Campaign._meta.get_field(field), "flatchoices", ()))
    except FieldDoesNotExist:
        return {}
