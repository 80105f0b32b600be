"""What a search would cost is told before it starts, from what runs of the same kind have cost, or not at all."""

import itertools
import json

import pytest
from django.urls import reverse
from django.utils import timezone

from labelsite.autolabels import workload
from labelsite.autolabels.budget import budget_for, budget_for_search
from labelsite.autolabels.models import EstimateRun
from labelsite.autolabels.requests import Request
from labelsite.autolabels.services import start_estimates, start_search
from labelsite.autolabels.workload import WIDEST, law_of
from labelsite.problems.models import Problem, Solution
from ml.search.named_options import FRESH
from tests.data import ROOT
from tests.factories import PASSWORD, make_campaign, make_problem, make_solution, make_task, make_user

pytestmark = pytest.mark.django_db
CURVES = json.loads((ROOT / "docs/results/search_agreement.json").read_text())["rows"]


def ended(run, **cost):
    """The run as if it had ended at this cost."""
    run.cost, run.loaded_at = cost, timezone.now()
    run.save()
    return run


def searched(request, count=10, source="pocket", **cost):
    for number in range(count):
        make_problem(f"{source} {number}", source=source)
    run = start_search(Problem.objects.filter(source=source), **request.as_arguments())
    return ended(run, **cost)


def test_without_experience_only_the_size_is_known():
    make_problem("1 + 2 =")
    make_problem("Why?", answer=None)
    found = budget_for_search(Problem.objects.all(), Request("rstar"))
    assert (found.items, found.without_answer, found.most_rollouts) == (1, 1, 16)
    assert found.cost is None and found.pilot is None


def test_a_search_is_priced_by_the_trees_of_earlier_searches():
    request = Request("rstar", rollouts=4)
    searched(request, tokens=8000, model_calls=100, seconds=20)
    searched(request, tokens=12000, model_calls=140, seconds=30)
    found = budget_for_search(Problem.objects.filter(pk__in=Problem.objects.values("pk")[:5]), request).cost
    assert (found.tokens, found.model_calls, found.seconds) == (
        pytest.approx(5000), pytest.approx(60), pytest.approx(12.5),
    )  # fmt: skip
    assert (found.runs, found.items, found.rollouts, found.is_pilot) == (2, 20, "", False)


@pytest.mark.parametrize(
    "other",
    [
        Request("omegaprm", rollouts=4),
        Request("rstar", policy="http://server:8000/v1", rollouts=4),
        Request("rstar", rollouts=12),
        Request("rstar", rollouts=4, parameters={"candidates": 2}),
        Request("rstar", rollouts=4, parameters={"temperature": 1.0}),
        Request("rstar", rollouts=4, parameters={"style": "prose"}, acts_on=FRESH),
        Request("rstar", rollouts=4, parameters={"value-model": "some/folder"}),
    ],
)
def test_a_run_that_spends_differently_tells_no_cost(other):
    searched(other, tokens=8000)
    assert budget_for_search(Problem.objects.all(), Request("rstar", rollouts=4)).cost is None


def test_a_default_that_is_written_out_and_how_mistakes_are_read_change_no_cost():
    searched(Request("rstar", rollouts=4, parameters={"temperature": 0.8, "luck": 0.2}), tokens=8000)
    assert budget_for_search(Problem.objects.all(), Request("rstar", rollouts=4)).cost.tokens == 8000


def test_other_problems_tell_no_cost():
    searched(Request("rstar"), source="short", tokens=8000)
    make_problem("A long one", source="olympiad")
    assert budget_for_search(Problem.objects.filter(source="olympiad"), Request("rstar")).cost is None


def judged(request, lengths, is_correct=False, **cost):
    solutions = [make_solution(["step"] * length, is_correct=is_correct).pk for length in lengths]
    found = Solution.objects.filter(pk__in=solutions)
    return ended(start_estimates(found, **request.as_arguments()), **cost)


def cost_of(request, lengths, is_correct=False):
    solutions = [make_solution(["step"] * length, is_correct=is_correct).pk for length in lengths]
    return budget_for(Solution.objects.filter(pk__in=solutions), request).cost


def test_how_mistakes_are_read_changes_the_cost_of_a_search_that_stops_at_the_first():
    stops = {"stop_at_first_mistake": True}
    judged(Request("math-shepherd", rollouts=4, parameters=stops), [4], tokens=600)
    assert cost_of(Request("math-shepherd", rollouts=4, parameters=stops), [4]).tokens == 600
    assert cost_of(Request("math-shepherd", rollouts=4, parameters={**stops, "luck": 0.5}), [4]) is None


