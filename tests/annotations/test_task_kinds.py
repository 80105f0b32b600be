"""A task that was gold by mistake and is work again: where nobody is asked any more, what was submitted decides."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from labelsite.annotations.services import set_task_kind
from labelsite.campaigns import services as campaigns
from labelsite.campaigns.models import Campaign, Task
from labelsite.campaigns.queue import EVERYBODY
from tests.annotations.submissions import STEPS, expire, submit
from tests.campaigns.leases import claim_next
from tests.factories import make_campaign, make_solution, make_task, make_user

pytestmark = pytest.mark.django_db
RIGHT, FIRST, SECOND = (1, 1, 1), (-1,), (1, -1)


def started(*looks: tuple[int, ...], **fields) -> Campaign:
    """A campaign of six people with one task, of which the first ones have said this."""
    campaign = make_campaign(members=[make_user() for _ in range(6)], **fields)
    campaigns.add_tasks(campaign, [make_solution(STEPS)])
    for place, ratings in enumerate(looks):
        look(campaign, place, *ratings)
    return campaign


def claim(campaign: Campaign, place: int):
    return claim_next(campaign, campaign.memberships.order_by("pk")[place].user)


def look(campaign: Campaign, place: int, *ratings: int) -> None:
    submit(claim(campaign, place), *ratings, alternatives=(1, 1))


def places() -> tuple[int, int, str]:
    task = Task.objects.get()
    return task.overlap, task.remaining, task.state


def gold_and_back() -> None:
    set_task_kind(Task.objects.get(), "gold", [1])
    assert places()[2] == "open"
    assert Task.objects.get().set_aside_reason == ""
    set_task_kind(Task.objects.get(), "work", [])


def test_a_task_that_was_done_is_done_again() -> None:
    started(RIGHT)
    gold_and_back()
    assert places() == (1, 0, "done")


def test_a_task_that_lacks_a_look_is_open_again() -> None:
    campaign = started(RIGHT, overlap=2)
    gold_and_back()
    assert places() == (2, 1, "open")
    look(campaign, 1, *RIGHT)
    assert places() == (2, 0, "done")


def test_a_task_in_somebodys_hand_is_open_until_it_is_submitted() -> None:
    campaign = started()
    lease = claim(campaign, 0)
    gold_and_back()
    assert places() == (1, 0, "open")
    submit(lease, *RIGHT)
    assert places() == (1, 0, "done")


def test_a_lease_that_ran_out_leaves_its_place_to_somebody_else() -> None:
    campaign = started()
    lease = claim(campaign, 0)
    gold_and_back()
    expire(lease)
    assert places() == (1, 1, "open")


def test_a_task_that_five_people_left_undecided_is_set_aside_again() -> None:
    started(RIGHT, FIRST, SECOND, RIGHT, FIRST, adaptive_overlap=True)
    before = Task.objects.get()
    assert places() == (5, 0, "set_aside")
    gold_and_back()
    assert places() == (5, 0, "set_aside")
    assert Task.objects.get().set_aside_reason == before.set_aside_reason != ""


def test_looks_at_the_gold_count_once_it_is_work_again() -> None:
    campaign = started(RIGHT, FIRST, SECOND, RIGHT, FIRST, adaptive_overlap=True, gold_rate=1.0)
    set_task_kind(Task.objects.get(), "gold", [1])
    # Gold comes only among work.
    waiting = make_task(campaign, make_solution(STEPS))
    look(campaign, 5, *RIGHT)
    waiting.delete()
    set_task_kind(Task.objects.get(), "work", [])
    assert places() == (6, 0, "done")


@pytest.mark.parametrize(
    ("looks", "expected"),
    [
        ([], (1, 1, "open")),
        ([RIGHT], (3, 2, "open")),
        ([RIGHT, FIRST], (3, 1, "open")),
        ([RIGHT, RIGHT, RIGHT], (3, 0, "done")),
        ([RIGHT, FIRST, RIGHT], (5, 2, "open")),
    ],
)
def test_an_adaptive_campaign_asks_as_many_people_as_if_the_task_had_never_been_gold(looks, expected) -> None:
    started(*looks, adaptive_overlap=True, overlap=4)
    assert places() == expected
    gold_and_back()
    assert places() == expected


def test_a_step_that_the_solution_does_not_have_is_refused_with_their_number(client) -> None:
    task = make_task(make_campaign(), make_solution(STEPS))
    client.force_login(make_user("admin"))
    address = f"/campaigns/{task.campaign_id}/tasks/{task.pk}/kind/"
    page = client.post(address, {"kind": "gold", "positions": "1 33"}, follow=True).content.decode()
    assert "The solution has steps 1 to 3." in page and "The task is saved." not in page
    task.refresh_from_db()
    assert (task.kind, task.gold) == ("work", None)
    page = client.post(address, {"kind": "gold", "positions": "1 3"}, follow=True).content.decode()
    task.refresh_from_db()
    assert (task.kind, task.gold, task.overlap) == ("gold", [0, 2], EVERYBODY)
    assert "The task is saved." in page
    with pytest.raises(ValidationError, match="steps 1 to 3"):
        campaigns.set_kind(task, "gold", [3])


def test_a_place_where_nothing_is_chosen_is_refused_unless_the_gold_names_it_already() -> None:
    solution = make_solution(["a step", "another"])
    solution.step_rows.filter(position=1).update(is_chosen=False)
    task, imported = (make_task(solution=solution, **fields) for fields in ({}, {"gold": [1]}))
    with pytest.raises(ValidationError, match="steps 1 to 1"):
        campaigns.set_kind(task, "gold", [0, 1])
    task.refresh_from_db()
    assert (task.kind, task.gold) == ("work", None)
    assert campaigns.set_kind(imported, "gold", [1]).gold == [1]


def test_who_only_saves_the_form_leaves_gold_the_word_of_whoever_decided_it(client) -> None:
    task = make_task(make_campaign(), make_solution(STEPS), gold=[1], gold_source="checker")
    client.force_login(make_user("admin", username="ada"))
    address = f"/campaigns/{task.campaign_id}/tasks/{task.pk}/kind/"
    sources = []
    for kind, positions in (("gold", "2"), ("work", "2"), ("work", "3"), ("screening", "3"), ("work", "")):
        client.post(address, {"kind": kind, "positions": positions})
        task.refresh_from_db()
        sources.append(task.gold_source)
    assert sources == ["checker", "checker", "adjudicated by ada", "adjudicated by ada", ""]
