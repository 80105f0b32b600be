"""Both forms that start a search offer what the methods can be told, and refuse at the field what could not act."""

from __future__ import annotations

import pytest
from django.urls import reverse

from labelsite.autolabels.models import EstimateRun, SolutionEstimate
from labelsite.autolabels.services import start_estimates
from labelsite.jobs.models import Job, JobState
from labelsite.jobs.tasks import run_here
from labelsite.problems.models import Solution
from labelsite.training import guides
from labelsite.training.models import Checkpoint
from labelsite.training.services import start_training
from tests.factories import PASSWORD, make_campaign, make_problem, make_solution, make_task, make_user
from tests.training.test_pages import make_snapshot

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("warm_children")]
ASKED = {"method": "rstar", "policy": "pocket", "rollouts": 2, "seed": 0}
UNGRADED = {"method": "math-shepherd", "reference": "self-consistency"}


@pytest.fixture
def campaign(client):
    admin = make_user("admin")
    client.login(username=admin.username, password=PASSWORD)
    campaign = make_campaign()
    make_task(campaign, make_solution())
    return campaign


def make_checkpoint():
    run = start_training(make_snapshot(), "human", name="Round 2")
    return Checkpoint.objects.create(run=run, folder="c" * 64, sha256="ab" * 32, card={})


def address_of(campaign):
    return reverse("comparison:estimate", args=[campaign.pk])


def test_a_campaign_without_reference_answers_is_judged_by_the_policys_own_majority(client, campaign):
    task = make_task(campaign, make_solution(problem=make_problem("((1 + 2) * (3 - 1)) =", answer=None)))
    budget = client.get(address_of(campaign), {**ASKED, "method": "math-shepherd"}).context["budget"]
    assert (budget.items, budget.without_answer) == (1, 1)
    budget = client.get(address_of(campaign), {**ASKED, **UNGRADED}).context["budget"]
    assert (budget.items, budget.without_answer) == (2, 0)
    client.post(address_of(campaign), {**ASKED, **UNGRADED, "voters": 4})
    job = Job.objects.get()
    assert task.solution_id in job.spec["solutions"]
    arguments = job.spec["arguments"]
    assert arguments[arguments.index("--reference") + 1] == "self-consistency"
    assert arguments[arguments.index("--voters") + 1] == "4"


@pytest.mark.django_db(transaction=True)
def test_solutions_without_an_answer_get_real_estimates_and_the_runs_page_says_how(client, campaign):
    steps = ["Let's calculate A.\n```python\nA = 1 + 2\n```", "So the answer is A.\n```python\nprint(A)\n```"]
    problem = make_problem("((1 + 2) * (3 - 2)) =", answer=None)
    solution = make_solution(steps=steps, problem=problem, is_correct=None)
    chosen = Solution.objects.filter(pk=solution.pk)
    run = start_estimates(chosen, rollouts=2, parameters={"reference": "self-consistency", "voters": 3})
    run_here(run.shards.get().job)
    assert Job.objects.get().state == JobState.DONE, Job.objects.get().error
    assert len(SolutionEstimate.objects.get(run=run).q_values) == 2
    page = client.get(reverse("autolabels:run", args=[run.pk])).content.decode().split("Every setting")[0]
    assert "what most of the policy&#x27;s own solutions say" in page


def test_a_registered_checkpoint_guides_the_search_and_is_named_on_its_page(client, campaign):
    checkpoint = make_checkpoint()
    page = client.get(address_of(campaign)).content.decode()
    assert "Round 2 · abababab" in page
    before = Job.objects.count()
    client.post(address_of(campaign), {**ASKED, "value_model": checkpoint.sha256})
    assert Job.objects.count() == before + 1
    arguments = Job.objects.order_by("-pk")[0].spec["arguments"]
    place = arguments[arguments.index("--value-model") + 1]
    assert place.endswith(f"/checkpoints/{'c' * 64}") and not place.startswith("/")
    run = EstimateRun.objects.get()
    assert run.parameters["value-model"] == "Round 2 · abababab"
    page = client.get(reverse("autolabels:run", args=[run.pk])).content.decode()
    assert "Round 2 · abababab" in page


