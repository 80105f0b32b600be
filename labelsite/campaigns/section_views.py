"""The sections of a campaign: make one from a filter or by picking tasks, rename it, dissolve it."""

from __future__ import annotations

from django.contrib import messages
from django.db.models import F, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from labelsite import storable
from labelsite.accounts.access import admin_required, person, reviewer_required
from labelsite.accounts.forms import errors_of
from labelsite.asked import wholes
from labelsite.campaigns import filling, progress, sections
from labelsite.campaigns.models import Campaign, Task, TaskKind
from labelsite.campaigns.section_forms import SectionFilter, SectionName
from labelsite.jobs.models import Job
from labelsite.wording import counted

SAMPLE = 5
# Names to choose from come from the first tasks; a name beyond them can still be typed.
TASKS_FOR_NAMES = 2000


@reviewer_required
def overview(request: HttpRequest, pk: int) -> HttpResponse:
    """Every section; for an admin also a filter, and what it finds before anything is done with it."""
    campaign = get_object_or_404(Campaign, pk=pk)
    if request.method == "POST" and person(request).is_admin:
        return _make(request, campaign)
    wanted = SectionFilter(request.GET if "count" in request.GET else None)
    context: dict[str, object] = {
        "campaign": campaign,
        "rows": progress.sections(campaign),
        "filter": wanted,
        "sources": _names(campaign, "solution__problem__source"),
        "generators": _names(campaign, "solution__generator"),
    }
    if wanted.is_valid():
        found = wanted.rows(campaign)
        # Sorted, and not read along their index: that would go through all tasks where few are found.
        sample = found.select_related("solution__problem").order_by(F("pk") + 0)[:SAMPLE]
        context |= {
            "count": found.count(),
            "elsewhere": found.exclude(section="").count(),
            "sample": sample,
            "name": SectionName(),
        }
    return render(request, "campaigns/section_list.html", context)


def _names(campaign: Campaign, column: str) -> list[str]:
    first = campaign.tasks.order_by("pk")[:TASKS_FOR_NAMES]
    names = Task.objects.filter(pk__in=first.values("pk"), **{f"{column}__isnull": False})
    return sorted(names.order_by().values_list(column, flat=True).distinct())


def _make(request: HttpRequest, campaign: Campaign) -> HttpResponse:
    wanted, name = SectionFilter(request.POST), SectionName(request.POST)
    if not wanted.is_valid() or not name.is_valid():
        messages.error(request, errors_of(name if wanted.is_valid() else wanted))
        asked = {field: request.POST[field] for field in wanted.fields if request.POST.get(field)}
        address = reverse("campaigns:sections", args=[campaign.pk])
        return redirect(f"{address}?{urlencode({**asked, 'count': '1'})}")
    section = name.cleaned_data["section"]
    moved = filling.fill(campaign, wanted, section, person(request))
    if isinstance(moved, Job):
        messages.success(
            request, _("This job puts the tasks into the section “%(name)s”.") % {"name": section}
        )
        return redirect("jobs:detail", moved.pk)
    _tell(request, section, moved)
    return redirect("campaigns:sections", campaign.pk)


@require_POST
@admin_required
def pick(request: HttpRequest, pk: int) -> HttpResponse:
    """Puts the tasks that were ticked in the queue into a section, and goes back to the queue as it was narrowed."""
    campaign = get_object_or_404(Campaign, pk=pk)
    rows = campaign.tasks.filter(pk__in=wholes(request.POST.getlist("task"))).exclude(kind=TaskKind.SCREENING)
    _assign(request, campaign, rows)
    return redirect(f"{reverse('campaigns:tasks', args=[campaign.pk])}?{request.GET.urlencode()}")


def _assign(request: HttpRequest, campaign: Campaign, rows: QuerySet[Task]) -> None:
    """Does it, and tells the person what came of it."""
    name = SectionName(request.POST)
    if not rows.exists():
        messages.error(request, _("Nothing changed: tick the tasks that are to go there first."))
    elif name.is_valid():
        section = name.cleaned_data["section"]
        _tell(request, section, sections.assign(campaign, rows, section))
    else:
        messages.error(request, errors_of(name))


def _tell(request: HttpRequest, section: str, moved: int) -> None:
    text = ngettext(
        "%(count)s task is now in the section “%(name)s”.",
        "%(count)s tasks are now in the section “%(name)s”.",
        moved,
    )
    messages.success(request, text % {"count": counted(moved), "name": section})


@require_POST
@admin_required
def rename(request: HttpRequest, pk: int) -> HttpResponse:
    """Renames a section, or dissolves it; its tasks and its people go along."""
    campaign = get_object_or_404(Campaign, pk=pk)
    old, name = storable.text(request.POST.get("old", "")), SectionName(request.POST)
    dissolves = "dissolve" in request.POST
    if not dissolves and not name.is_valid():
        messages.error(request, errors_of(name))
        return redirect("campaigns:sections", pk)
    try:
        new = "" if dissolves else name.cleaned_data["section"]
        if job := filling.rename(campaign, old, new, person(request)):
            return redirect("jobs:detail", job.pk)
        messages.success(request, _("The sections are saved."))
    except sections.SectionTaken:
        messages.error(request, _("There is a section of that name already."))
    except sections.RenameUnderWay as refusal:
        text = _("The section “%(old)s” is on its way to the name “%(name)s”: give it that one first.")
        messages.error(request, text % {"old": refusal.old, "name": refusal.new})
    except sections.MembersWithoutSection as refusal:
        text = _("Nothing changed: %(people)s may label only there. Give them another section first.")
        messages.error(request, text % {"people": refusal.people})
    return redirect("campaigns:sections", pk)
