"""People against machines, for reviewers and admins: the figures, the disagreements, and one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from django.contrib import messages
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _

from labelsite.accounts.access import HtmxHttpRequest, admin_required, person, reviewer_required
from labelsite.accounts.models import User
from labelsite.asked import whole
from labelsite.autolabels.budget import budget_for
from labelsite.autolabels.forms import SearchForm
from labelsite.autolabels.models import EstimateRun, SolutionEstimate
from labelsite.autolabels.starting import after_start
from labelsite.campaigns.models import Campaign, Task
from labelsite.comparison import disagreements, measures, services
from labelsite.comparison.against import ALSO_EXCLUDED, EVERYBODY, Against
from labelsite.comparison.disagreements import PAGE, WITHOUT_RUN, Kind
from labelsite.comparison.evidence import has_looks
from labelsite.comparison.forms import AdjudicationForm
from labelsite.comparison.lens import Lens, lens_for
from labelsite.comparison.models import Adjudication
from labelsite.comparison.opinions import opinions_on
from labelsite.comparison.overview import Overview, overview
from labelsite.comparison.pace import too_fast_among
from labelsite.problems.models import Solution
from labelsite.problems.queries import trajectory_length
from ml.errors import MisstepError

DECIDED_MEANWHILE = "decided_meanwhile"
# To choose among.
MOST_RUNS = 20


@dataclass(frozen=True, slots=True)
class KindLink:
    """A way to disagree, on how many solutions it happens, how many of them are decided, and where their list is."""

    kind: Kind
    count: int | None
    decided: int
    url: str

    @property
    def undecided(self) -> int:
        return (self.count or 0) - self.decided


@reviewer_required
def campaign(request: HttpRequest, campaign_id: int) -> HttpResponse:
    """The figures of one campaign: people against the run, step by step, and people against people."""
    lens = lens_for(request.GET, campaign_id)
    has_gold = Task.objects.filter(campaign=lens.campaign, gold__isnull=False).exists()
    found = overview(lens.campaign, lens.run, lens.against, has_gold)
    labelers = User.objects.in_bulk([row.annotator for row in found.persons])
    pairs, fast = found.between.pairs, too_fast_among(found.persons, labelers)
    context = {
        "lens": lens,
        "found": found,
        "labelers": labelers,
        "has_gold": has_gold,
        "runs": _runs(lens),
        "kinds": _kind_links(lens, found),
        "people_differ": _link(replace(lens, labeler="", other="", is_blind=False), Kind.PEOPLE),
        "persons": [(row, labelers.get(row.annotator), row.annotator in fast) for row in found.persons],
        "pairs": [
            (labelers.get(pair.first), labelers.get(pair.second), pair, _pair_link(lens, pair))
            for pair in pairs
        ],
    }
    return render(request, "comparison/campaign.html", context)


@reviewer_required
def disagreement_list(request: HttpRequest, campaign_id: int) -> HttpResponse:
    """The tasks on which people and the run differ, or people among themselves, one kind at a time."""
    lens = lens_for(request.GET, campaign_id)
    kind = _kind(request, lens)
    after = whole(request.GET.get("after", "")) or 0
    against = _against(lens, kind)
    listed = partial(disagreements.task_ids, lens.campaign, lens.run, kind, against=against)
    numbers = listed(after, with_decided=lens.with_decided)
    context = {
        "lens": lens,
        "kind": kind,
        "kinds": _kind_links(lens),
        "other_view": _link(replace(lens, with_decided=not lens.with_decided), kind),
        "is_all_decided": not (numbers or lens.with_decided) and bool(listed(limit=1)),
        "needs_run": lens.run is None and kind not in WITHOUT_RUN,
        "is_agreed": not numbers and _are_compared(lens, kind, against),
        "pair": _named([*against.annotators, *against.others]) if lens.other else [],
        "rows": disagreements.rows(
            numbers[:PAGE], lens.run, against.together if kind == Kind.PEOPLE else against
        ),
        "next_after": numbers[PAGE - 1] if len(numbers) > PAGE else None,
        "is_first_page": not after,
    }
    return render(request, "comparison/disagreements.html", context)


@reviewer_required
def task(request: HttpRequest, campaign_id: int, task_id: int) -> HttpResponse:
    """One solution with every opinion on its steps side by side, and the reviewer's decision."""
    lens = lens_for(request.GET, campaign_id)
    form = None
    shown = _task(lens.campaign, task_id)
    kind = _kind(request, lens)
    # Without a kind the reader comes from elsewhere, as from the queue: no list is named as the way back or on.
    is_kind_asked = request.GET.get("kind") in Kind.values
    step_count = trajectory_length(shown.solution)
    is_coloured = request.GET.get("colour") == "1"
    way = _asked(kind, lens) + ("&colour=1" if is_coloured else "")
    # Found before a decision is kept: the list goes on behind this task, whatever is decided of it.
    previous, following = _neighbours(lens, kind, task_id) if is_kind_asked else (None, None)
    if request.method == "POST":
        form = AdjudicationForm(request.POST, step_count=step_count)
        if form.is_valid() and _is_kept(form, shown, person(request)):
            messages.success(request, _("Your decision is kept."))
            if following and request.POST.get("then") == "next":
                return redirect(f"{_task_url(lens, following)}?{way}")
            return redirect(f"{_task_url(lens, task_id)}?{request.GET.urlencode()}")
    opinions = opinions_on(shown, lens.run, lens.campaign.score_run)
    decided = opinions.adjudication
    # Whoever decides again goes on from the decision that stands: what is left unsaid would be lost with it.
    form = form or AdjudicationForm(initial={"note": decided.note if decided else ""}, step_count=step_count)
    context = {
        "lens": lens,
        "kind": kind,
        "is_kind_asked": is_kind_asked,
        "opinions": opinions,
        "has_scores": any(opinion.score is not None for opinion in opinions.steps),
        "previous": previous,
        "following": following,
        "form": form,
        "seen": _seen(form, decided),
        "step_count": step_count,
        "marked": form.marked(decided.positions if decided else ()),
        "way": way,
        "is_coloured": is_coloured,
    }
    return render(request, "comparison/task.html", context)


