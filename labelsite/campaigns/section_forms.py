"""Which tasks are looked for, by the queue or for a new section, and what the section is called."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from labelsite.campaigns.models import SECTION_LENGTH, Campaign, Task, TaskKind

# The form's field to the column it is compared with.
_COLUMNS = {
    "source": "solution__problem__source",
    "generator": "solution__generator",
    "words": "solution__problem__text__icontains",
}
# Beyond any campaign; PostgreSQL cannot count rows to where its numbers end.
HIGHEST_NUMBER = 10**9
OUTCOMES = {"right": True, "wrong": False, "unknown": None}


class TaskSearch(forms.Form):
    """Names tasks by where they come from and what they say; an empty field asks for nothing."""

    words = forms.CharField(label=_("Words in the problem"), max_length=200, required=False)
    source = forms.CharField(label=_("Source of the problem"), max_length=80, required=False)
    generator = forms.CharField(label=_("Written by (policy)"), max_length=200, required=False)
    first = forms.IntegerField(
        label=_("From number"),
        min_value=1,
        max_value=HIGHEST_NUMBER,
        required=False,
        help_text=_("Counted in the order of import."),
    )
    last = forms.IntegerField(label=_("To number"), min_value=1, max_value=HIGHEST_NUMBER, required=False)

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        if data.get("first") and data.get("last") and data["last"] < data["first"]:
            raise forms.ValidationError(_("The last number comes before the first one."))
        return data

    def among(self, rows: QuerySet[Task], campaign: Campaign) -> QuerySet[Task]:
        """Those of the campaign's `rows` that a valid search names."""
        wanted = self.cleaned_data
        rows = rows.filter(**{column: wanted[name] for name, column in _COLUMNS.items() if wanted[name]})
        for bound, number in (("gte", wanted["first"]), ("lte", wanted["last"])):
            if number and (pk := _pk_of_number(campaign, number)):
                rows = rows.filter(**{f"pk__{bound}": pk})
            elif number and bound == "gte":
                return rows.none()
        return rows


class SectionFilter(TaskSearch):
    """Names the tasks of a new section, also by how their answers were graded."""

    outcome = forms.ChoiceField(
        label=_("Final answer"),
        required=False,
        choices=[
            ("", _("any")),
            ("right", _("right")),
            ("wrong", _("wrong")),
            ("unknown", _("not known")),
        ],
    )
    outside = forms.BooleanField(label=_("Only tasks that are in no section yet"), required=False)
    field_order = ("source", "generator", "outcome", "words", "first", "last", "outside")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, known in (("source", "sources"), ("generator", "generators")):
            self.fields[name].widget.attrs["list"] = known

    def rows(self, campaign: Campaign) -> QuerySet[Task]:
        """The tasks that a valid filter names. Screening is the same for everybody, so it belongs to no section."""
        wanted = self.cleaned_data
        rows = campaign.tasks.exclude(kind=TaskKind.SCREENING)
        if wanted["outcome"]:
            rows = rows.filter(solution__is_correct=OUTCOMES[wanted["outcome"]])
        if wanted["outside"]:
            rows = rows.filter(section="")
        return self.among(rows, campaign)


def _pk_of_number(campaign: Campaign, number: int) -> int | None:
    """The id of the campaign's task of that number, counted from 1 in the order of import."""
    return campaign.tasks.order_by("pk").values_list("pk", flat=True)[number - 1 : number].first()


class SectionName(forms.Form):
    section = forms.CharField(label=_("Name of the section"), max_length=SECTION_LENGTH)
