"""Searches: the runs, one run while it works and after, and its trees."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST
from django_htmx.http import HttpResponseClientRefresh

from labelsite.accounts.access import HtmxHttpRequest, admin_required, person, reviewer_required
from labelsite.accounts.forms import errors_of
from labelsite.asked import page_below, refused, whole
from labelsite.autolabels import disputes, services
from labelsite.autolabels.forms import TreeFileForm
from labelsite.autolabels.math_aps import import_trees
from labelsite.autolabels.models import DisputedAnswer, EstimateRun, SearchTree, SolutionEstimate
from labelsite.autolabels.parameters import in_words
from labelsite.autolabels.plots import bar_chart
from labelsite.autolabels.plots.tree import tree_svg
from labelsite.autolabels.progress import (
    RunProgress,
    bin_names,
    loaded_histogram,
    progress_of,
    progress_of_each,
)
from labelsite.autolabels.trees import TreeNode, TreeView, parse_toggled
from labelsite.jobs.services import retry
from labelsite.problems.streaming import in_chunks
from labelsite.uploading import as_path
from labelsite.wording import translated
from ml.errors import MisstepError
from ml.formats.math_aps import write_record
from ml.json_lines import as_line
from ml.search.tree import lowest_q

PAGE = 50
# What a run was told beyond the usual that changes what its estimates mean.
GUIDANCE = ("reference", "value_model", "value-model")


@reviewer_required
def run_list(request: HtmxHttpRequest) -> HttpResponse:
    """Every run, the newest first, with its progress while it works."""
    runs = EstimateRun.objects.defer("parameters").order_by("-pk")
    page = page_below(runs, request.GET.get("before", ""), PAGE)
    rows = list(zip(page.rows, progress_of_each(page.rows), strict=True))
    context = {
        "rows": rows,
        "next_before": page.further,
        "is_moving": any(progress.is_moving for _run, progress in rows),
    }
    name = "autolabels/list_live.html" if request.htmx else "autolabels/list.html"
    return render(request, name, context)


@reviewer_required
def run_detail(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    """One run: live while it works; its solutions or trees once they are loaded."""
    run = get_object_or_404(EstimateRun.objects.with_jobs(), pk=pk)
    progress = progress_of(run, run.shards.all())
    context: dict[str, Any] = {
        "run": run,
        "settings": in_words(run.parameters),
        "chosen": in_words({name: run.parameters.get(name) for name in GUIDANCE}),
        "progress": progress,
        "chart": _histogram(run, progress),
    }
    if request.htmx and progress.is_moving:
        return render(request, "autolabels/run_live.html", context)
    if request.htmx:
        # The last live answer brings the whole page's end: reload it once.
        return HttpResponseClientRefresh()
    context |= _page_of_results(run, request.GET.get("after", ""))
    context["unanswered"] = run.unanswered_problems.select_related("problem").order_by("pk")
    # What nobody has decided yet comes first.
    disputed = run.disputed_answers.select_related("problem", "decided_by").order_by("-verdict", "pk")
    context["disputed"] = Paginator(disputed, PAGE).get_page(request.GET.get("disputed"))
    return render(request, "autolabels/run.html", context)


@admin_required
@require_POST
def open_trees(request: HttpRequest) -> HttpResponse:
    """Take in a file of MATH-APS trees."""
    form = TreeFileForm(request.POST, request.FILES)
    if not form.is_valid():
        messages.error(request, errors_of(form))
        return redirect("autolabels:list")
    file = form.cleaned_data["file"]
    suffix = ".jsonl.gz" if file.name.endswith(".gz") else ".jsonl"
    try:
        with as_path(file, suffix) as path:
            runs = import_trees(path, file.name)
    except MisstepError as refusal:
        messages.error(request, translated(refusal.as_said))
        return redirect("autolabels:list")
    return redirect("autolabels:run", runs[0].pk)


@admin_required
@require_POST
def cancel(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask every job of the run to end; finished trees stay in its folder for a later resume."""
    services.cancel_run(get_object_or_404(EstimateRun, pk=pk))
    messages.info(request, _("The run is asked to end."))
    return redirect("autolabels:run", pk)


@admin_required
@require_POST
def resume(request: HttpRequest, pk: int) -> HttpResponse:
    """Queue what failed or was cancelled again; it goes on after the trees that are done."""
    run = get_object_or_404(EstimateRun.objects.with_jobs(), pk=pk)
    queued = sum(retry(shard.job) for shard in run.shards.all() if shard.loaded_at is None)
    if queued:
        messages.success(request, _("The run goes on where it stopped."))
    else:
        messages.error(request, _("Nothing of this run has stopped."))
    return redirect("autolabels:run", pk)


