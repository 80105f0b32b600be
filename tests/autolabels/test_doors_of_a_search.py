"""The page, the API and the command line ask the same of a search, with the same defaults, and refuse alike."""

from __future__ import annotations

import pytest
from django.urls import reverse
from django.utils import translation

from labelsite.api.asking_estimates import EstimatesRequest, SearchRequest
from labelsite.autolabels.forms import ProblemSearchForm, SearchForm
from labelsite.autolabels.models import EstimateRun
from labelsite.autolabels.services import start_estimates, start_search
from labelsite.campaigns.models import Campaign
from labelsite.jobs.models import Job
from labelsite.problems.models import Problem, Solution
from ml.commands.autolabel_options import parser
from ml.errors import MisstepError
from ml.search.recipes import RECIPES
from tests.api.conftest import script_of
from tests.factories import make_campaign, make_problem, make_solution, make_task, make_user

pytestmark = pytest.mark.django_db
# What the command line says of files and machines, which the site decides; and `--set`, called `options` here.
OF_THE_SITE = {
    "help", "solutions", "problems", "format", "decided", "limit", "part", "parallel_trees", "out", "set",
    "rstar_output_format",
}  # fmt: skip
ASKED = {"method": "rstar", "policy": "pocket", "rollouts": 2, "seed": 0}


@pytest.fixture
def doors(client):
    """Two ways to ask for estimates of the same campaign: each posts, and returns the refusals by field."""
    admin = make_user("admin")
    client.force_login(admin)
    script = script_of(admin)
    campaign = make_campaign()
    make_task(campaign, make_solution())

    def page(asked):
        answer = client.post(reverse("comparison:estimate", args=[campaign.pk]), {**ASKED, **asked})
        return dict(answer.context["form"].errors) if answer.context else {}

    def api(asked):
        answer = script.post(f"/api/v1/campaigns/{campaign.pk}/estimates/", {**ASKED, **asked}, format="json")
        return answer.json().get("errors", {} if answer.status_code == 202 else answer.json())

    return {"page": page, "api": api}


def told():
    """What the command of the newest job would understand."""
    arguments = Job.objects.latest("pk").spec["arguments"]
    return parser().parse_args(arguments)


def test_every_door_has_every_option_of_the_command():
    options = {action.dest for action in parser()._actions} - OF_THE_SITE
    of_fresh = {"style", "searches"}
    of_given = {"continuation_style", "reference", "voters"}
    assert set(SearchForm().fields) == (options - of_fresh) | {"options"}
    assert set(ProblemSearchForm(sources=[]).fields) == (options - of_given) | {"options", "source", "limit"}
    assert set(EstimatesRequest().fields) == set(SearchForm().fields) | {"is_pilot"}
    assert set(SearchRequest().fields) == set(ProblemSearchForm(sources=[]).fields) | {"is_pilot"}


@pytest.mark.parametrize("method", RECIPES)
@pytest.mark.parametrize("door", ["page", "api"])
def test_whoever_says_no_rollouts_gets_the_methods_own(doors, door, method):
    assert not doors[door]({"method": method, "rollouts": "" if door == "page" else None})
    own = RECIPES[method].options().rollouts
    assert told().rollouts == own and EstimateRun.objects.get().parameters["rollouts"] == own


def test_a_script_that_names_no_field_gets_the_methods_own_rollouts_too(doors):
    start_estimates(Solution.objects.all(), method="omegaprm")
    assert told().rollouts == 8
    make_problem()
    start_search(Problem.objects.all(), method="rest-mcts")
    assert told().rollouts == 100


def test_the_page_says_what_each_method_takes_and_what_that_comes_to(client, doors):
    campaign = make_campaign()
    make_task(campaign, make_solution())
    address = reverse("comparison:estimate", args=[campaign.pk])
    page = client.get(address).content.decode()
    assert "empty: Math-Shepherd 8, rStar-Math 16, OmegaPRM 8, ReST-MCTS* 100" in page
    budget = client.get(address, {**ASKED, "method": "rest-mcts", "rollouts": ""}).context["budget"]
    assert budget.rollouts == 100 and budget.most_rollouts == 100 * 3 * 4 * budget.steps


