"""The one action behind "fewer labels than wanted" on the page of people."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from labelsite.accounts.access import admin_required
from labelsite.accounts.models import User
from labelsite.annotations import coverage
from labelsite.wording import counted


@require_POST
@admin_required
def reopen(request: HttpRequest, pk: int) -> HttpResponse:
    """Opens the finished tasks that lack labels, because the person's are excluded."""
    count = coverage.reopen(get_object_or_404(User, pk=pk, is_machine=False))
    text = ngettext("%(count)s task is open again.", "%(count)s tasks are open again.", count)
    messages.success(request, text % {"count": counted(count)})
    return redirect("accounts:people")
