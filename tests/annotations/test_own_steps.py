"""Who goes on through steps of their own to the answer says that the solution went wrong where they left it."""

from __future__ import annotations

from uuid import uuid4

import pytest

from labelsite.accounts.models import User
from labelsite.annotations import history, services
from labelsite.annotations.quality import standings
from labelsite.campaigns.models import Campaign, MemberState, Protocol, TaskKind
from labelsite.campaigns.queue import EVERYBODY
from tests.annotations.submissions import STEPS, go_on_alone, submit
from tests.campaigns.leases import claim_next
from tests.factories import (
    make_annotation,
    make_campaign,
    make_estimates,
    make_member,
    make_solution,
    make_task,
    make_user,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def people() -> list[User]:
    return [make_user() for _ in range(3)]


@pytest.fixture
def campaign(people: list[User]) -> Campaign:
    return make_campaign(members=people, protocol=Protocol.EVERY_OPTION, overlap=3, shows_agreement=True)


def test_the_first_mistake_stands_before_the_steps_of_ones_own(campaign, people) -> None:
    make_task(campaign, make_solution(STEPS))
    one = go_on_alone(claim_next(campaign, people[0]))
    two = go_on_alone(claim_next(campaign, people[1]), "It is four.", "So the answer is four.")
    assert [look.trajectory for look in (one, two)] == [[1, 1], [1, 1, 1]]
    assert [look.finish_reason for look in (one, two)] == ["solution", "solution"]
    assert [look.first_mistake for look in (one, two)] == [1, 1]
    assert history.verdict_text(two) == "first mistake: step 2"


def test_an_adaptive_task_is_done_when_three_name_one_step_however_they_went_on(people) -> None:
    campaign = make_campaign(members=people, protocol=Protocol.EVERY_OPTION, adaptive_overlap=True)
    task = make_task(campaign, make_solution(STEPS), overlap=1)
    for number, person in enumerate(people):
        task.refresh_from_db()
        assert task.state == "open"
        lease = claim_next(campaign, person)
        if number == 1:
            go_on_alone(lease)
        else:
            submit(lease, 1, -1, alternatives=(0, 1))
    task.refresh_from_db()
    assert (task.state, task.overlap) == ("done", 3)


def test_screening_and_gold_take_the_step_that_was_left_as_the_one_that_was_marked(campaign) -> None:
    campaign.screening_size = 1
    campaign.save()
    newcomer = make_user()
    make_member(campaign, newcomer, state=MemberState.SCREENING)
    make_task(campaign, make_solution(STEPS), kind=TaskKind.SCREENING, gold=[1], overlap=EVERYBODY)
    go_on_alone(claim_next(campaign, newcomer))
    assert campaign.memberships.get(user=newcomer).state == MemberState.ADMITTED
    (standing,) = standings(campaign)
    assert (standing.right, standing.items, standing.bias) == (1, 1, 0.0)
    make_annotation(make_task(campaign), newcomer)
    assert history.gold_standing(newcomer) == {"count": 1, "right": 1, "share": 1.0}


def test_people_agree_when_they_name_the_same_step_and_only_then(campaign, people, monkeypatch) -> None:
    monkeypatch.setattr(history, "AGREEMENT_STEP", 1)
    make_task(campaign, make_solution(STEPS))
    went_on, marked, found_none = people
    go_on_alone(claim_next(campaign, went_on))
    submit(claim_next(campaign, marked), 1, -1, alternatives=(0, 1))
    # What a person did last is still open, and not counted.
    assert history.agreement_with_others(went_on) == {"pairs": 0, "share": None}
    make_annotation(make_task(campaign, overlap=1), went_on)
    assert history.agreement_with_others(went_on) == {"pairs": 1, "share": 1.0}
    lease = claim_next(campaign, found_none)
    shown = lease.task.solution.step_rows.exclude(source="human")
    said = {"finish_reason": "solution", "ratings": [{"step": step.pk, "rating": 1} for step in shown]}
    services.submit(lease, str(lease.token), uuid4(), said)
    make_annotation(make_task(campaign, overlap=1), found_none)
    assert history.agreement_with_others(went_on) == {"pairs": 2, "share": 0.5}
    assert history.agreement_with_others(found_none) == {"pairs": 2, "share": 0.0}


def test_the_second_look_shows_the_mistake_where_the_solution_was_left(campaign, people, client) -> None:
    task = make_task(campaign, make_solution(STEPS))
    Campaign.objects.update(estimate_run=make_estimates(task.solution, [1.0, 0.0, 0.0]))
    annotation = go_on_alone(claim_next(campaign, people[0]), "It is four.", "So the answer is four.")
    client.force_login(people[0])
    page = client.post(f"/annotate/annotation/{annotation.pk}/second-look/")
    assert [row["rating"] for row in page.context["rows"]] == [1, -1, None]
