"""The queue of a campaign, a page at a time."""

from __future__ import annotations

from collections.abc import Mapping

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.http import urlencode

from labelsite import storable
from labelsite.accounts.access import person, reviewer_required
from labelsite.campaigns import arranging, progress, sections
from labelsite.campaigns.models import Campaign, Task, TaskKind, TaskState
from labelsite.campaigns.section_forms import TaskSearch

PAGE = 50


@reviewer_required
def tasks(request: HttpRequest, pk: int) -> HttpResponse:
    """The queue in its order, a page at a time: by priority and id, the same keys as the index.

    Of work, one state at a time, what is open unless another is asked for: a finished task keeps its priority and
    would stand before the open ones. Gold and screening items stay open whoever has seen them. What is set aside waits
    for a reviewer: what one has decided is left out unless it is asked for, too. A search narrows each of these lists.
    """
    campaign = get_object_or_404(Campaign, pk=pk)
    kind = storable.text(request.GET.get("kind", "work"))
    section = storable.text(request.GET.get("section", ""))
    state = _state(request, kind)
    wanted = {"section": section, "state": state}
    rows = campaign.tasks.filter(kind=kind, **{name: value for name, value in wanted.items() if value})
    decided = "1" if state == TaskState.SET_ASIDE and request.GET.get("decided") == "1" else ""
    if state == TaskState.SET_ASIDE and not decided:
        rows = rows.exclude(adjudications__is_live=True)
    search = TaskSearch(request.GET)
    rows = search.among(rows, campaign) if search.is_valid() else rows.none()
    rows = rows.select_related("solution__problem").order_by("-priority", "id")
    page = _first_of(_after(rows, request.GET.get("after", "")), PAGE + 1, state)
    last = page[PAGE - 1] if len(page) > PAGE else None
    within = {"section": section, **{name: request.GET.get(name, "") for name in search.fields}}
    # Whoever has just asked for a new order is told of it, also when it is done already.
    asked = "arranged" in request.GET
    context = {
        "campaign": campaign,
        "arrangement": arranging.newest(campaign) if asked else arranging.unfinished(campaign),
        "kind": kind,
        "section": section,
        "state": state,
        "with_decided": decided,
        "search": search,
        "within": _asked(within),
        "narrowed": _asked({"kind": kind, "state": state, "decided": decided, **within}),
        "states": TaskState.choices,
        # Also one that has no tasks any more: it is what the page is narrowed to.
        "sections": sections.in_order({*sections.all_sections(campaign), section} - {""}),
        "picks": person(request).is_admin and kind != TaskKind.SCREENING,
        "rows": page[:PAGE],
        "decided": progress.decided(Task.objects.filter(pk__in=[task.pk for task in page])),
        "further": f"{last.priority!r}_{last.pk}" if last else "",
    }
    return render(request, "campaigns/tasks.html", context)


def _asked(fields: Mapping[str, str]) -> str:
    """What narrows the page, as its address says it; what is empty narrows nothing."""
    return urlencode({name: value for name, value in fields.items() if value})


def _state(request: HttpRequest, kind: str) -> str:
    """The state whose tasks are listed; empty for the kinds that have none to choose from."""
    if kind != TaskKind.WORK:
        return ""
    asked = request.GET.get("state", "")
    return asked if asked in TaskState.values else TaskState.OPEN


def _first_of(rows: QuerySet[Task], count: int, state: str) -> list[Task]:
    """The first of them. What is open is in two indexes: what waits, and what has no place left."""
    if state != TaskState.OPEN:
        return list(rows[:count])
    found = {
        task.pk: task
        for part in (rows.filter(remaining__gt=0), rows.filter(remaining=0))
        for task in part[:count]
    }
    return sorted(found.values(), key=lambda task: (-task.priority, task.pk))[:count]


def _after(rows: QuerySet[Task], key: str) -> QuerySet[Task]:
    """Rows behind the one that `key` ("priority_id") names; a broken key means the first page."""
    try:
        priority, pk = key.split("_")
        return rows.filter(priority__lte=float(priority)).exclude(priority=float(priority), pk__lte=int(pk))
    except ValueError:
        return rows