@reviewer_required
@require_POST
def decide_answer(request: HttpRequest, pk: int, answer: int) -> HttpResponse:
    """A person's word on an answer that the two graders judge differently."""
    found = get_object_or_404(DisputedAnswer, pk=answer, run=pk)
    verdict = request.POST.get("verdict")
    if verdict not in ("right", "wrong"):
        return refused(f"verdict {verdict!r}, expected right or wrong")
    disputes.decide(found, verdict == "right", person(request))
    page = whole(request.GET.get("disputed", "")) or 1
    return redirect(f"{reverse('autolabels:run', args=[pk])}?disputed={page}#disputed")


@reviewer_required
def tree(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    """One search tree as a drawing to read and walk."""
    found = get_object_or_404(SearchTree.objects.select_related("run", "problem"), pk=pk)
    toggled = parse_toggled(request.GET.get("toggled", ""))
    view = TreeView(found.data, toggled, is_all_open=request.GET.get("all") == "1")
    # What asks again for a page that it has not kept wants all of it.
    is_part = bool(request.htmx) and not request.htmx.history_restore_request
    selected = whole(request.GET.get("node", ""))
    number = selected if selected is not None and selected < len(view.nodes) else None
    if number is None and not is_part:
        # Somebody who comes reads the problem first; a fold leaves what is read as it is.
        number = 0
    address = reverse("autolabels:tree", args=[pk])
    context: dict[str, Any] = {
        "tree": found,
        "counts": view.counts(),
        "lowest_q": view.lowest_q,
        "drawing": tree_svg(view, address, reverse("autolabels:node", args=[pk, 0]), toggled, number),
    }
    if is_part:
        return render(request, "autolabels/tree_pane.html", context)
    context |= _node_context(view, number or 0)
    return render(request, "autolabels/tree.html", context)


@reviewer_required
def node(request: HttpRequest, pk: int, number: int) -> HttpResponse:
    """What the tree page shows beside the drawing: one step, the way to it, and what follows it."""
    found = get_object_or_404(SearchTree.objects.select_related("problem"), pk=pk)
    view = TreeView(found.data)
    if number >= len(view.nodes):
        return HttpResponse(status=404)
    return render(request, "autolabels/node.html", {"tree": found, **_node_context(view, number)})


@reviewer_required
def export_tree(request: HttpRequest, pk: int) -> HttpResponse:
    """The tree as one line of MATH-APS JSON."""
    found = get_object_or_404(SearchTree, pk=pk)
    response = HttpResponse(as_line(write_record(found.data)), content_type="application/jsonl")
    response["Content-Disposition"] = f'attachment; filename="tree-{pk}.jsonl"'
    return response


@reviewer_required
def export_run(request: HttpRequest, pk: int) -> StreamingHttpResponse:
    """All trees of a run as MATH-APS JSON, one a line."""
    run = get_object_or_404(EstimateRun, pk=pk)
    chunks = in_chunks(run.trees.only("data").order_by("pk"), 50)
    lines = (as_line(write_record(tree.data)) for chunk in chunks for tree in chunk)
    response = StreamingHttpResponse(lines, content_type="application/jsonl")
    response["Content-Disposition"] = f'attachment; filename="trees-of-run-{pk}.jsonl"'
    return response


def _node_context(view: TreeView, number: int) -> dict[str, Any]:
    chosen = view.nodes[number]
    children = [view.nodes[child] for child in chosen.children]
    children.sort(key=_q_value, reverse=True)
    return {"node": chosen, "path": view.path(chosen), "children": children}


def _q_value(node: TreeNode) -> float:
    """For an order in which steps without a value, as pruned ones, are below all others: Q is at least -1."""
    value = node.facts.get("q_value")
    return -2.0 if value is None else float(value)


def _histogram(run: EstimateRun, progress: RunProgress) -> Any:
    low = lowest_q(run.method)
    counts = loaded_histogram(run, low) if run.loaded_at else []
    if not any(counts):
        # Trees have no estimates in the tables: what the search last reported of its best paths stays.
        counts = list(progress.histogram)
    if not any(counts):
        return None
    return bar_chart(
        "q-histogram",
        _("Q-values"),
        _("How many steps have which Q-value, in ten bins named by their lower ends."),
        list(zip(bin_names(low), counts, strict=True)),
        _("Q-value, from"),
        _("steps"),
    )


def _page_of_results(run: EstimateRun, after: str) -> dict[str, Any]:
    start = whole(after) or 0
    trees = list(
        run.trees.filter(pk__gt=start).select_related("problem").defer("data").order_by("pk")[: PAGE + 1]
    )
    estimates = list(
        SolutionEstimate.objects.filter(run=run, pk__gt=start)
        .select_related("solution__problem")
        .prefetch_related("solution__tasks")
        .order_by("pk")[: PAGE + 1]
    )
    numbers = [tree.pk for tree in trees] or [estimate.pk for estimate in estimates]
    return {
        "trees": trees[:PAGE],
        "estimates": estimates[:PAGE],
        "next_after": numbers[PAGE - 1] if len(numbers) > PAGE else None,
        "is_first_page": not start,
    }