def _is_kept(form: AdjudicationForm, shown: Task, reviewer: User) -> bool:
    """Keeps the decision; where somebody else has decided since the page was shown, the form says so."""
    chosen = form.cleaned_data
    try:
        services.adjudicate(
            shown, reviewer, chosen["positions"], chosen["note"], chosen["make_gold"], chosen["seen"]
        )
    except services.DecidedMeanwhile as refusal:
        text = _(
            "%(name)s has decided since you opened this page, as stands below. Send yours again to replace it."
        )
        words = text % {"name": refusal.standing.reviewer.username}
        form.add_error(None, ValidationError(words, code=DECIDED_MEANWHILE))
    return form.is_valid()


def _seen(form: AdjudicationForm, decided: Adjudication | None) -> int:
    """The decision that the reviewer knows to stand. A form that was refused for something else tells of no new one."""
    if form.is_bound and not form.has_error(NON_FIELD_ERRORS, DECIDED_MEANWHILE):
        return whole(str(form["seen"].value() or "")) or 0
    return decided.pk if decided else 0


@admin_required
def estimate(request: HtmxHttpRequest, campaign_id: int) -> HttpResponse:
    """Start a run over the campaign's solutions, with what it should cost told before."""
    campaign = get_object_or_404(Campaign, pk=campaign_id)
    # The page asks for the budget with the form's own fields; a link's parameters are no answer to the form.
    form = SearchForm(request.POST or (request.GET if "method" in request.GET else None))
    if request.method == "POST" and form.is_valid():
        try:
            run = services.start_campaign_estimates(
                campaign, person(request), is_pilot="measure" in request.POST, **form.request().as_arguments()
            )
            return after_start(request, run, reverse("comparison:estimate", args=[campaign_id]))
        except MisstepError as refusal:
            form.add_error(None, str(refusal))
    solutions = Solution.objects.filter(tasks__campaign=campaign)
    budget = None if form.is_refused else budget_for(solutions, form.request(), f"campaign:{campaign_id}")
    context = {"campaign": campaign, "form": form, "budget": budget}
    name = "autolabels/budget.html" if request.htmx else "comparison/estimate_form.html"
    return render(request, name, context)


def _task(campaign: Campaign, task_id: int) -> Task:
    return get_object_or_404(
        Task.objects.select_related("solution__problem").filter(campaign=campaign), pk=task_id
    )