@pytest.mark.parametrize("door", ["page", "api"])
def test_what_is_asked_reaches_the_command(doors, door):
    named = {"stop_at_answer": "true", "c": "0.5"}
    options = " ".join("=".join(pair) for pair in named.items()) if door == "page" else named
    asked = {
        "candidates": 2, "depth": 9, "temperature": 0.0, "threshold": 0.25, "luck": 0.0, "voters": 4,
        "self_critic": "ask", "continuation_style": "prose", "reference": "self-consistency",
        "policy": "http://server:8000/v1", "method": "rest-mcts",
    }  # fmt: skip
    assert not doors[door]({**asked, "options": options})
    assert {name: getattr(told(), name) for name in asked} == asked
    assert told().set == ["stop_at_answer=true", "c=0.5"]


def test_a_search_of_fresh_problems_hears_of_style_and_binary_searches(client, doors):
    make_problem("1 + 2 =", source="pocket")
    asked = {"method": "omegaprm", "style": "prose", "searches": 3, "options": "beta=0.5"}
    client.post(reverse("autolabels:search"), {**ASKED, **asked, "source": "pocket", "limit": 1})
    assert (told().style, told().searches, told().set) == ("prose", 3, ["beta=0.5"])


@pytest.fixture
def fresh_doors(client):
    """Two ways to search the same fresh problems."""
    admin = make_user("admin")
    client.force_login(admin)
    script = script_of(admin)
    for number in range(3):
        make_problem(f"{number} + 2 =", source="pocket")

    def page(asked):
        body = {**ASKED, "source": "pocket", "limit": 60, **asked}
        answer = client.post(reverse("autolabels:search"), body)
        return dict(answer.context["form"].errors) if answer.context else {}

    def api(asked):
        answer = script.post("/api/v1/estimates/", {**ASKED, "source": "pocket", **asked}, format="json")
        return {} if answer.status_code == 202 else answer.json().get("errors", answer.json())

    return {"page": page, "api": api}


def test_both_doors_begin_a_search_of_fresh_problems_with_the_same(fresh_doors):
    form = ProblemSearchForm(sources=[])
    for name in ("method", "policy", "limit", "seed"):
        assert SearchRequest().fields[name].default == form[name].initial
    for name in (
        "limit",
        "rollouts",
        "searches",
        "seed",
        "depth",
        "candidates",
        "threshold",
        "luck",
        "temperature",
    ):
        known, field = SearchRequest().fields[name], form.fields[name]
        most = max(one.limit_value for one in field.validators if "Max" in type(one).__name__)
        assert (known.max_value, known.min_value is None) == (most, False)


@pytest.mark.parametrize("door", ["page", "api"])
def test_what_is_asked_of_fresh_problems_reaches_the_command(fresh_doors, door):
    asked = {"method": "omegaprm", "style": "prose", "searches": 3, "threshold": 0.25, "limit": 2}
    named = {"beta": "0.5"}
    options = "beta=0.5" if door == "page" else named
    assert not fresh_doors[door]({**asked, "options": options})
    assert (told().style, told().searches, told().threshold, told().set) == ("prose", 3, 0.25, ["beta=0.5"])
    assert len(Job.objects.latest("pk").spec["problems"]) == 2


@pytest.mark.parametrize("door", ["page", "api"])
@pytest.mark.parametrize(
    ("field", "asked"),
    [
        ("source", {"source": "nowhere"}),
        ("limit", {"limit": 0}),
        ("limit", {"limit": 100_001}),
        ("style", {"style": "verse"}),
        ("style", {"style": "as-given"}),
        ("searches", {"searches": 3}),
        ("self_critic", {"self_critic": "ask", "method": "rest-mcts"}),
        ("value_model", {"value_model": "folder", "method": "omegaprm"}),
        ("depth", {"depth": 4, "method": "omegaprm"}),
        ("rollouts", {"rollouts": 0}),
    ],
)
def test_a_search_of_fresh_problems_is_refused_at_the_same_field_by_both(fresh_doors, door, field, asked):
    assert list(fresh_doors[door](asked)) == [field]
    assert not Job.objects.exists()


