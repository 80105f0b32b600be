"""People correct what they said: a task that agreement closed, or that had none, is settled by what stands now."""

from __future__ import annotations

from uuid import uuid4

import pytest

from labelsite.accounts.models import User
from labelsite.annotations import services
from labelsite.annotations.models import Annotation
from labelsite.campaigns.models import Campaign, Task
from labelsite.campaigns.services import update_campaign
from labelsite.comparison.services import adjudicate
from tests.annotations.submissions import judgement
from tests.annotations.submissions import submit as submit_to
from tests.campaigns.leases import claim_next
from tests.factories import make_campaign, make_solution, make_task, make_user

pytestmark = pytest.mark.django_db

STEPS = ["a", "b", "c", "d", "e"]


@pytest.fixture
def people(db: None) -> list[User]:
    return [make_user() for _ in range(6)]


@pytest.fixture
def campaign(people: list[User]) -> Campaign:
    return make_campaign(members=people, adaptive_overlap=True)


@pytest.fixture
def task(campaign: Campaign) -> Task:
    return make_task(campaign, make_solution(STEPS), overlap=1)


def look(campaign: Campaign, people: list[User], *mistakes: int) -> list[Annotation]:
    """Each person in turn names a first mistake."""
    return [
        submit_to(claim_next(campaign, person), *[1] * mistake, -1)
        for person, mistake in zip(people, mistakes, strict=False)
    ]


def correct(annotation: Annotation, mistake: int) -> None:
    services.revise(annotation, 1, uuid4(), judgement(annotation.task, *[1] * mistake, -1))


def standing(task: Task) -> tuple[str, int, int]:
    task.refresh_from_db()
    taken = task.assignments.exclude(state="lapsed").count()
    assert task.remaining == task.overlap - taken
    return task.state, task.overlap, task.remaining


def test_five_who_disagreed_and_now_agree_finish_the_task(campaign, people, task) -> None:
    looks = look(campaign, people, 0, 1, 2, 3, 4)
    assert standing(task) == ("set_aside", 5, 0)
    correct(looks[1], 0)
    assert standing(task) == ("set_aside", 5, 0)
    correct(looks[2], 0)
    assert standing(task) == ("done", 5, 0) and task.set_aside_reason == ""


def test_three_who_agreed_and_no_longer_do_ask_for_two_more(campaign, people, task) -> None:
    looks = look(campaign, people, 1, 1, 1)
    assert standing(task) == ("done", 3, 0)
    correct(looks[0], 2)
    assert standing(task) == ("open", 5, 2)
    look(campaign, people[3:], 1)
    assert standing(task) == ("done", 5, 1)


def test_five_of_whom_three_agreed_and_no_longer_do_set_the_task_aside(campaign, people, task) -> None:
    looks = look(campaign, people, 1, 1, 2, 2, 1)
    assert standing(task) == ("done", 5, 0)
    correct(looks[0], 3)
    assert standing(task) == ("set_aside", 5, 0) and task.why_set_aside != ""


def test_whoever_holds_the_task_meanwhile_keeps_it(campaign, people, task) -> None:
    looks = look(campaign, people, 1, 1, 2)
    held = [claim_next(campaign, person) for person in people[3:5]]
    correct(looks[2], 1)
    assert standing(task) == ("done", 5, 0)
    correct(looks[2].task.annotations.get(annotator=people[0]), 0)
    assert standing(task) == ("open", 5, 0)
    assert [submit_to(lease, 1, -1).is_live for lease in held] == [True, True]
    assert standing(task) == ("done", 5, 0)


@pytest.mark.parametrize("mistakes", [(0, 1, 2, 3, 4), (1, 1, 1)])
def test_what_a_reviewer_decided_stays_as_it_is(campaign, people, task, mistakes) -> None:
    looks = look(campaign, people, *mistakes)
    before = standing(task)
    adjudicate(task, make_user("reviewer"), [1])
    correct(looks[0], 1 if looks[0].first_mistake == 0 else 2)
    correct(looks[2], 1 if looks[2].first_mistake == 2 else 3)
    assert standing(task) == before


def test_a_task_that_another_rule_finished_stays_finished(campaign, people, task) -> None:
    update_campaign(campaign, {"adaptive_overlap": False})
    (only,) = look(Campaign.objects.get(pk=campaign.pk), people, 1)
    assert standing(task) == ("done", 1, 0)
    update_campaign(campaign, {"adaptive_overlap": True})
    correct(only, 2)
    assert standing(task) == ("done", 1, 0)


def test_gold_is_never_settled_by_a_correction(campaign, people, task) -> None:
    looks = look(campaign, people, 1, 1, 1)
    services.set_task_kind(task, "gold", [1])
    before = standing(task)
    correct(looks[0], 2)
    assert standing(task) == before


def test_the_agreement_of_excluded_people_settles_nothing(campaign, people, task) -> None:
    look(campaign, people, 1)
    User.objects.filter(pk__in=[person.pk for person in people[:2]]).update(labels_excluded=True)
    look(campaign, people[1:], 1, 1)
    state, overlap, _ = standing(task)
    assert state == "open" and overlap > 3
    look(campaign, people[3:], 1, 1)
    assert standing(task)[0] == "done"
