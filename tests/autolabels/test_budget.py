"""What a search would cost is told before it starts, from what earlier ones have cost."""

import pytest
from django.urls import reverse
from django.utils import timezone

from labelsite.autolabels.budget import budget_for, budget_for_search
from labelsite.autolabels.models import EstimateRun
from labelsite.problems.models import Problem, Solution
from tests.factories import PASSWORD, make_problem, make_solution, make_user

pytestmark = pytest.mark.django_db


def earlier(cost, rollouts=4, method="rstar"):
    return EstimateRun.objects.create(
        method=method, policy="pocket", parameters={"rollouts": rollouts}, cost=cost, loaded_at=timezone.now()
    )


def test_without_experience_only_the_size_is_known():
    make_problem("1 + 2 =")
    make_problem("Why?", answer=None)
    found = budget_for_search(Problem.objects.all(), "rstar", "pocket", 16)
    assert (found.items, found.without_answer, found.most_rollouts) == (1, 1, 16)
    assert found.tokens is None and found.seconds is None and found.basis == 0


def test_a_search_is_priced_by_trees_and_rollouts_of_earlier_searches():
    earlier({"trees": 10, "tokens": 8000, "seconds": 20})
    earlier({"trees": 30, "tokens": 24000, "seconds": 60})
    earlier({"steps": 50, "tokens": 1, "seconds": 1})
    earlier({"trees": 5, "tokens": 1, "seconds": 1}, method="omegaprm")
    for number in range(3):
        make_problem(f"{number} + 2 =")
    found = budget_for_search(Problem.objects.all(), "rstar", "pocket", 8)
    # 32,000 tokens for 160 rollouts: 200 each, and 24 rollouts are asked for.
    assert (found.tokens, found.seconds, found.basis) == (pytest.approx(4800), pytest.approx(12), 2)


def test_given_solutions_are_priced_by_their_steps():
    earlier({"steps": 10, "tokens": 4000, "seconds": 8})
    make_solution(steps=["one", ["two", "another two"], "three"])
    found = budget_for(Solution.objects.all(), "rstar", "pocket", 2)
    assert (found.items, found.steps, found.most_rollouts) == (1, 3, 6)
    assert (found.tokens, found.seconds) == (pytest.approx(600), pytest.approx(1.2))


def test_the_page_tells_the_price_anew_as_the_form_changes(client):
    earlier({"trees": 10, "tokens": 8000, "seconds": 20})
    for number in range(5):
        make_problem(f"{number} + 2 =", source="pocket")
    admin = make_user("admin")
    client.login(username=admin.username, password=PASSWORD)
    page = client.get(reverse("autolabels:search"))
    assert page.context["budget"].items == 5
    form = {"source": "pocket", "limit": 2, "method": "rstar", "policy": "pocket", "rollouts": 4, "seed": 0}
    changed = client.get(reverse("autolabels:search"), form, headers={"HX-Request": "true"})
    assert changed.context["budget"].tokens == pytest.approx(1600)
    assert b"<form" not in changed.content
    assert EstimateRun.objects.count() == 1, "asking for the price starts nothing"