def _neighbours(lens: Lens, kind: Kind, task_id: int) -> tuple[int | None, int | None]:
    """The tasks before and behind this one in the list of its kind, for which the whole campaign may be gone over."""
    beside = partial(
        disagreements.task_ids,
        lens.campaign, lens.run, kind, task_id, 1, _against(lens, kind), with_decided=lens.with_decided,
    )  # fmt: skip
    previous, following = (next(iter(beside(backwards=is_back)), None) for is_back in (True, False))
    return previous, following


def _task_url(lens: Lens, task_id: int) -> str:
    return reverse("comparison:task", args=[lens.campaign.pk, task_id])


def _kind(request: HttpRequest, lens: Lens) -> Kind:
    """The kind that is asked for; without a word, what people and the run differ on, or people alone."""
    name = request.GET.get("kind", "")
    usual = Kind.ANY if lens.run else Kind.PEOPLE
    return Kind(name) if name in Kind.values else usual


def _against(lens: Lens, kind: Kind) -> Against:
    """Whose looks a list shows: where nobody has labelled yet, gold stands in for people, as in the figures."""
    if kind == Kind.PEOPLE:
        return Against(is_blind=lens.is_blind) if lens.against.is_gold else lens.against
    is_there = has_looks(lens.campaign, ALSO_EXCLUDED if lens.against.annotators else EVERYBODY)
    return lens.against if is_there else Against(is_gold=True)


def _are_compared(lens: Lens, kind: Kind, against: Against) -> bool:
    """Whether a list of this kind compares anybody with the run: where it does not, nobody agrees in it either."""
    return kind not in WITHOUT_RUN and disagreements.are_compared(lens.campaign, lens.run, against)


def _runs(lens: Lens) -> list[EstimateRun]:
    """Loaded runs that estimated solutions of this campaign, the newest first; among them the one that is looked at.

    A run judges a campaign's solutions together, so a look at some of them finds it.
    """
    some = Task.objects.filter(campaign=lens.campaign).order_by("pk").values("solution")[:200]
    runs = SolutionEstimate.objects.filter(solution__in=list(some.values_list("solution", flat=True)))
    found = EstimateRun.objects.filter(pk__in=runs.values("run"), loaded_at__isnull=False)
    newest = list(found.order_by("-pk")[:MOST_RUNS])
    return newest if lens.run is None or lens.run in newest else [*newest, lens.run]


def _counts(lens: Lens, found: Overview) -> dict[Kind, int]:
    """How many solutions the list of each kind holds, of those that the figures of this view tell."""
    known = {Kind.UNMARKED: found.unmarked}
    if not (lens.labeler or lens.is_blind):
        known[Kind.PEOPLE] = found.between.differ
    if counts := found.differing:
        known |= {
            Kind.ANY: counts.any,
            Kind.EARLIER: counts.earlier,
            Kind.LATER: counts.later,
            Kind.MISSES: counts.misses,
            Kind.INVENTS: counts.invents,
        }
    return known


def _kind_links(lens: Lens, found: Overview | None = None) -> list[KindLink]:
    """The kinds of disagreement with their lists; their counts where the figures are at hand."""
    counts = _counts(lens, found) if found else {}
    against = Against(is_gold=True) if found and found.is_gold else lens.against
    decided = disagreements.decided_counts(lens.campaign, lens.run, list(counts), against)
    shown = Kind if lens.run else WITHOUT_RUN
    return [KindLink(kind, counts.get(kind), decided.get(kind, 0), _link(lens, kind)) for kind in shown]


def _link(lens: Lens, kind: Kind) -> str:
    return f"{reverse('comparison:disagreements', args=[lens.campaign.pk])}?{_asked(kind, lens)}"


def _asked(kind: Kind, lens: Lens) -> str:
    """What a page of disagreements is asked in its address."""
    return f"kind={kind.value}" + (f"&{lens.query}" if lens.query else "")


def _pair_link(lens: Lens, pair: measures.Pair) -> str:
    """Where these two differ; the pairs are of all labels, whatever the view shows."""
    two = replace(lens, labeler=str(pair.first), other=str(pair.second), is_blind=False)
    return _link(two, Kind.PEOPLE)


def _named(people: Sequence[int]) -> list[str]:
    known = User.objects.in_bulk(list(people))
    return [known[pk].username for pk in people if pk in known]
