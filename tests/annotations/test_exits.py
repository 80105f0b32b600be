"""What people wrote when they reported a problem or gave up reaches the reviewer."""

from __future__ import annotations

import pytest
from django.urls import reverse

from labelsite.accounts.models import Change, User
from labelsite.annotations.models import FinishReason
from labelsite.annotations.templatetags.exits import exit_count
from labelsite.campaigns.arranging import arrange
from labelsite.campaigns.models import Campaign, Task
from labelsite.campaigns.reasons import NothingLeft
from labelsite.campaigns.settling import settle
from labelsite.jobs.models import ARRANGE, Job
from tests.annotations.submissions import STEPS, submit
from tests.campaigns.leases import claim_next
from tests.factories import make_annotation, make_campaign, make_solution, make_task, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def campaign():
    """One reported problem, one give-up, one that was superseded, one ordinary look, one of another campaign."""
    campaign, ann, bob = make_campaign(overlap=2), make_user(username="ann"), make_user(username="bob")
    one, two = (make_task(campaign, make_solution(problem=text)) for text in ("What is x?", "What is y?"))
    make_annotation(one, ann, [], finish_reason=FinishReason.BAD_PROBLEM, reason="<i>x</i> is not defined")
    make_annotation(two, ann, [1], finish_reason=FinishReason.GIVE_UP, reason="old", is_live=False)
    make_annotation(one, bob)
    make_annotation(two, bob, [1], finish_reason=FinishReason.GIVE_UP, reason="too long for me")
    make_annotation(make_task(), ann, [], finish_reason=FinishReason.GIVE_UP, reason="elsewhere")
    return campaign


def test_a_reviewer_reads_who_gave_up_or_reported_what_and_why(client, campaign) -> None:
    client.force_login(make_user("reviewer"))
    page = client.get(reverse("annotations:exits", args=[campaign.pk]))
    assert [(row.annotator.username, row.reason) for row in page.context["rows"]] == [
        ("bob", "too long for me"),
        ("ann", "<i>x</i> is not defined"),
    ]
    text = page.content.decode()
    assert "&lt;i&gt;x&lt;/i&gt; is not defined" in text and "<i>x" not in text
    for row in page.context["rows"]:
        assert reverse("comparison:task", args=[campaign.pk, row.task_id]) in text


@pytest.mark.parametrize(
    ("kind", "who"), [("bad_problem", ["ann"]), ("give_up", ["bob"]), ("solution", ["bob", "ann"])]
)
def test_the_list_shows_one_kind_or_both(client, campaign, kind, who) -> None:
    client.force_login(make_user("reviewer"))
    page = client.get(reverse("annotations:exits", args=[campaign.pk]), {"kind": kind})
    assert [row.annotator.username for row in page.context["rows"]] == who


def test_the_list_goes_on_behind_a_page(client, campaign, monkeypatch) -> None:
    monkeypatch.setattr("labelsite.annotations.exit_views.PAGE", 1)
    client.force_login(make_user("reviewer"))
    address = reverse("annotations:exits", args=[campaign.pk])
    first = client.get(address)
    second = client.get(address, {"before": first.context["further"]})
    assert [row.annotator.username for row in second.context["rows"]] == ["ann"]
    assert second.context["further"] is None


def test_the_campaigns_page_counts_them_and_leads_there(client, campaign) -> None:
    client.force_login(make_user("reviewer"))
    assert exit_count(campaign) == 2
    page = client.get(reverse("campaigns:detail", args=[campaign.pk])).content.decode()
    assert f'href="{reverse("annotations:exits", args=[campaign.pk])}"' in page


def test_an_annotator_does_not_read_what_others_wrote(client, campaign) -> None:
    client.force_login(make_user(username="cat"))
    assert client.get(reverse("annotations:exits", args=[campaign.pk])).status_code == 403


def given_up(**fields) -> tuple[Task, User, User]:
    """A finished task, the one person who looked at it, and another one."""
    first, second = make_user(), make_user()
    campaign = make_campaign(members=[first, second], **fields)
    task = make_task(campaign, make_solution(STEPS), state="done", overlap=1)
    make_annotation(task, first, [1], finish_reason=FinishReason.GIVE_UP, reason="too long for me")
    return task, first, second


def press(client, task: Task, page: str = ""):
    address = reverse("annotations:one_more", args=[task.campaign_id, task.pk])
    return client.post(f"{address}?kind=give_up", {page: ""} if page else {}, follow=True)


def standing(task: Task) -> tuple[str, int, int]:
    task.refresh_from_db()
    return task.state, task.overlap, task.remaining


