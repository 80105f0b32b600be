"""Campaigns: the list, one campaign's progress, its settings, members, queue and gold."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from labelsite import storable
from labelsite.accounts.access import HtmxHttpRequest, admin_required, person, reviewer_required
from labelsite.accounts.models import User
from labelsite.asked import page_below, refused, wholes
from labelsite.campaigns import arranging, progress, sections, services
from labelsite.campaigns.access import campaign_or_404
from labelsite.campaigns.forms import CampaignForm
from labelsite.campaigns.membership import change_members, eligible_people, set_member_state
from labelsite.campaigns.models import SECTION_LENGTH, Campaign, MemberState
from labelsite.jobs.models import JobState
from labelsite.wording import translated
from ml.errors import MisstepError

PAGE = 50


@login_required
def campaigns(request: HttpRequest) -> HttpResponse:
    """Newest first, a page at a time by id; for reviewers and admins also those that were put away."""
    user = person(request)
    is_archive = user.is_reviewer and request.GET.get("archived") == "1"
    archived = Campaign.objects.filter(is_archived=True)
    rows = archived if is_archive else _in_use(user)
    page = page_below(rows.order_by("-id"), request.GET.get("before", ""), PAGE)
    context = {
        "rows": progress.for_person(user, page.rows),
        "member_of": _member_of(user),
        "further": page.further,
        "is_archive": is_archive,
        "has_archived": user.is_reviewer and archived.exists(),
        "why_none": "" if page.rows or is_archive else _why_none(user),
    }
    return render(request, "campaigns/list.html", context)


@login_required
def mine(request: HttpRequest) -> HttpResponse:
    """The fragment of the start page: where this person can go on labeling, or what goes on."""
    user = person(request)
    rows = progress.for_person(user, _in_use(user).filter(is_paused=False).order_by("-id")[:20])
    why_none = "" if rows else _why_none(user)
    context = {"rows": rows, "member_of": _member_of(user), "why_none": why_none}
    return render(request, "campaigns/mine.html", context)


def _in_use(user: User) -> QuerySet[Campaign]:
    return Campaign.objects.visible_to(user).filter(is_archived=False)


def _why_none(user: User) -> str:
    """Why no campaign is there to go on with: whoever waits for one learns what for."""
    if user.is_reviewer:
        if _in_use(user).exists():
            return _("Every campaign is paused just now.")
        return (
            _("Every campaign is archived.") if Campaign.objects.exists() else _("There is no campaign yet.")
        )
    if _in_use(user).exists():
        return _("Your campaigns are paused just now.")
    if user.memberships.exists():
        return _("Your campaigns are archived. An admin can add you to others.")
    return _("You are in no campaign yet. An admin can add you.")


def _member_of(user: User) -> set[int]:
    return set(user.memberships.values_list("campaign_id", flat=True))


@admin_required
def create(request: HttpRequest) -> HttpResponse:
    form = CampaignForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        campaign = services.create_campaign(created_by=person(request), **form.cleaned_data)
        messages.success(request, _("The campaign is made. Bring in solutions next."))
        return redirect("campaigns:detail", campaign.pk)
    return render(request, "campaigns/form.html", {"form": form}, status=422 if form.is_bound else 200)


@login_required
def detail(request: HttpRequest, pk: int) -> HttpResponse:
    """Reviewers and admins see the campaign's progress; annotators see what concerns them."""
    user = person(request)
    campaign = campaign_or_404(user, pk)
    membership = campaign.memberships.filter(user=user).first()
    context: dict[str, object] = {"campaign": campaign, "membership": membership}
    if user.is_reviewer:
        bars = progress.plot(campaign)
        context |= {
            "arrangement": arranging.unfinished(campaign),
            "counts": progress.kept_counts(campaign),
            "bars": bars,
            "has_bars": any(bar.count for bar in bars),
        }
    else:
        context |= {"mine": progress.for_person(user, [campaign])[0]}
    context["sections"] = sections.choices_for(campaign, membership)
    return render(request, "campaigns/detail.html", context)


@admin_required
def change(request: HttpRequest, pk: int) -> HttpResponse:
    campaign = get_object_or_404(Campaign, pk=pk)
    form = CampaignForm(request.POST or None, instance=campaign)
    if request.method == "POST" and form.is_valid():
        services.update_campaign(campaign, form.changes(), by=person(request))
        messages.success(request, _("The settings are saved."))
        return redirect("campaigns:detail", pk)
    context = {"form": form, "campaign": Campaign.objects.get(pk=pk)}
    return render(request, "campaigns/form.html", context, status=422 if form.is_bound else 200)


@require_POST
@admin_required
def pause(request: HttpRequest, pk: int) -> HttpResponse:
    """Stops or restarts new tasks; what is in people's hands can still be submitted."""
    wanted = request.POST.get("is_paused", "")
    if wanted not in ("0", "1"):
        return refused(f"is_paused {wanted!r}, expected 0 or 1")
    try:
        services.set_paused(get_object_or_404(Campaign, pk=pk), wanted == "1", person(request))
    except MisstepError as error:
        messages.error(request, translated(error.as_said))
    return redirect("campaigns:detail", pk)