def test_a_checkpoint_that_is_named_guides_a_search_however_many_newer_ones_there_are(
    client, campaign, monkeypatch
):
    monkeypatch.setattr(guides, "MOST", 0)
    checkpoint = make_checkpoint()
    assert "Round 2" not in client.get(address_of(campaign)).content.decode()
    parameters = {"value-model": checkpoint.sha256}
    run = start_estimates(Solution.objects.all(), method="rest-mcts", parameters=parameters)
    arguments = run.shards.get().job.spec["arguments"]
    assert arguments[arguments.index("--value-model") + 1].endswith(f"/checkpoints/{'c' * 64}")
    assert run.parameters["value-model"] == "Round 2 · abababab"


def test_what_the_method_takes_goes_to_the_command_and_stands_on_the_run(client, campaign):
    make_problem("1 + 2 =", source="pocket")
    form = {**ASKED, "source": "pocket", "limit": 1, "candidates": 2, "depth": 9, "temperature": 0}
    client.post(reverse("autolabels:search"), form)
    assert EstimateRun.objects.get().parameters == {
        "rollouts": 2, "candidates": 2, "depth": 9, "temperature": 0.0,
    }  # fmt: skip
    arguments = Job.objects.get().spec["arguments"]
    for name, value in (("--candidates", "2"), ("--depth", "9"), ("--temperature", "0.0")):
        assert arguments[arguments.index(name) + 1] == value


@pytest.mark.parametrize(
    ("field", "asked"),
    [
        ("voters", {"voters": 8}),
        ("voters", {"voters": 0, "reference": "self-consistency"}),
        ("reference", {"reference": "somebody"}),
        ("candidates", {"candidates": 4, "method": "math-shepherd"}),
        ("candidates", {"candidates": 4, "method": "omegaprm"}),
        ("candidates", {"candidates": 0}),
        ("depth", {"depth": 4, "method": "omegaprm"}),
        ("temperature", {"temperature": -1}),
        ("temperature", {"temperature": "nan"}),
        ("value_model", {"value_model": "--out"}),
    ],
)
def test_a_setting_that_could_not_act_is_refused_at_its_field_which_is_in_sight(
    client, campaign, field, asked
):
    page = client.post(address_of(campaign), {**ASKED, **asked})
    assert list(page.context["form"].errors) == [field]
    assert page.context["form"].is_fold_open and '<details class="stack" open>' in page.content.decode()
    assert not Job.objects.exists()


def test_a_value_model_is_refused_where_the_method_follows_none(client, campaign):
    asked = {**ASKED, "method": "omegaprm", "value_model": make_checkpoint().sha256}
    page = client.post(address_of(campaign), asked)
    assert list(page.context["form"].errors) == ["value_model"]
    assert "OmegaPRM does not use this." in page.content.decode()


def test_an_untouched_fold_is_closed_and_sets_nothing(client, campaign):
    page = client.get(address_of(campaign))
    assert '<details class="stack">' in page.content.decode()
    client.post(address_of(campaign), {**ASKED, "reference": "answer", "voters": "", "temperature": ""})
    assert EstimateRun.objects.get().parameters == {"rollouts": 2}


def test_a_refused_form_shows_what_is_wrong_and_no_other_searchs_cost(client, campaign):
    make_problem("1 + 2 =", source="pocket")
    wrong = {**ASKED, "source": "pocket", "limit": 1, "options": "depht=3"}
    for address in (address_of(campaign), reverse("autolabels:search")):
        for page in (
            client.get(address, wrong, headers={"HX-Request": "true"}),
            client.get(address, wrong),
            client.post(address, wrong),
        ):
            text = page.content.decode()
            aside = text[text.index('<aside id="budget"') : text.index("</aside>")]
            assert page.context["budget"] is None and "<dl" not in aside and "depht=3, expected" in aside


def test_a_search_that_could_not_be_started_keeps_its_own_size(client, campaign):
    campaign.tasks.all().delete()
    page = client.post(address_of(campaign), {**ASKED, "rollouts": 9})
    assert page.context["form"].non_field_errors() and page.context["budget"].rollouts == 9
