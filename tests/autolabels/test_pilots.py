"""The cost of a run that is the first of its kind is measured on a few items, and nothing but the cost is kept."""

from __future__ import annotations

import pytest
from django.urls import reverse

from labelsite.autolabels.budget import budget_for, budget_for_search
from labelsite.autolabels.models import EstimateRun, SearchTree, SolutionEstimate
from labelsite.autolabels.pilots import PILOT_ITEMS, load_pilot, solutions_for_pilot
from labelsite.autolabels.requests import Request
from labelsite.autolabels.services import start_estimates, start_search
from labelsite.campaigns.forms import CampaignForm
from labelsite.comparison.services import start_campaign_estimates, use_run
from labelsite.jobs.cancelling import cancel
from labelsite.jobs.models import Job, JobState
from labelsite.jobs.tasks import run_here
from labelsite.problems.models import Problem, Solution
from ml.errors import MisstepError
from ml.pocket.problems import generate
from tests.autolabels.files import write_run
from tests.factories import log_in, make_campaign, make_problem, make_solution, make_task

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("warm_children")]


def pocket_problems(count):
    for problem in generate(count, seed=5):
        make_problem(problem.text, answer=problem.answer, source="pocket")
    return Problem.objects.filter(source="pocket")


def test_a_pilot_takes_a_few_solutions_of_every_length():
    for length in (2, 4, 6, 8):
        for _ in range(10):
            make_solution(["step"] * length)
    chosen = Solution.objects.filter(pk__in=solutions_for_pilot(Solution.objects.all(), Request()))
    assert sorted(chosen.values_list("position_count", flat=True)) == [2, 2, 4, 4, 6, 6, 8, 8]


def test_a_pilot_of_omegaprm_takes_solutions_that_it_has_to_search():
    wrong = {make_solution(is_correct=False).pk for _ in range(12)}
    for _ in range(30):
        make_solution()
    assert set(solutions_for_pilot(Solution.objects.all(), Request("omegaprm"))) < wrong


def test_a_pilot_of_omegaprm_that_searches_right_answers_too_takes_some_of_them():
    wrong = {make_solution(is_correct=False).pk for _ in range(12)}
    for _ in range(30):
        make_solution(is_correct=True)
    request = Request("omegaprm", parameters={"search_correct": True})
    chosen = solutions_for_pilot(Solution.objects.all(), request)
    assert 0 < len(wrong.intersection(chosen)) < len(chosen) == PILOT_ITEMS


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("method", ["rstar", "rest-mcts"])
def test_what_a_real_pilot_tells_is_right_within_a_factor_of_two(method):
    problems = pocket_problems(32)
    request = Request(method, rollouts=2, parameters={"candidates": 2})
    pilot = start_search(problems, is_pilot=True, **request.as_arguments())
    job = pilot.shards.get().job
    run_here(job)
    assert Job.objects.get(pk=job.pk).state == JobState.DONE
    told = budget_for_search(problems, request).cost
    assert told.is_pilot and told.items == PILOT_ITEMS
    assert not SearchTree.objects.exists(), "a pilot keeps nothing but its cost"
    whole = start_search(problems, **request.as_arguments())
    run_here(whole.shards.get().job)
    whole.refresh_from_db()
    assert 0.5 < told.tokens / whole.cost["tokens"] < 2
    assert 0.5 < told.model_calls / whole.cost["model_calls"] < 2
    # From now on the whole run tells it, too.
    assert not budget_for_search(problems, request).cost.is_pilot


def test_the_form_measures_first_shows_that_it_does_and_then_the_cost(client):
    log_in(client, "admin")
    pocket_problems(20)
    address = reverse("autolabels:search")
    form = {"source": "pocket", "limit": 20, "method": "rstar", "policy": "pocket", "rollouts": 2, "seed": 3}
    before = client.get(address, form)
    assert 'name="measure"' in before.content.decode() and before.context["budget"].cost is None
    answer = client.post(address, {**form, "measure": "1"})
    run = EstimateRun.objects.get()
    assert run.is_pilot and run.shards.get().size == PILOT_ITEMS
    during = client.get(answer.url)
    assert during.context["form"].cleaned_data["seed"] == 3, "the form is as it was filled in"
    text = during.content.decode()
    assert "The cost is being measured." in text and "every 2s" in text and 'name="measure"' not in text
    run_here(run.shards.get().job)
    after = client.get(answer.url)
    assert after.context["budget"].cost.items == PILOT_ITEMS
    assert "every 2s" not in after.content.decode()
    page = client.get(reverse("autolabels:run", args=[run.pk])).content.decode()
    assert "keeps its cost and no estimates" in page


def test_a_pilot_that_fails_says_why_at_the_form_and_may_be_tried_again(client):
    log_in(client, "admin")
    pocket_problems(20)
    form = {
        "source": "pocket",
        "limit": 20,
        "method": "rstar",
        "policy": "/no/folder",
        "rollouts": 2,
        "seed": 0,
    }
    answer = client.post(reverse("autolabels:search"), {**form, "measure": "1"})
    run_here(EstimateRun.objects.get().shards.get().job)
    page = client.get(answer.url).content.decode()
    assert "/no/folder" in page and "could not be measured" in page and 'name="measure"' in page


def test_a_cancelled_pilot_is_forgotten():
    problems = pocket_problems(20)
    cancel(start_search(problems, is_pilot=True).shards.get().job)
    found = budget_for_search(problems, Request("rstar"))
    assert found.pilot is None and found.can_be_measured


def test_a_pilot_tells_its_sandbox_level_to_the_last_word(tmp_path):
    run = start_search(pocket_problems(20), is_pilot=True)
    shard = run.shards.get()
    level = "monty, process:landlock7+seccomp-x86_64 UNSAFE"
    write_run(tmp_path, [], sandbox_level=level, counts={"items": shard.size})
    load_pilot(shard, tmp_path, lambda: None)
    run.refresh_from_db()
    assert run.sandbox_level == level


def test_a_pilot_of_a_campaign_never_stands_beside_its_steps():
    campaign = make_campaign()
    for _ in range(10):
        make_task(campaign, make_solution())
    pilot = start_campaign_estimates(campaign, None, "math-shepherd", "pocket", 2, 0, is_pilot=True)
    run_here(pilot.shards.get().job)
    campaign.refresh_from_db()
    pilot.refresh_from_db()
    assert pilot.loaded_at and campaign.estimate_run is None
    assert not SolutionEstimate.objects.exists()
    with pytest.raises(MisstepError):
        use_run(campaign, pilot)
    assert pilot not in CampaignForm(instance=campaign).fields["estimate_run"].queryset
    found = budget_for(Solution.objects.all(), Request("math-shepherd", rollouts=2))
    assert found.cost is not None and found.cost.is_pilot


def test_a_run_as_small_as_a_pilot_is_not_measured_first():
    for _ in range(PILOT_ITEMS):
        make_solution()
    found = budget_for(Solution.objects.all(), Request())
    assert not found.can_be_measured
    assert start_estimates(Solution.objects.all(), is_pilot=True).shards.get().size == PILOT_ITEMS
