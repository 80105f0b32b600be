"""Long work, watched: what waits, what runs and how far it is, what went wrong, and the two buttons."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from labelsite.accounts.access import HtmxHttpRequest
from labelsite.jobs import services, wording
from labelsite.jobs.access import job_or_404, job_to_retry_or_404, may_retry, obedient_job_or_404
from labelsite.jobs.cancelling import cancel
from labelsite.jobs.models import Job, JobState, Worker
from labelsite.jobs.outages import end_of_pause
from labelsite.jobs.series import curves, tail
from labelsite.jobs.workers import queues_served

PAGE_SIZE = 50


@login_required
def job_list(request: HtmxHttpRequest) -> HttpResponse:
    jobs = Job.objects.visible_to(request.user).light().select_related("created_by").order_by("-pk")
    waiting = Job.objects.filter(state=JobState.QUEUED).values_list("queue", flat=True).distinct()
    context = {
        "page": Paginator(jobs, PAGE_SIZE).get_page(request.GET.get("page")),
        "workers": Worker.objects.alive().order_by("name"),
        "queues_without_worker": sorted(set(waiting) - queues_served()),
        "is_moving": jobs.filter(state__in=(JobState.QUEUED, JobState.RUNNING)).exists(),
    }
    return render(request, "jobs/list_live.html" if request.htmx else "jobs/list.html", context)


@login_required
def job_detail(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    job = job_or_404(request.user, pk)
    context = {
        "job": job,
        "waits_until": end_of_pause(job),
        "is_obedient": job.obeys(request.user),
        "may_retry": may_retry(request.user),
        "figures": wording.figures(job.result or {}),
        "links": wording.links(job),
        "log": tail(job.attempt_folder / "log.txt"),
        "curves": curves(job.folder / "progress.jsonl"),
        "has_no_worker": job.state == JobState.QUEUED and job.queue not in queues_served(),
    }
    return render(request, "jobs/detail_live.html" if request.htmx else "jobs/detail.html", context)


@login_required
@require_POST
def cancel_job(request: HttpRequest, pk: int) -> HttpResponse:
    job = obedient_job_or_404(request.user, pk)
    if cancel(job):
        messages.info(request, _("“%(title)s” is asked to end.") % {"title": job.said})
    else:
        messages.info(request, _("“%(title)s” had ended already.") % {"title": job.said})
    return redirect("jobs:detail", pk=pk)


@login_required
@require_POST
def retry_job(request: HttpRequest, pk: int) -> HttpResponse:
    job = job_to_retry_or_404(request.user, pk)
    if not services.retry(job):
        messages.error(request, _("Only a failed or cancelled job can be tried again."))
    return redirect("jobs:detail", pk=pk)
