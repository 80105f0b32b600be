"""Training: the runs, one run while it works and after, runs side by side, and their checkpoints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import messages
from django.db.models import F, Prefetch, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from labelsite.accounts.access import HtmxHttpRequest, admin_required, person, reviewer_required
from labelsite.asked import page_below, refused, whole, wholes
from labelsite.autolabels.models import ScoreRun
from labelsite.campaigns.arranging import arrangement_told
from labelsite.campaigns.models import Campaign, Task
from labelsite.jobs.models import Job, JobState
from labelsite.jobs.series import read_metrics, tail
from labelsite.jobs.workers import queues_served
from labelsite.snapshots.models import Snapshot
from labelsite.training import plots, services
from labelsite.training.checks import plan_for
from labelsite.training.comparing import differences, flat, results
from labelsite.training.curves import RunCurves, charts
from labelsite.training.evaluated import evaluations_of
from labelsite.training.forms import TrainingForm
from labelsite.training.lineage import lineage_of
from labelsite.training.measured import measured
from labelsite.training.models import Checkpoint, EvaluationKind, TrainingRun
from labelsite.training.pairing import pairs
from labelsite.training.wording import counts_in_words, lost, said_all
from labelsite.training.yardsticks import yardsticks
from ml.errors import MisstepError
from ml.progress import pace

PAGE = 50
MOST_COMPARED = 5


def _runs() -> QuerySet[TrainingRun]:
    """The newest first, without the long columns that no page of runs shows."""
    runs = TrainingRun.objects.select_related("job", "snapshot", "checkpoint", "created_by").order_by("-pk")
    runs = runs.prefetch_related(Prefetch("more_snapshots", Snapshot.objects.defer("manifest")))
    return runs.defer("job__spec", "job__result", "snapshot__manifest")


def _without_cards() -> QuerySet[Any]:
    """Of a card only what the validation measured and what was counted, as `validation` and `counts`."""
    card = "checkpoint__card__"
    runs = _runs().defer("checkpoint__card")
    return runs.annotate(validation=F(f"{card}metrics__validation"), counts=F(f"{card}counts"))


@reviewer_required
def run_list(request: HtmxHttpRequest) -> HttpResponse:
    """Every training run, the newest first."""
    page = page_below(_without_cards().defer("configuration"), request.GET.get("before", ""), PAGE)
    context = {
        "runs": [(run, measured(run.validation)) for run in page.rows],
        "next_before": page.further,
        "is_moving": any(not run.job.is_finished for run in page.rows),
        "has_snapshots": Snapshot.objects.exists(),
    }
    name = "training/list_live.html" if request.htmx else "training/list.html"
    return render(request, name, context)


@admin_required
def start(request: HtmxHttpRequest) -> HttpResponse:
    """The form, checked against the chosen snapshot before anything starts."""
    data = request.POST or request.GET or None
    form = TrainingForm(data if data and "objective" in data else None, initial=_initial(request))
    plan = None
    if form.is_bound and form.is_valid():
        plan = plan_for(form.cleaned_data["snapshot"], form.cleaned_data)
        if request.method == "POST" and plan.can_start:
            try:
                return _start(request, form)
            except MisstepError as refusal:
                # What no field had to say of it: the form stays filled in.
                form.add_error(None, str(refusal))
    elif not form.is_bound and (snapshot := form.get_initial_for_field(form.fields["snapshot"], "snapshot")):
        plan = plan_for(snapshot, {"labels": snapshot.labels, "base": "pocket"})
    name = "training/plan.html" if request.htmx else "training/start.html"
    return render(request, name, {"form": form, "plan": plan})


def _start(request: HttpRequest, form: TrainingForm) -> HttpResponse:
    chosen = form.cleaned_data
    run = services.start_training(
        chosen["snapshot"],
        labels=chosen["labels"],
        objective=chosen["objective"],
        base=chosen["base"],
        seed=chosen["seed"],
        configuration=form.configuration(),
        created_by=person(request),
        more_snapshots=chosen["more_snapshots"],
    )
    return redirect("training:run", run.pk)


@reviewer_required
def run_detail(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    """One run: its curves as they grow, its log, and the checkpoint that it left."""
    run = get_object_or_404(_without_cards(), pk=pk)
    context = {
        "run": run,
        "job": run.job,
        "settings": said_all(run.configuration),
        "checkpoint": getattr(run, "checkpoint", None),
        "validation": measured(run.validation),
        "losses": lost(run.counts),
        "charts": charts([RunCurves(run.name, read_metrics(run.job.folder / "progress.jsonl"))]),
        "seconds_left": _seconds_left(run.job),
        "log": tail(run.job.attempt_folder / "log.txt", lines=60),
        "has_no_worker": run.job.state == "queued" and run.job.queue not in queues_served(),
    }
    return render(request, "training/run_live.html" if request.htmx else "training/run.html", context)


@reviewer_required
def compare(request: HttpRequest) -> HttpResponse:
    """Up to five runs side by side: what differs in their configurations, their curves, their results."""
    asked = wholes(request.GET.getlist("run"))
    runs = list(_runs().filter(pk__in=asked[:MOST_COMPARED]))
    letters = yardsticks(runs)
    curves = [
        RunCurves(
            " · ".join(filter(None, (str(run.pk), letter, run.name))),
            read_metrics(run.job.folder / "progress.jsonl"),
        )
        for run, letter in zip(runs, letters, strict=True)
    ]
    context = {
        "runs": runs,
        "lettered": list(zip(runs, letters, strict=True)),
        "has_several_yardsticks": any(letters),
        "charts": charts(curves),
        "differences": differences(runs),
        "results": results(runs),
        "pairs": pairs(runs),
        "left_out": len(asked[MOST_COMPARED:]),
    }
    return render(request, "training/compare.html", context)


@reviewer_required
def checkpoint(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    """A checkpoint's card, where it comes from, where it went, and what was measured of it."""
    found = get_object_or_404(Checkpoint.objects.select_related("run__snapshot__campaign"), pk=pk)
    evaluations = evaluations_of(found, whole(request.GET.get("evaluation", "")))
    lineage = lineage_of(found)
    context = {
        "checkpoint": found,
        "losses": lost(found.card.get("counts")),
        "counts": counts_in_words(found.card.get("counts") or {}),
        "settings": list(flat(dict(said_all(found.card.get("config") or {}))).items()),
        "rule": said_all(found.card.get("label_rule") or {}),
        "lineage": lineage,
        "evaluations": [
            (each, plots.evaluation_charts(each), plots.choices(each)) for each in evaluations.drawn
        ],
        "earlier": evaluations.earlier,
        "campaigns": Campaign.objects.filter(is_archived=False).order_by("name"),
        "chosen": whole(request.GET.get("campaign", ""))
        or next((each.pk for each in lineage.campaigns), None),
        "is_moving": evaluations.are_moving
        or any(not scored.run.job.is_finished for scored in lineage.scored),
    }
    name = "training/checkpoint_live.html" if request.htmx else "training/checkpoint.html"
    return render(request, name, context)