def test_completions_from_every_prefix_grow_with_the_square_of_the_steps():
    request = Request("math-shepherd", rollouts=4)
    judged(request, [4], tokens=600)
    assert cost_of(request, [8]).tokens == pytest.approx(600 * 28 / 6)


def test_omegaprm_spends_nothing_on_a_solution_whose_answer_is_right():
    request = Request("omegaprm", rollouts=8)
    judged(request, [6, 6], tokens=1000)
    assert cost_of(request, [6] * 4).tokens == pytest.approx(2000)
    assert cost_of(request, [6] * 4, is_correct=True).tokens == 0


def test_options_by_name_count_as_the_numbers_that_they_are():
    request = Request("rest-mcts", rollouts=4, parameters={"value_rollouts": "8"})
    judged(request, [4], tokens=600)
    assert cost_of(request, [8]).tokens == pytest.approx(600 * 28 / 6)
    assert cost_of(Request("rest-mcts", rollouts=4), [8]) is None


def test_a_default_that_is_written_out_by_its_name_changes_no_cost():
    judged(Request("rest-mcts", rollouts=4, parameters={"value_rollouts": "4"}), [4], tokens=600)
    assert cost_of(Request("rest-mcts", rollouts=4), [4]).tokens == pytest.approx(600)
    searched(
        Request("omegaprm", parameters={"most_steps": "64", "descend": "all"}, acts_on=FRESH), tokens=8000
    )
    fresh = Problem.objects.filter(source="pocket")
    assert budget_for_search(fresh, Request("omegaprm", acts_on=FRESH)).cost.tokens == pytest.approx(8000)


def test_solutions_that_vote_are_paid_once_for_each_problem():
    request = Request("omegaprm", parameters={"reference": "self-consistency", "voters": 8})
    judged(request, [6] * 2, is_correct=True, tokens=1000)
    problem = make_problem("asked once")
    same = [make_solution(["step"] * 6, problem=problem).pk for _ in range(8)]
    found = budget_for(Solution.objects.filter(pk__in=same), request)
    assert found.cost.tokens == pytest.approx(500)


@pytest.mark.parametrize("method", ["math-shepherd", "omegaprm", "rest-mcts", "rstar"])
def test_the_law_holds_on_the_measured_curves_within_a_factor_of_two(method):
    measured = {
        row["rollouts"]: row["tokens"] for row in CURVES if row["method"] == method and not row["blind"]
    }
    near = [
        (have, want)
        for have, want in itertools.permutations(measured, 2)
        if 1 / WIDEST <= have / want <= WIDEST
    ]
    assert len(near) >= 10
    for have, want in near:
        told = measured[have] * (want / have) ** law_of(method).tokens
        assert 0.5 < told / measured[want] < 2, f"{have} -> {want} rollouts"


def test_rollouts_nearly_as_many_are_scaled_by_the_methods_law_and_said():
    judged(Request("math-shepherd", rollouts=4), [4], tokens=600, model_calls=3)
    found = cost_of(Request("math-shepherd", rollouts=8), [4])
    assert (found.tokens, found.model_calls, found.rollouts) == (pytest.approx(1200), pytest.approx(3), "4")


def test_other_rollouts_tell_nothing_of_omegaprms_trees_which_have_no_law():
    searched(Request("omegaprm", rollouts=8), tokens=8000)
    assert budget_for_search(Problem.objects.all(), Request("omegaprm", rollouts=9)).cost is None
    assert budget_for_search(Problem.objects.all(), Request("omegaprm", rollouts=8)).cost.runs == 1


def test_a_short_run_tells_only_a_bound_of_a_longer_ones_time():
    request = Request("rstar", rollouts=4)
    searched(request, count=4, tokens=400, seconds=8)
    for number in range(20):
        make_problem(f"more {number}", source="pocket")
    assert budget_for_search(Problem.objects.all(), request).cost.is_time_a_bound


def test_a_run_that_was_loaded_from_a_file_tells_no_cost():
    make_problem("1 + 2 =")
    EstimateRun.objects.create(
        method="rstar",
        policy="pocket",
        parameters={"rollouts": 16},
        cost={"trees": 1, "tokens": 800},
        loaded_at=timezone.now(),
    )
    assert budget_for_search(Problem.objects.all(), Request("rstar")).cost is None


def test_given_solutions_are_counted_by_their_steps():
    make_solution(steps=["one", ["two", "another two"], "three"])
    found = budget_for(Solution.objects.all(), Request("rstar", rollouts=2))
    assert (found.items, found.steps, found.most_rollouts) == (1, 3, 6)


