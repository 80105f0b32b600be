"""The pages of search runs: who may see and start them, and what they show."""

import json

import pytest
from django.urls import reverse

from labelsite.autolabels.models import EstimateRun, SearchTree
from labelsite.jobs.models import Job
from tests.autolabels.files import node, small_tree
from tests.factories import (
    log_in,
    make_estimate_run,
    make_estimates,
    make_problem,
    make_solution,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def tree():
    problem = make_problem("2 + 2 =")
    return SearchTree.objects.create(
        run=make_estimate_run(method="rstar"), problem=problem, node_count=5, data=small_tree(problem.pk)
    )


def test_an_admin_starts_a_search_and_sees_its_run(client):
    log_in(client, "admin")
    problems = [make_problem(f"{number} + 2 =", source="pocket") for number in range(3)]
    form = {"source": "pocket", "limit": 2, "method": "rstar", "policy": "pocket", "rollouts": 4, "seed": 7}
    answer = client.post(reverse("autolabels:search"), form)
    run = EstimateRun.objects.get()
    assert answer.url == reverse("autolabels:run", args=[run.pk])
    job = run.shards.get().job
    assert job.spec["problems"] == [problem.pk for problem in problems[:2]]
    assert job.spec["arguments"][2:6] == ["--method", "rstar", "--policy", "pocket"]
    page = client.get(answer.url)
    assert page.context["progress"].total == 2
    assert "hx-trigger" in page.content.decode()


def test_a_link_that_says_something_else_opens_a_search_form_without_errors(client):
    log_in(client, "admin")
    empty = client.get(reverse("autolabels:search")).content.decode()
    make_problem("1 + 2 =", source="pocket")
    page = client.get(reverse("autolabels:search"), {"campaign": 3})
    said = "There is no problem with a reference answer yet"
    assert said in empty and said not in page.content.decode()
    assert not page.context["form"].is_bound and "errorlist" not in page.content.decode()


def test_a_search_takes_several_servers_of_the_same_model(client):
    log_in(client, "admin")
    make_problem("1 + 2 =", source="pocket")
    servers = "http://one:8000/v1?model=m,http://two:8000/v1"
    form = {"source": "pocket", "limit": 2, "method": "rstar", "policy": servers, "rollouts": 4, "seed": 7}
    client.post(reverse("autolabels:search"), form)
    job = Job.objects.get()
    assert job.spec["arguments"][4:6] == ["--policy", servers]


@pytest.mark.parametrize(
    "bad",
    [
        {"rollouts": 0},
        {"method": "guess"},
        {"policy": "http://me:secret@host"},
        {"policy": "http://[host"},
        {"policy": "http:///v1"},
        {"policy": "http://host:eight/v1"},
        {"policy": "htp://host:8000/v1"},
        {"policy": "http://one:8000/v1,http://me:secret@two:8000/v1"},
        {"policy": "http://one:8000/v1,http://two:eight/v1"},
        {"policy": "--out"},
        {"policy": "pockett"},
        {"policy": "Qwen/Qwen2.5-0.5B?rows=8"},
    ],
)
def test_a_search_that_cannot_be_is_refused_at_the_form(client, bad):
    log_in(client, "admin")
    make_problem("1 + 2 =", source="pocket")
    form = {"source": "pocket", "limit": 2, "method": "rstar", "policy": "pocket", "rollouts": 4, "seed": 7}
    page = client.post(reverse("autolabels:search"), {**form, **bad})
    assert page.status_code == 200
    assert page.context["form"].errors
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        ("admin", {"list": 200, "search": 200, "run": 200, "tree": 200, "node": 200}),
        ("reviewer", {"list": 200, "search": 403, "run": 200, "tree": 200, "node": 200}),
        ("annotator", {"list": 403, "search": 403, "run": 403, "tree": 403, "node": 403}),
        (None, {"list": 302, "search": 302, "run": 302, "tree": 302, "node": 302}),
    ],
)
def test_who_may_open_which_page(client, tree, role, expected):
    if role:
        log_in(client, role)
    arguments = {"list": [], "search": [], "run": [tree.run.pk], "tree": [tree.pk], "node": [tree.pk, 1]}
    answers = {
        name: client.get(reverse(f"autolabels:{name}", args=arguments[name])).status_code for name in expected
    }
    assert answers == expected


@pytest.mark.parametrize("name", ["cancel", "resume"])
def test_only_an_admin_stops_and_resumes_a_run(client, tree, name):
    log_in(client, "reviewer")
    assert client.post(reverse(f"autolabels:{name}", args=[tree.run.pk])).status_code == 403