@admin_required
@require_POST
def score(request: HttpRequest, pk: int) -> HttpResponse:
    """Score a campaign; its queue is ordered anew when the scores are there."""
    found = get_object_or_404(Checkpoint, pk=pk)
    campaign = get_object_or_404(Campaign, pk=whole(request.POST.get("campaign", "")))
    try:
        run = services.score_campaign(found, campaign, person(request))
        return redirect("training:scores", run.pk)
    except MisstepError as refusal:
        messages.error(request, str(refusal))
    return _back_to(pk, campaign)


@admin_required
@require_POST
def evaluate(request: HttpRequest, pk: int) -> HttpResponse:
    """Measure the checkpoint on a campaign that it has scored: its first mistakes, or its choice among n."""
    found = get_object_or_404(Checkpoint, pk=pk)
    campaign = get_object_or_404(Campaign, pk=whole(request.POST.get("campaign", "")))
    try:
        kind = request.POST.get("kind", "")
        if kind not in EvaluationKind.values:
            return refused(f"kind {kind!r}, expected one of {EvaluationKind.values}")
        services.start_evaluation(found, campaign, person(request), kind)
        messages.success(request, _("The evaluation is on its way."))
    except MisstepError as refusal:
        messages.error(request, str(refusal))
    return _back_to(pk, campaign)


def _back_to(pk: int, campaign: Campaign) -> HttpResponse:
    """To the checkpoint, with the campaign still chosen."""
    return redirect(f"{reverse('training:checkpoint', args=[pk])}?campaign={campaign.pk}")


@reviewer_required
def scores(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    """A scoring while it works, and then what it did to the campaign's queue."""
    named = ScoreRun.objects.values("job", "job__spec__campaign").filter(pk=pk).first()
    if named is None:
        raise Http404
    # Looked at before the result, which is told with the arrangement's end.
    arrangement = arrangement_told(named["job"])
    # The job's spec names every solution that it scores: of it only the campaign is read.
    run = get_object_or_404(ScoreRun.objects.select_related("job").defer("job__spec"), pk=pk)
    result = run.job.result or {}
    before, after = result.get("before", []), result.get("after", [])
    tasks = Task.objects.select_related("solution__problem", "campaign").in_bulk([*before, *after])
    context: dict[str, Any] = {
        "run": run,
        "job": run.job,
        # The scores stand there, and the tasks are still being put in their order, or were not.
        "arrangement": arrangement if "before" in result and "after" not in result else None,
        "campaign": Campaign.objects.filter(pk=named["job__spec__campaign"] or 0).first(),
        "checkpoint": run.checkpoints.select_related("run").first(),
        "places": (places := _places(before, after, tasks)),
        "are_tasks_gone": bool(before or after) and not places,
        "is_queue_empty": "after" in result and not after,
    }
    return render(request, "training/scores_live.html" if request.htmx else "training/scores.html", context)


def _places(
    before: Sequence[int], after: Sequence[int], tasks: Mapping[int, Task]
) -> list[tuple[int, Task | None, Task, int | None]]:
    """Each place of the queue: its task before, its task now, and the place where that was.

    A result outlives the tasks that it names: they go with their campaign, or are taken out of it.
    """
    return [
        (place, tasks.get(old), tasks[new], before.index(new) + 1 if new in before else None)
        for place, (old, new) in enumerate(zip(before, after, strict=False), start=1)
        if new in tasks
    ]


def _initial(request: HttpRequest) -> dict[str, Any]:
    """The snapshot that a link names, or else the newest, with its own labels."""
    asked = whole(request.GET.get("snapshot", ""))
    snapshot = (
        Snapshot.objects.filter(pk=asked).first() if asked else Snapshot.objects.order_by("-pk").first()
    )
    return {"snapshot": snapshot, "labels": snapshot.labels} if snapshot else {}


def _seconds_left(job: Job) -> float | None:
    """At the pace of the attempt that runs; None while none does, or before it has done a step."""
    progress = job.progress or {}
    speed = pace(progress) if job.state == JobState.RUNNING else None
    return (progress["total"] - progress["done"]) / speed if speed and progress.get("total") else None
