"""The small form in the queue that makes a task gold, a screening item, or ordinary work again."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from labelsite.accounts.access import admin_required, person
from labelsite.accounts.forms import errors_of
from labelsite.annotations import services
from labelsite.campaigns.forms import GoldForm
from labelsite.campaigns.models import Task
from labelsite.formulas import shortened


@require_POST
@admin_required
def task_kind(request: HttpRequest, pk: int, task_id: int) -> HttpResponse:
    """Makes a task gold, a screening item, or ordinary work again."""
    task = get_object_or_404(Task.objects.select_related("solution__problem"), pk=task_id, campaign=pk)
    form = GoldForm(request.POST)
    if form.is_valid():
        try:
            chosen = form.cleaned_data
            services.set_task_kind(task, chosen["kind"], chosen["gold"], person(request))
        except ValidationError as refusal:
            form.add_error(None, refusal)
    if form.errors:
        what = {
            "task": shortened(task.solution.problem.text, 60),
            "entry": request.POST.get("positions", "")[:60],
        }
        refused = _("Not saved: “%(entry)s” for the task “%(task)s”.") % what
        messages.error(request, f"{refused} {errors_of(form)}")
    else:
        messages.success(request, _("The task is saved."))
    # Back to where the queue stood: its kind, state, section and page.
    return redirect(f"{reverse('campaigns:tasks', args=[pk])}?{request.GET.urlencode()}")
