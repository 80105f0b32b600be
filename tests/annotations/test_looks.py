"""From the figures of a person a reviewer comes to what the person said, look by look."""

from __future__ import annotations

import pytest
from django.urls import reverse

from labelsite.accounts.models import User
from labelsite.annotations.models import FinishReason
from labelsite.campaigns.gold_sources import decided_by
from tests.factories import make_annotation, make_campaign, make_solution, make_task, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def ann():
    return make_user(username="ann")


@pytest.fixture
def campaign(ann):
    """Right and wrong on known answers, a give-up, no known answer, gold of her own; not live, others', elsewhere."""
    campaign = make_campaign(overlap=2)
    looks = [
        ([1, -1], {"gold": [1]}, {"total_time_ms": 40_000}),
        ([1, 1], {"gold": [0], "kind": "gold"}, {}),
        ([1], {"gold": [1]}, {"finish_reason": FinishReason.GIVE_UP, "reason": "too long"}),
        ([1, 1], {}, {}),
        ([-1], {"gold": [0], "gold_source": decided_by("ann")}, {}),
        ([-1], {}, {"is_live": False}),
    ]
    for number, (trajectory, task, look) in enumerate(looks):
        solution = make_solution(problem=f"What is {number}?")
        make_annotation(make_task(campaign, solution, **task), ann, trajectory, **look)
    make_annotation(campaign.tasks.first(), make_user(username="bob"))
    make_annotation(make_task(), ann)
    return campaign


def address(campaign, person) -> str:
    return reverse("annotations:looks", args=[campaign.pk, person.pk])


def test_a_reviewer_reads_what_a_person_said_and_whether_it_is_right(client, campaign, ann) -> None:
    client.force_login(make_user("reviewer"))
    page = client.get(address(campaign, ann))
    found = [
        (look.annotation.task.solution.problem.text, look.is_right, look.seconds)
        for look in page.context["looks"]
    ]
    assert found == [
        ("What is 4?", None, None),
        ("What is 3?", None, None),
        ("What is 2?", False, None),
        ("What is 1?", False, None),
        ("What is 0?", True, 40.0),
    ]
    for look in page.context["looks"]:
        assert (
            f'href="{reverse("comparison:task", args=[campaign.pk, look.annotation.task_id])}"' in page.text
        )
    assert "40 s" in page.text and "gave up" in page.text and "2 <span" in page.text


def test_the_list_goes_on_behind_a_page_at_the_same_cost(
    client, campaign, ann, monkeypatch, django_assert_max_num_queries
) -> None:
    monkeypatch.setattr("labelsite.annotations.look_views.PAGE", 3)
    client.force_login(make_user("reviewer"))
    with django_assert_max_num_queries(8):
        first = client.get(address(campaign, ann))
    second = client.get(address(campaign, ann), {"before": first.context["further"]})
    assert [len(page.context["looks"]) for page in (first, second)] == [3, 2]
    assert second.context["further"] is None
    assert client.get(address(campaign, ann), {"before": 1}).status_code == 200


def test_each_name_on_the_page_of_quality_leads_there(client, campaign, ann) -> None:
    client.force_login(make_user("reviewer"))
    page = client.get(reverse("annotations:quality", args=[campaign.pk])).text
    for person in User.objects.filter(username__in=("ann", "bob")):
        assert f'href="{address(campaign, person)}"' in page


def test_annotators_read_nobodys_looks_and_who_did_nothing_here_has_no_page(client, campaign, ann) -> None:
    outsider = make_user(username="cat")
    for person, status in [
        (ann, 403),
        (outsider, 403),
        (make_user("reviewer"), 404),
        (make_user("admin"), 404),
    ]:
        client.force_login(person)
        assert client.get(address(campaign, outsider)).status_code == status
        assert client.get(address(campaign, ann)).status_code == (403 if status == 403 else 200)
