"""Importing a file from the browser: upload, look at the first ten, then a job with progress."""

from __future__ import annotations

import uuid
from pathlib import PurePath

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_htmx.http import HttpResponseClientRedirect

from labelsite import storable
from labelsite.accounts.access import HtmxHttpRequest, admin_required, person
from labelsite.accounts.form_answers import answers_a_form_of
from labelsite.annotations import uploads
from labelsite.annotations.import_campaigns import near_names
from labelsite.annotations.import_forms import ImportForm, UploadForm
from labelsite.annotations.preview import preview
from labelsite.annotations.uploads import Upload
from labelsite.campaigns.models import SECTION_LENGTH, Campaign
from labelsite.jobs.models import Job
from labelsite.jobs.workers import queues_served
from ml import formats
from ml.errors import MisstepError

RECENT = 10


def _get_upload(identity: uuid.UUID) -> Upload:
    upload = uploads.find(identity)
    if upload is None:
        raise Http404("no such upload")
    return upload


@admin_required
@require_http_methods(["GET", "HEAD", "POST"])
def upload_file(request: HttpRequest) -> HttpResponse:
    form = UploadForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        file = form.cleaned_data["file"]
        try:
            upload = uploads.keep(file.name, file.chunks(), request.GET.get("campaign", "")[:120])
        except MisstepError as error:
            form.add_error("file", str(error))
        else:
            return redirect("annotations:import_preview", identity=upload.id)
    context = {
        "form": form,
        "jobs": Job.objects.filter(verb="import").select_related("created_by").order_by("-pk")[:RECENT],
        "has_no_worker": "default" not in queues_served(),
    }
    return render(request, "annotations/import.html", context, status=400 if form.errors else 200)


@admin_required
@require_safe
def import_preview(request: HtmxHttpRequest, identity: uuid.UUID) -> HttpResponse:
    if job := uploads.begun_import(identity):
        return _has_begun(request, job)
    upload = _get_upload(identity)
    if request.htmx:
        target = _target(_suggested_campaign(request, upload), "begins_paused" in request.GET)
        return render(request, "annotations/import_campaign.html", target)
    typed = {
        "campaign": _suggested_campaign(request, upload),
        "section": storable.text(request.GET.get("section", ""), SECTION_LENGTH),
        "begins_paused": "begins_paused" in request.GET,
    }
    form = ImportForm(initial=typed)
    return _preview_page(request, upload, form, request.GET.get("format", ""))


@answers_a_form_of("annotations:import_preview", "identity")
@admin_required
def start_import(request: HtmxHttpRequest, identity: uuid.UUID) -> HttpResponse:
    if job := uploads.begun_import(identity):
        return _has_begun(request, job)
    upload = _get_upload(identity)
    form = ImportForm(request.POST)
    if not form.is_valid():
        return _preview_page(request, upload, form, form.cleaned_data.get("format", ""), status=400)
    wanted = form.cleaned_data
    job = uploads.start_import(
        upload,
        wanted["format"],
        wanted["campaign"],
        person(request),
        wanted["section"],
        wanted["begins_paused"],
    )
    return redirect("jobs:detail", pk=job.pk)


def _has_begun(request: HtmxHttpRequest, job: Job) -> HttpResponse:
    messages.info(request, _("The import of this file has begun already: this is its job."))
    address = reverse("jobs:detail", args=[job.pk])
    return HttpResponseClientRedirect(address) if request.htmx else redirect(address)


@admin_required
@require_POST
def discard_upload(request: HtmxHttpRequest, identity: uuid.UUID) -> HttpResponse:
    if job := uploads.begun_import(identity):
        return _has_begun(request, job)
    upload = _get_upload(identity)
    uploads.discard(upload)
    messages.info(request, _("“%(name)s” was discarded; nothing was imported.") % {"name": upload.name})
    return redirect("annotations:import")


def _preview_page(
    request: HttpRequest, upload: Upload, form: ImportForm, wanted: str, status: int = 200
) -> HttpResponse:
    guess = formats.guess(upload.path)
    chosen = wanted if wanted in formats.FORMATS else guess or formats.FORMATS[0]
    titles: list[tuple[str, str]] = list(form.fields["format"].choices)  # type: ignore[attr-defined]
    context = {
        "upload": upload,
        "form": form,
        "chosen": chosen,
        "guess": dict(titles).get(guess or ""),
        "formats": titles,
        "preview": preview(upload, chosen),
        "campaigns": Campaign.objects.filter(is_archived=False)
        .order_by("-pk")
        .values_list("name", flat=True)[:100],
        "has_no_worker": "default" not in queues_served(),
    }
    context |= _target(str(form["campaign"].value() or ""), bool(form["begins_paused"].value()))
    return render(request, "annotations/import_preview.html", context, status=status)


def _target(name: str, begins_paused: bool) -> dict[str, object]:
    """What the page says of the campaign that the file would go to."""
    name = storable.text(name).strip()
    existing = Campaign.objects.filter(name=name).first()
    near = near_names(name) if name and not existing else []
    return {"name": name, "existing": existing, "near": near, "begins_paused": begins_paused}


def _suggested_campaign(request: HttpRequest, upload: Upload) -> str:
    return request.GET.get("campaign", "")[:120] or upload.campaign or PurePath(upload.name).stem
