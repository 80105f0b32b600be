"""The form that starts a search of fresh problems, and what every such form does once it is sent."""

from __future__ import annotations

from urllib.parse import urlencode

from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from labelsite.accounts.access import HtmxHttpRequest, admin_required, person
from labelsite.accounts.models import User
from labelsite.autolabels import services
from labelsite.autolabels.budget import Budget, budget_for_search
from labelsite.autolabels.forms import ProblemSearchForm
from labelsite.autolabels.models import EstimateRun
from labelsite.autolabels.workload import first_problems
from labelsite.problems.models import Problem
from ml.errors import MisstepError

# What a form sends besides its fields.
NOT_ASKED = ("csrfmiddlewaretoken", "measure")


@admin_required
def search(request: HtmxHttpRequest) -> HttpResponse:
    """Start a search of fresh problems, with what it should cost told before."""
    counts = Problem.objects.filter(answer__isnull=False).values_list("source").annotate(n=Count("pk"))
    sources = list(counts.order_by("source"))
    # The page asks for the budget with the form's own fields; a link's parameters are no answer to the form.
    asked = request.POST or (request.GET if "method" in request.GET else None)
    form = ProblemSearchForm(asked, sources=sources)
    if request.method == "POST" and form.is_valid():
        try:
            run = _start_search(form, person(request), "measure" in request.POST)
            return after_start(request, run, reverse("autolabels:search"))
        except MisstepError as refusal:
            form.add_error(None, str(refusal))
    budget = None if form.is_refused else _budget(form, sources[0][0] if sources else "")
    name = "autolabels/budget.html" if request.htmx else "autolabels/search.html"
    return render(request, name, {"form": form, "budget": budget})


def _budget(form: ProblemSearchForm, first_source: str) -> Budget:
    """A form that nobody has filled in names no source: the first one, then."""
    chosen = form.chosen()
    return budget_for_search(
        first_problems(chosen["source"] or first_source, chosen["limit"]), form.request()
    )


def _start_search(form: ProblemSearchForm, created_by: User, is_pilot: bool) -> EstimateRun:
    problems = first_problems(form.cleaned_data["source"], form.cleaned_data["limit"])
    return services.start_search(
        problems, created_by=created_by, is_pilot=is_pilot, **form.request().as_arguments()
    )


def after_start(request: HttpRequest, run: EstimateRun, form: str) -> HttpResponse:
    """To the run; from a measurement back to the form as it was filled in, which shows the cost once it is known."""
    if not run.is_pilot:
        return redirect("autolabels:run", run.pk)
    asked = {name: value for name, value in request.POST.items() if name not in NOT_ASKED}
    return redirect(f"{form}?{urlencode(asked)}")
