"""The campaign pages: who may open which, and what they do."""

from __future__ import annotations

import re
from html import unescape

import pytest
from django.utils import timezone
from django.utils.html import escape, strip_tags

from labelsite.campaigns import progress
from labelsite.campaigns.forms import CampaignForm
from labelsite.campaigns.models import Assignment, Campaign, Task
from labelsite.comparison.services import adjudicate
from tests.campaigns.leases import claim_next
from tests.factories import (
    make_annotation,
    make_campaign,
    make_estimate_run,
    make_estimates,
    make_member,
    make_score_run,
    make_scores,
    make_solution,
    make_task,
    make_user,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def campaign() -> Campaign:
    campaign = make_campaign(members=[make_user(username="owner")])
    make_task(campaign, make_solution(["A step."] * 4, problem="What is $1 + 1$?"))
    return campaign


@pytest.mark.parametrize(
    ("page", "annotator", "reviewer", "admin"),
    [
        ("", 200, 200, 200),
        ("{pk}/", 404, 200, 200),
        ("{pk}/tasks/", 403, 200, 200),
        ("{pk}/members/", 403, 200, 200),
        ("{pk}/settings/", 403, 403, 200),
        ("new/", 403, 403, 200),
        ("mine/", 200, 200, 200),
    ],
)
def test_each_role_opens_what_is_its_own(client, campaign, page, annotator, reviewer, admin) -> None:
    for role, expected in [("annotator", annotator), ("reviewer", reviewer), ("admin", admin)]:
        client.force_login(make_user(role))
        response = client.get("/campaigns/" + page.format(pk=campaign.pk))
        assert response.status_code == expected, (role, page)
    client.logout()
    response = client.get("/campaigns/" + page.format(pk=campaign.pk))
    assert response.status_code == 302 and response.url.startswith("/login/")


def test_a_member_opens_the_campaign_and_an_outsider_finds_nothing(client, campaign) -> None:
    client.force_login(campaign.memberships.get().user)
    assert client.get(f"/campaigns/{campaign.pk}/").status_code == 200
    client.force_login(make_user())
    assert client.get(f"/campaigns/{campaign.pk}/").status_code == 404
    assert campaign.name not in client.get("/campaigns/").content.decode()


def test_a_reviewer_reads_each_members_state_in_words(client, campaign) -> None:
    campaign.memberships.update(state="refused")
    client.force_login(make_user("reviewer"))
    page = client.get(f"/campaigns/{campaign.pk}/members/").content.decode()
    assert ">not admitted</td>" in page and "refused" not in page


def test_every_setting_stands_in_a_group_of_the_form() -> None:
    form = CampaignForm()
    shown = [field.name for _title, fields in form.groups() for field in fields]
    assert sorted(shown) == sorted(form.fields)


def test_only_runs_with_something_to_show_can_stand_beside_the_steps() -> None:
    solution = make_solution(["A step."])
    estimates, scores = make_estimates(solution, [0.5]), make_scores(solution, [0.5])
    make_estimate_run(loaded_at=None, name="failed, or still at work")
    make_estimate_run(name="trees of fresh problems")
    make_score_run(name="failed")
    form = CampaignForm()
    assert list(form.fields["estimate_run"].queryset) == [estimates]
    assert list(form.fields["score_run"].queryset) == [scores]
    # What a campaign has stays its choice, so that saving another setting does not take it away.
    chosen = make_estimate_run(loaded_at=None)
    kept = CampaignForm(instance=make_campaign(estimate_run=chosen)).fields["estimate_run"].queryset
    assert list(kept) == [chosen, estimates]


@pytest.mark.parametrize("page", ["pause/", "reorder/", "members/1/", "tasks/1/kind/"])
def test_only_an_admin_changes_a_campaign(client, campaign, page) -> None:
    for role in ("annotator", "reviewer"):
        client.force_login(make_user(role))
        assert client.post(f"/campaigns/{campaign.pk}/{page}").status_code == 403


def form_data(**changes) -> dict:
    return {
        "name": "New", "protocol": "index_only", "exposure": "after", "ordering": "random", "overlap": 2,
        "gold_rate": 0.1, "screening_size": 0, "screening_threshold": 0.75, **changes,
    }  # fmt: skip


def test_an_admin_makes_a_campaign_with_every_annotator_in_it(client) -> None:
    annotator = make_user()
    client.force_login(make_user("admin"))
    response = client.post("/campaigns/new/", form_data(is_for_everyone="on"))
    assert response.status_code == 302
    campaign = Campaign.objects.get(name="New")
    assert campaign.protocol == "index_only" and campaign.overlap == 2
    assert set(campaign.memberships.values_list("user", flat=True)) == {annotator.pk}
    again = client.post("/campaigns/new/", form_data())
    assert again.status_code == 422 and "Another campaign already has this name" in again.content.decode()


@pytest.mark.parametrize("change", [{"overlap": 0}, {"gold_rate": 1.5}, {"name": ""}, {"protocol": "other"}])
def test_a_bad_setting_is_refused_with_its_form(client, change) -> None:
    client.force_login(make_user("admin"))
    assert client.post("/campaigns/new/", form_data(**change)).status_code == 422
    assert not Campaign.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_higher_overlap_opens_places_and_a_lower_one_never_below_what_is_taken(client, campaign) -> None:
    client.force_login(make_user("admin"))
    client.post(f"/campaigns/{campaign.pk}/settings/", form_data(overlap=3))
    task = Task.objects.get()
    assert (task.overlap, task.remaining) == (3, 3)
    for person in (campaign.memberships.get().user, make_member(campaign, make_user()).user):
        claim_next(Campaign.objects.get(), person)
    client.post(f"/campaigns/{campaign.pk}/settings/", form_data(overlap=1))
    task.refresh_from_db()
    assert (task.overlap, task.remaining, task.state) == (2, 0, "open")


def test_gold_is_typed_as_people_count(client, campaign) -> None:
    client.force_login(make_user("admin"))
    task = Task.objects.get()
    client.post(f"/campaigns/{campaign.pk}/tasks/{task.pk}/kind/", {"kind": "gold", "positions": "3, 4 none"})
    task.refresh_from_db()
    assert (task.kind, task.gold) == ("gold", [-1, 2, 3])
    client.post(f"/campaigns/{campaign.pk}/tasks/{task.pk}/kind/", {"kind": "gold", "positions": ""})
    task.refresh_from_db()
    assert task.gold == [-1, 2, 3]
    assert client.get(f"/campaigns/{campaign.pk}/tasks/?kind=gold").status_code == 200


def test_a_refused_gold_says_of_which_task_and_what_was_typed_where_the_queue_stood(client, campaign) -> None:
    client.force_login(make_user("admin"))
    task = Task.objects.get()
    address = f"/campaigns/{campaign.pk}/tasks/{task.pk}/kind/?kind=work&state=open&section=A+B"
    response = client.post(address, {"kind": "gold", "positions": "9"}, follow=True)
    assert response.redirect_chain[0][0].endswith("/tasks/?kind=work&state=open&section=A+B")
    (said,) = (str(message) for message in response.context["messages"])
    assert "“9”" in said and "1 + 1" in said and "steps 1 to 4" in said


def test_solutions_of_one_problem_are_told_apart_in_the_queue(client) -> None:
    campaign = make_campaign()
    for answer in ("41", "42"):
        solution = make_solution(["One.", "Two."], problem="6 * 7?", generator="small-model")
        type(solution).objects.filter(pk=solution.pk).update(final_answer=answer)
        make_task(campaign, solution)
    client.force_login(make_user("reviewer"))
    page = client.get(f"/campaigns/{campaign.pk}/tasks/").content.decode()
    text = " ".join(strip_tags(page).split())
    assert all(f"answer {answer} · small-model · 2 steps" in text for answer in ("41", "42"))


def test_the_queue_cuts_no_answer_as_it_is_written(client) -> None:
    answer = "\\frac{1}{2} < \\sqrt{" + "x + " * 20 + "1}"
    campaign = make_campaign()
    make_task(campaign, make_solution(final_answer=answer))
    client.force_login(make_user("reviewer"))
    page = client.get(f"/campaigns/{campaign.pk}/tasks/").content.decode()
    assert f">{escape(answer)}</span>" in page


def test_the_queue_page_goes_on_after_fifty_and_costs_the_same(client, django_assert_max_num_queries) -> None:
    campaign = make_campaign()
    for number in range(60):
        make_task(campaign, make_solution(problem=f"Problem {number:02}"), priority=number % 7)
    client.force_login(make_user("reviewer"))
    with django_assert_max_num_queries(10):
        first = client.get(f"/campaigns/{campaign.pk}/tasks/")
    second = client.get(f"/campaigns/{campaign.pk}/tasks/?after={first.context['further']}")
    seen = [task.pk for task in [*first.context["rows"], *second.context["rows"]]]
    assert len(seen) == len(set(seen)) == 60
    assert second.context["further"] == ""


def listed(client, campaign, query: str = "") -> list[str]:
    page = client.get(f"/campaigns/{campaign.pk}/tasks/{query}")
    return [task.solution.problem.text for task in page.context["rows"]]


def test_the_queue_shows_what_is_open_and_finished_work_only_where_it_is_asked_for(client) -> None:
    campaign = make_campaign()
    for place, state in enumerate(["done", "open", "set_aside", "done", "open"]):
        make_task(campaign, make_solution(problem=f"{place}?"), state=state, priority=-place)
    make_task(campaign, make_solution(problem="gold?"), kind="gold", gold=[1], state="done")
    client.force_login(make_user("reviewer"))
    assert listed(client, campaign) == listed(client, campaign, "?state=whatever") == ["1?", "4?"]
    assert listed(client, campaign, "?state=done") == ["0?", "3?"]
    assert listed(client, campaign, "?state=set_aside") == ["2?"]
    # The items that test people have no state to choose from.
    assert listed(client, campaign, "?kind=gold") == ["gold?"]
    page = client.get(f"/campaigns/{campaign.pk}/").content.decode()
    assert f"/campaigns/{campaign.pk}/tasks/?state=set_aside" in page


def test_the_next_page_of_finished_work_is_finished_work_in_the_same_order(client) -> None:
    campaign = make_campaign()
    for number in range(110):
        state = "done" if number % 2 else "open"
        make_task(campaign, make_solution(problem=f"{number}?"), state=state, priority=number % 5)
    client.force_login(make_user("reviewer"))
    address = f"/campaigns/{campaign.pk}/tasks/"
    first = client.get(address + "?state=done")
    link = re.search(r'href="(\?[^"]*after=[^"]*)"', first.content.decode())
    assert link
    second = client.get(address + unescape(link[1]))
    rows = [*first.context["rows"], *second.context["rows"]]
    assert len(rows) == 55 and {task.state for task in rows} == {"done"}
    assert rows == sorted(rows, key=lambda task: (-task.priority, task.pk))
    # Nothing of what is finished comes now.
    assert "Why it comes now" in client.get(address).content.decode()
    assert "Why it comes now" not in first.content.decode()


def test_a_reviewer_s_card_says_how_much_of_a_campaign_is_done_and_an_annotator_s_does_not(client) -> None:
    annotator = make_user()
    campaign = make_campaign(members=[annotator])
    for state in ("done", "open", "set_aside"):
        make_task(campaign, make_solution(), state=state)
    make_task(campaign, make_solution(), kind="gold", gold=[1])
    client.force_login(make_user("reviewer"))
    assert "1 / 3 solutions done" in client.get("/campaigns/").content.decode()
    client.force_login(annotator)
    assert "solutions done" not in client.get("/campaigns/").content.decode()


def test_a_large_campaign_s_card_is_not_counted_again_at_each_visit(monkeypatch) -> None:
    monkeypatch.setattr(progress, "LARGE", 3)
    small, large, empty = make_campaign(), make_campaign(), make_campaign()
    for campaign, count in ((small, 2), (large, 3)):
        for _ in range(count):
            make_task(campaign, make_solution(), state="open")
    first = progress.solutions_done([small, large, empty])
    assert first == {small.pk: {"done": 0, "total": 2}, large.pk: {"done": 0, "total": 3}}
    Task.objects.update(state="done")
    second = progress.solutions_done([small, large, empty])
    assert second == {small.pk: {"done": 2, "total": 2}, large.pk: first[large.pk]}


def test_each_bar_of_the_progress_chart_carries_its_count(client) -> None:
    annotator = make_user()
    campaign = make_campaign(members=[annotator])
    for number in range(3):
        make_annotation(make_task(campaign, make_solution(problem=f"{number}?")), annotator)
    Assignment.objects.update(heartbeat_at=timezone.now())
    client.force_login(make_user("reviewer"))
    page = client.get(f"/campaigns/{campaign.pk}/").content.decode()
    assert re.findall(r'<text class="value"[^>]*>(\d+)</text>', page) == ["3"]


def test_what_a_reviewer_decided_of_solutions_that_were_set_aside_stands_beside_them(client) -> None:
    campaign = make_campaign()
    for text in ("decided", "open"):
        make_task(campaign, make_solution(problem=text), state="set_aside", remaining=0)
    task = campaign.tasks.order_by("pk")[0]
    client.force_login(make_user("reviewer"))
    adjudicate(task, make_user("reviewer"), [0])
    assert listed(client, campaign, "?state=set_aside") == ["open"]
    page = client.get(f"/campaigns/{campaign.pk}/tasks/?state=set_aside&decided=1").content.decode()
    rows = page.split("<tbody>")[1].split("</tr>")[:2]
    assert [">decided</span>" in row for row in rows] == [True, False]
    assert "undecided: 1" in client.get(f"/campaigns/{campaign.pk}/").content.decode()