@pytest.mark.parametrize(
    ("method", "of_fresh", "of_given"),
    [
        ("rstar", ("Rollouts of each tree", 8), ("Rollouts from each step", 12)),
        ("math-shepherd", ("Rollouts from each step", None), ("Rollouts from each step", 12)),
        ("omegaprm", ("Rollouts from each step", None), ("Rollouts from each step", 12)),
        ("rest-mcts", ("Iterations of each tree", 96), ("Iterations from each step", 144)),
    ],
)
def test_a_bound_of_the_rollouts_is_told_only_where_it_holds(method, of_fresh, of_given):
    make_solution(steps=["one", "two", "three"])
    make_problem("1 + 2 =")
    fresh = budget_for_search(Problem.objects.all(), Request(method, rollouts=4, acts_on=FRESH))
    given = budget_for(Solution.objects.all(), Request(method, rollouts=4))
    assert (fresh.rollouts_are, fresh.most_rollouts) == of_fresh
    assert (given.rollouts_are, given.most_rollouts) == of_given


def test_with_a_value_model_nothing_is_rolled_out():
    make_solution()
    guided = Request("rest-mcts", rollouts=4, parameters={"value-model": "/a/folder"})
    assert budget_for(Solution.objects.all(), guided).most_rollouts is None


def test_the_solutions_that_vote_are_counted_once_for_each_problem_and_shown(client):
    campaign, problem = make_campaign(), make_problem("asked once", answer=None)
    for _ in range(3):
        make_task(campaign, make_solution(problem=problem))
    client.force_login(make_user("admin"))
    form = {
        "method": "omegaprm",
        "policy": "pocket",
        "seed": 0,
        "reference": "self-consistency",
        "voters": 123,
    }
    page = client.get(reverse("comparison:estimate", args=[campaign.pk]), form)
    assert page.context["budget"].votes == 123 and "Solutions that vote, in all</dt>" in page.text
    form = {**form, "reference": "answer", "voters": ""}
    assert (
        "that vote, in all" not in client.get(reverse("comparison:estimate", args=[campaign.pk]), form).text
    )


def test_a_run_keeps_its_workload_as_it_was_reckoned():
    run = judged(Request("omegaprm"), [4, 2], is_correct=None)
    run.refresh_from_db()
    kept = workload.from_json(run.workload)
    assert (kept.items, kept.problems, kept.steps, kept.pairs) == (2, 2, 6, 7)
    assert kept.halving == pytest.approx(5, abs=0.01)


@pytest.mark.parametrize(("asked", "searched"), [({}, 1), ({"search_correct": True}, 4)])
def test_solutions_with_a_right_answer_cost_omegaprm_something_where_it_is_to_search_them(asked, searched):
    for is_correct in (True, True, True, False):
        make_solution(["a", "b", "c", "d"], is_correct=is_correct)
    request = Request("omegaprm", parameters=asked)
    assert workload.of_solutions(Solution.objects.all(), request).halving == pytest.approx(
        4 * searched, abs=0.01
    )


def test_the_page_tells_the_price_anew_as_the_form_changes(client):
    searched(Request("rstar", rollouts=4), count=5, tokens=8000, seconds=20)
    admin = make_user("admin")
    client.login(username=admin.username, password=PASSWORD)
    page = client.get(reverse("autolabels:search"))
    assert page.context["budget"].items == 5
    form = {"source": "pocket", "limit": 2, "method": "rstar", "policy": "pocket", "rollouts": 4, "seed": 0}
    changed = client.get(reverse("autolabels:search"), form, headers={"HX-Request": "true"})
    assert changed.context["budget"].cost.tokens == pytest.approx(3200)
    assert b"3,200" in changed.content and b"<form" not in changed.content
    assert EstimateRun.objects.count() == 1, "asking for the price starts nothing"


def test_the_form_that_judges_a_campaign_tells_the_price_of_options_by_name(client):
    judged(Request("rest-mcts", rollouts=4, parameters={"value_rollouts": "8"}), [4], tokens=600)
    campaign = make_campaign()
    make_task(campaign, make_solution(["step"] * 4, is_correct=False))
    client.force_login(make_user("admin"))
    form = {
        "method": "rest-mcts",
        "policy": "pocket",
        "rollouts": 4,
        "seed": 0,
        "options": "value_rollouts=8",
    }
    page = client.get(reverse("comparison:estimate", args=[campaign.pk]), form)
    assert page.context["budget"].cost.tokens == pytest.approx(600)