def test_a_cancelled_run_goes_on_where_it_stopped(client):
    log_in(client, "admin")
    make_problem("1 + 2 =", source="pocket")
    form = {"source": "pocket", "limit": 1, "method": "rstar", "policy": "pocket", "rollouts": 4, "seed": 0}
    client.post(reverse("autolabels:search"), form)
    run = EstimateRun.objects.get()
    client.post(reverse("autolabels:cancel", args=[run.pk]))
    assert Job.objects.get().state == "cancelled"
    assert client.get(reverse("autolabels:run", args=[run.pk])).context["progress"].can_resume
    client.post(reverse("autolabels:resume", args=[run.pk]))
    assert Job.objects.get().state == "queued"


def test_a_tree_is_saved_as_math_aps(client, tree):
    log_in(client, "reviewer")
    answer = client.get(reverse("autolabels:export_tree", args=[tree.pk]))
    saved = json.loads(answer.content)
    assert saved["question"] == "2 + 2 ="
    assert [child["text"] for child in saved["reasoning_steps"]["children"]] == ["Add 2 and 2.", "Guess 5."]


def test_what_follows_a_step_stands_by_its_q_value_and_pruned_steps_come_last(client, tree):
    log_in(client, "reviewer")
    tree.data["nodes"] += [node(5, 0, "Half.", depth=1, q_value=0.5), node(6, 0, "Zero.", depth=1)]
    tree.save()
    page = client.get(reverse("autolabels:node", args=[tree.pk, 0]))
    q_values = [child.facts["q_value"] for child in page.context["children"]]
    assert q_values == [1.0, 0.5, 0.0, -1.0, None]


def test_a_step_shows_where_its_code_ran_and_a_tree_that_does_not_say_shows_nothing(client, tree):
    log_in(client, "reviewer")
    address = reverse("autolabels:node", args=[tree.pk, 4])
    assert "Sandbox" not in client.get(address).content.decode()
    tree.data["nodes"][4]["sandbox_level"] = "process:landlock5"
    tree.save()
    assert "<dt>Sandbox</dt><dd>process:landlock5</dd>" in client.get(address).content.decode()


def test_a_run_shows_its_solutions_and_how_its_q_values_lie(client):
    log_in(client, "reviewer")
    solution = make_solution(steps=["one", "two"])
    run = make_estimates(solution, [1.0, 0.0], first_mistake=1)
    page = client.get(reverse("autolabels:run", args=[run.pk]))
    assert [estimate.solution_id for estimate in page.context["estimates"]] == [solution.pk]
    counts = [count for _name, count in page.context["chart"].rows]
    assert counts == [1, 0, 0, 0, 0, 0, 0, 0, 0, 1]


def test_a_page_that_still_follows_a_run_that_is_over_is_told_to_load_itself_again(client):
    log_in(client, "reviewer")
    run = make_estimates(make_solution(["One."]), [1.0])
    answer = client.get(reverse("autolabels:run", args=[run.pk]), headers={"HX-Request": "true"})
    assert (answer.status_code, answer["HX-Refresh"], answer.content) == (200, "true", b"")


def test_the_list_needs_few_queries(client, django_assert_max_num_queries):
    log_in(client, "reviewer")
    for _ in range(5):
        make_estimate_run()
    with django_assert_max_num_queries(6):
        client.get(reverse("autolabels:list"))


def test_a_tree_opens_on_its_problem_and_says_what_its_colours_mean(client, tree):
    log_in(client, "reviewer")
    page = client.get(reverse("autolabels:tree", args=[tree.pk]))
    assert page.context["node"].parent is None
    text = page.content.decode()
    for words in ("the way to the answer", "to a right end", "Q, from −1 to 1"):
        assert words in text
    asked = client.get(reverse("autolabels:tree", args=[tree.pk]), {"node": 3})
    assert asked.context["node"].id == 3


def test_a_fold_brings_the_drawing_alone_and_the_way_back_the_whole_page(client, tree):
    log_in(client, "reviewer")
    address = reverse("autolabels:tree", args=[tree.pk])
    fold = {"HX-Request": "true"}
    assert "<html" not in client.get(address, headers=fold).content.decode()
    assert (
        "<html" in client.get(address, headers=fold | {"HX-History-Restore-Request": "true"}).content.decode()
    )


def test_a_finished_run_shows_what_came_out_before_its_settings(client):
    log_in(client, "reviewer")
    run = make_estimate_run(parameters={"rollouts": 8, "temperature": 0.7})
    make_estimates(make_solution(["One.", "Two."]), [1.0, 0.25], run)
    page = client.get(reverse("autolabels:run", args=[run.pk])).content.decode()
    before, settings = page.split("Every setting")
    assert '<dt>Rollouts</dt><dd class="number">8</dd>' in before
    assert "Sampling temperature" in settings and "Sampling temperature" not in before
    assert "<progress" not in page