def test_a_solution_that_was_given_up_goes_to_one_more_person_however_often_that_is_asked(client) -> None:
    task, first, second = given_up()
    reviewer = make_user("reviewer")
    client.force_login(reviewer)
    assert "open for one more person" in press(client, task).content.decode()
    assert "open already, and a place is free" in press(client, task).content.decode()
    assert standing(task) == ("open", 2, 1)
    assert Job.objects.get().verb == ARRANGE
    assert isinstance(claim_next(task.campaign, first), NothingLeft)
    lease = claim_next(task.campaign, second)
    assert "somebody&#x27;s hands" in press(client, task).content.decode()
    submit(lease, 1, 1, 1)
    assert standing(task) == ("done", 2, 0)
    name = f"{task.pk} · {task.campaign.name}"
    told = Change.objects.order_by("pk").values_list("by__username", "kind", "name", "field", "old", "new")
    assert list(told) == [
        (reviewer.username, "task", name, "state", "done", "open"),
        (reviewer.username, "task", name, "overlap", 1, 2),
    ]


@pytest.mark.parametrize(("page", "path"), [("", "/exits/"), ("opinions", "/comparison/tasks/")])
def test_the_button_stands_beside_what_is_done_and_leads_back_to_its_page(client, page, path) -> None:
    task, *_ = given_up()
    client.force_login(make_user("reviewer"))
    name = "comparison:task" if page else "annotations:exits"
    address = reverse(name, args=[task.campaign_id, *([task.pk] if page else [])])
    assert "One more person" in client.get(address).content.decode()
    shown = press(client, task, page)
    assert path in shown.redirect_chain[-1][0] and shown.redirect_chain[-1][0].endswith("?kind=give_up")
    assert "One more person" not in shown.content.decode()


def test_a_place_that_three_who_agreed_left_free_is_the_one_more_persons(client) -> None:
    task, *_ = given_up(adaptive_overlap=True)
    Task.objects.update(overlap=5, remaining=1)
    client.force_login(make_user("reviewer"))
    press(client, task)
    assert standing(task) == ("open", 5, 1)
    settle(task, [0, 0, 0, 1])
    assert standing(task) == ("open", 5, 1)


def test_a_correction_takes_no_place_from_the_one_more_person(client) -> None:
    task, *_ = given_up(adaptive_overlap=True)
    Task.objects.update(overlap=3, remaining=0)
    client.force_login(make_user("reviewer"))
    press(client, task)
    assert standing(task) == ("open", 4, 1)
    settle(task, [0, 0, 0])
    assert standing(task) == ("open", 4, 1)
    settle(task, [0, 0, 0, 1])
    assert standing(task) == ("done", 4, 1)


def test_three_who_agree_close_a_task_though_a_fourth_person_is_not_heard_any_more(client) -> None:
    task, *_ = given_up(adaptive_overlap=True)
    Task.objects.update(state="open", overlap=5, remaining=1)
    task.refresh_from_db()
    settle(task, [0, 0, 0], unheard=1)
    assert standing(task) == ("done", 5, 1)


@pytest.mark.django_db(transaction=True)
def test_places_that_were_still_to_be_arranged_are_so_before_one_more_person_is_asked(client) -> None:
    task, *_ = given_up()
    arrange(task.campaign, places=True, order=False)
    Job.objects.update(state="failed")
    client.force_login(make_user("reviewer"))
    press(client, task)
    assert standing(task) == ("open", 2, 1)


def test_nobody_is_asked_while_a_worker_is_to_arrange_the_places(client, monkeypatch) -> None:
    monkeypatch.setattr("labelsite.campaigns.arranging.AT_ONCE", 0)
    task, *_ = given_up()
    arrange(task.campaign, places=True, order=False)
    client.force_login(make_user("reviewer"))
    assert "are being arranged" in press(client, task).content.decode()
    assert standing(task) == ("done", 1, 0)


def test_what_is_set_aside_or_archived_and_whoever_is_no_reviewer_opens_nothing(client) -> None:
    task, first, _ = given_up()
    client.force_login(first)
    assert press(client, task).status_code == 403
    client.force_login(make_user("reviewer"))
    Task.objects.update(state="set_aside")
    assert "Only work that is done" in press(client, task).content.decode()
    Task.objects.update(state="done")
    Campaign.objects.update(is_archived=True)
    assert "is archived, expected it to be restored first" in press(client, task).content.decode()
    assert standing(task)[0] == "done" and not Change.objects.exists()