@require_POST
@admin_required
def reorder(request: HttpRequest, pk: int) -> HttpResponse:
    """Asks for a new order, unless one is being made; the page of the queue tells what becomes of it."""
    campaign = get_object_or_404(Campaign, pk=pk)
    left = arranging.unfinished(campaign)
    if not (left and left.state == JobState.RUNNING and left.spec["order"]):
        arranging.arrange(campaign, places=False, order=True)
    narrowed = request.GET.copy()
    narrowed["arranged"] = "1"
    return redirect(f"{reverse('campaigns:tasks', args=[pk])}?{narrowed.urlencode()}")


@reviewer_required
def arrangement(request: HttpRequest, pk: int) -> HttpResponse:
    """The fragment that says how far the last arrangement of the tasks is."""
    campaign = get_object_or_404(Campaign, pk=pk)
    context = {"campaign": campaign, "arrangement": arranging.newest(campaign)}
    return render(request, "campaigns/arrangement.html", context)


@reviewer_required
def members(request: HttpRequest, pk: int) -> HttpResponse:
    campaign = get_object_or_404(Campaign, pk=pk)
    if request.method == "POST" and person(request).is_admin:
        chosen, shown = _posted_people(request, "member"), _posted_people(request, "shown")
        known = {user.pk for user in eligible_people()}
        # Who joined since the page was shown is on neither list, and stays.
        leaving = (shown - chosen).intersection(campaign.memberships.values_list("user_id", flat=True))
        change_members(campaign, (chosen - shown) & known, leaving, person(request))
        messages.success(request, _("The members are saved."))
        return redirect("campaigns:members", pk)
    rows = progress.members(campaign)
    member_ids = {row.user.pk for row in rows}
    context = {
        "sections": _sections_to_give(campaign),
        "campaign": campaign,
        "rows": rows,
        "states": MemberState.choices,
        "others": [user for user in eligible_people() if user.pk not in member_ids],
    }
    return render(request, "campaigns/members.html", context)


def _sections_to_give(campaign: Campaign) -> list[str]:
    """Those in which tasks wait, and those to which somebody is kept."""
    kept = {section for names in campaign.memberships.values_list("sections", flat=True) for section in names}
    return sections.in_order(kept.union(sections.open_sections(campaign)))


def _posted_people(request: HttpRequest, name: str) -> set[int]:
    return set(wholes(request.POST.getlist(name)))


@require_POST
@admin_required
def member_state(request: HtmxHttpRequest, pk: int, user_id: int) -> HttpResponse:
    """Keeps one member's state; the page, which sends each change, gets that cell alone, and keeps what is ticked."""
    campaign = get_object_or_404(Campaign, pk=pk)
    state = request.POST.get("state", "")
    if state in MemberState.values:
        set_member_state(campaign, user_id, state, person(request))
    if not request.htmx:
        return redirect("campaigns:members", pk)
    context = {**_saved(campaign, user_id), "states": MemberState.choices}
    return render(request, "campaigns/member_state.html", context)


def _saved(campaign: Campaign, user: int) -> dict[str, object]:
    """What every cell of a member says once it is kept."""
    member = get_object_or_404(campaign.memberships.select_related("user"), user=user)
    return {"campaign": campaign, "row": member, "said_of": user}


@require_POST
@admin_required
def member_sections(request: HtmxHttpRequest, pk: int, user_id: int) -> HttpResponse:
    """Which sections a member may label; none chosen means all of them. Answers as `member_state` does."""
    campaign = get_object_or_404(Campaign, pk=pk)
    names = [storable.text(name, SECTION_LENGTH) for name in request.POST.getlist("section")]
    refusal = _gone(campaign, names)
    if not refusal:
        sections.restrict(campaign, user_id, names, person(request))
    if request.htmx:
        saved = _saved(campaign, user_id)
        context = {**saved, "sections": _sections_to_give(campaign), "refusal": refusal}
        return render(request, "campaigns/member_sections.html", context)
    if refusal:
        messages.error(request, refusal)
    else:
        messages.success(request, _("The sections are saved."))
    return redirect("campaigns:members", pk)


def _gone(campaign: Campaign, names: list[str]) -> str:
    """What is wrong with sections that a page still offers after they were renamed or dissolved: in one of these
    nobody would get any work.
    """
    gone = [name for name in names if not sections.is_there(campaign, name)]
    return _("Not saved, there is no section “%(name)s” any more.") % {"name": gone[0]} if gone else ""


@require_POST
@login_required
def choose_section(request: HttpRequest, pk: int) -> HttpResponse:
    """A member's own choice of where to work, and on to the task."""
    user = person(request)
    campaign = campaign_or_404(user, pk)
    section = storable.text(request.POST.get("section", ""), SECTION_LENGTH)
    if not sections.choose(campaign, user, section):
        messages.error(request, _("You may not label in that section."))
        return redirect("campaigns:detail", pk)
    return redirect("annotations:annotate", pk)