def test_a_script_measures_a_search_of_fresh_problems_and_reads_which_sources_there_are(fresh_doors):
    assert not fresh_doors["api"]({"is_pilot": True})
    assert EstimateRun.objects.get().is_pilot
    assert "expected one of: pocket" in str(fresh_doors["api"]({"source": "nowhere"}))


@pytest.mark.parametrize("door", ["page", "api"])
@pytest.mark.parametrize(
    ("field", "asked"),
    [
        ("voters", {"voters": 8}),
        ("candidates", {"candidates": 4, "method": "math-shepherd"}),
        ("depth", {"depth": 4, "method": "omegaprm"}),
        ("value_model", {"value_model": "folder", "method": "omegaprm"}),
        ("self_critic", {"self_critic": "phrase"}),
        ("self_critic", {"self_critic": "ask", "method": "rest-mcts"}),
        ("reference", {"reference": "somebody"}),
        ("temperature", {"temperature": -1}),
        ("rollouts", {"rollouts": 0}),
        ("luck", {"luck": 1}),
        ("continuation_style", {"continuation_style": "verse"}),
    ],
)
def test_what_could_not_act_is_refused_at_its_field_by_both(doors, door, field, asked):
    assert list(doors[door](asked)) == [field]
    assert not Job.objects.exists()


@pytest.mark.parametrize("door", ["page", "api"])
@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("unvisted", "zero", "with a name that acts"),
        ("unvisited", "never", "expected infinite or zero"),
        ("ends_by_model", "true", "expected --value-model"),
        ("fill", "true", "with a name that acts"),
        ("depth", "4", "has a field of its own"),
        ("value-model", "x", "has a field of its own"),
    ],
)
def test_an_option_that_the_method_does_not_take_is_refused_by_both(doors, door, name, value, complaint):
    refused = doors[door]({"options": f"{name}={value}" if door == "page" else {name: value}})
    assert complaint in str(refused) and not Job.objects.exists()


@pytest.mark.django_db
def test_the_page_tells_of_an_option_in_the_reader_s_language():
    with translation.override("ko"):
        (told,) = SearchForm({**ASKED, "options": "unvisited=never"}).errors["options"]
    assert told.startswith("unvisited=never: 필요한 값은 infinite 또는 zero입니다. rstar(주어진 풀이)")
    assert "기본값 infinite" in told and "expected" not in told


@pytest.mark.parametrize("text", ["unvisited", "unvisited=", "=zero", "c=1 c=2"])
def test_options_that_cannot_be_read_are_refused_at_their_field(doors, text):
    assert list(doors["page"]({"options": text})) == ["options"]


def test_a_value_model_that_is_not_here_is_refused_before_a_job_looks_for_it(doors):
    assert "there is no checkpoint" in str(doors["api"]({"value_model": "ab" * 32}))
    assert not Job.objects.exists()


def test_a_program_is_refused_what_the_command_would_refuse(doors):
    for parameters in ({"depth": 0}, {"reference": "nobody"}, {"style": "prose"}, {"threshold": 2}):
        with pytest.raises(MisstepError):
            start_estimates(Solution.objects.all(), "rstar", parameters=parameters)
    make_problem()
    for parameters in ({"reference": "self-consistency"}, {"continuation-style": "code"}):
        with pytest.raises(MisstepError, match="fresh problem"):
            start_search(Problem.objects.all(), parameters=parameters)


def test_a_script_measures_the_cost_first_and_reads_it(doors):
    for _ in range(12):
        make_task(Campaign.objects.get())
    assert not doors["api"]({"is_pilot": True})
    run = EstimateRun.objects.get()
    assert run.is_pilot
    script = script_of(make_user("reviewer"))
    found = script.get(f"/api/v1/estimates/{run.pk}/").json()
    assert (found["is_pilot"], found["total"], found["cost"]) == (True, 8, {})
    assert found["parameters"] == {"rollouts": 2}
