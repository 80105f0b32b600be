"""Snapshots in the browser: freeze, look at what is in one, and take it away in other formats."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from labelsite.accounts.access import admin_required, person, reviewer_required
from labelsite.asked import page_below, refused
from labelsite.jobs.models import Job
from labelsite.snapshots.downloads import annotations_response, attached, part_response, streamed
from labelsite.snapshots.exports import StepwiseChoices, prm800k_lines, stepwise_lines
from labelsite.snapshots.forms import FreezeForm
from labelsite.snapshots.freezing import freeze_or_queue
from labelsite.snapshots.models import Snapshot
from labelsite.snapshots.plots import calibration_chart
from labelsite.snapshots.rule_words import rule_in_words
from labelsite.snapshots.verifying import Damaged
from labelsite.snapshots.words import in_words
from labelsite.wording import translated
from ml.errors import MisstepError

PAGE_SIZE = 50


@reviewer_required
@require_http_methods(["GET", "HEAD", "POST"])
def snapshot_list(request: HttpRequest) -> HttpResponseBase:
    if request.method == "POST":
        return freeze_snapshot(request)
    form = FreezeForm(initial={"campaign": request.GET.get("campaign")})
    return _list_page(request, form)


@admin_required
def freeze_snapshot(request: HttpRequest) -> HttpResponse:
    form = FreezeForm(request.POST)
    if not form.is_valid():
        return _list_page(request, form, status=400)
    try:
        frozen = freeze_or_queue(
            form.cleaned_data["campaign"],
            form.cleaned_data["labels"],
            form.rule(),
            form.cleaned_data["name"] or None,
            person(request),
            form.cleaned_data["second_run"],
            form.cleaned_data["keep_unlabelled"],
        )
    except MisstepError as error:
        form.add_error(None, translated(error.as_said))
        return _list_page(request, form, status=400)
    if isinstance(frozen, Job):
        return redirect("jobs:detail", pk=frozen.pk)
    messages.success(request, _("“%(name)s” is frozen.") % {"name": frozen.name})
    return redirect("snapshots:detail", pk=frozen.pk)


def _list_page(request: HttpRequest, form: FreezeForm, status: int = 200) -> HttpResponse:
    snapshots = Snapshot.objects.select_related("campaign", "created_by").order_by("-pk")
    listed = snapshots.counted().defer("campaign__guideline")
    page = page_below(listed, request.GET.get("before", ""), PAGE_SIZE)
    context = {
        "form": form,
        "snapshots": page.rows,
        "older": page.further,
    }
    return render(request, "snapshots/list.html", context, status=status)


def _get_snapshot(pk: int) -> Snapshot:
    """A snapshot; every role that gets past the decorators may see every one."""
    return get_object_or_404(Snapshot.objects.select_related("campaign", "created_by"), pk=pk)


@reviewer_required
@require_safe
def snapshot_detail(request: HttpRequest, pk: int) -> HttpResponse:
    snapshot = _get_snapshot(pk)
    manifest = snapshot.manifest
    context = {
        "snapshot": snapshot,
        "manifest": json.dumps(manifest, indent=2, ensure_ascii=False),
        "counts": in_words(manifest.get("counts", {})),
        "dropped": in_words(manifest.get("filters", {})),
        "rule": rule_in_words(manifest.get("rule", {})),
        "estimates": manifest.get("lineage", {}).get("estimates"),
        "second": manifest.get("second_verdicts"),
        "chart": calibration_chart(manifest),
        "has_annotations": bool(manifest.get("files")),
        "runs": snapshot.training_runs.union(snapshot.joined_training_runs.all()).order_by("-pk")[:20],
    }
    return render(request, "snapshots/detail.html", context)


@reviewer_required
@require_safe
def download_manifest(request: HttpRequest, pk: int) -> HttpResponseBase:
    snapshot = _get_snapshot(pk)
    body = json.dumps(snapshot.manifest, indent=2, ensure_ascii=False) + "\n"
    return attached(HttpResponse(body, content_type="application/json"), snapshot, "manifest.json")


def _refuses_damage(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """A download that says what is damaged instead of handing it out."""

    @wraps(view)
    def checked(*args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            return view(*args, **kwargs)
        except Damaged as error:
            return HttpResponse(str(error), status=500, content_type="text/plain; charset=utf-8")

    return checked


@reviewer_required
@require_safe
@_refuses_damage
def download_part(request: HttpRequest, pk: int, number: int) -> HttpResponseBase:
    snapshot = _get_snapshot(pk)
    return part_response(snapshot, number)


@reviewer_required
@require_safe
@_refuses_damage
def download_annotations(request: HttpRequest, pk: int) -> HttpResponseBase:
    return annotations_response(_get_snapshot(pk))


@reviewer_required
@require_safe
@_refuses_damage
def download_prm800k(request: HttpRequest, pk: int) -> HttpResponseBase:
    snapshot = _get_snapshot(pk)
    return streamed(prm800k_lines(snapshot), snapshot, "prm800k.jsonl")


@reviewer_required
@require_safe
@_refuses_damage
def download_stepwise(request: HttpRequest, pk: int) -> HttpResponseBase:
    snapshot = _get_snapshot(pk)
    try:
        choices = StepwiseChoices(
            neutral=request.GET.get("neutral") or None, alternatives=request.GET.get("alternatives", "rows")
        )
    except MisstepError as error:
        return refused(str(error))
    return streamed(stepwise_lines(snapshot, choices), snapshot, "stepwise.jsonl")
