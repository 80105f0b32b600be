"""Nobody waits for ever in screening: whoever has done its items is judged by them, whenever they come for a task."""

from __future__ import annotations

import pytest

from labelsite.accounts.models import User
from labelsite.campaigns import queue
from labelsite.campaigns.leases import hold
from labelsite.campaigns.membership import set_members
from labelsite.campaigns.models import Campaign, TaskKind
from tests.annotations.submissions import STEPS, submit
from tests.campaigns.leases import claim_next
from tests.factories import make_campaign, make_solution, make_task, make_token, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def newcomer() -> User:
    return make_user()


@pytest.fixture
def campaign(newcomer: User) -> Campaign:
    """Two screening items, of which people must do as many, and a task."""
    campaign = make_campaign(screening_size=2)
    set_members(campaign, {newcomer.pk})
    make_task(campaign, make_solution(STEPS))
    for _ in range(2):
        make_task(campaign, make_solution(STEPS), kind=TaskKind.SCREENING, gold=[-1], overlap=queue.EVERYBODY)
    return campaign


@pytest.fixture(params=["page", "request", "api"])
def next_of(request: pytest.FixtureRequest, client, newcomer: User):
    """What a person is given next, by each door: the task's number of steps, or the reason that there is none."""

    def ask(campaign: Campaign) -> int | str:
        client.force_login(newcomer)
        address = f"/annotate/{campaign.pk}/"
        if request.param == "page":
            payload = client.get(address).context["payload"]
        elif request.param == "request":
            payload = client.post(f"{address}next/", {}, content_type="application/json").json()
        else:
            token = {"Authorization": f"Bearer {make_token(newcomer)}"}
            payload = client.post(f"/api/v1/campaigns/{campaign.pk}/next/", headers=token).json()
        if "nothing" in payload:
            return payload["nothing"]["reason"]
        return hold(payload["assignment"], newcomer.pk).task.kind

    return ask


def screened(campaign: Campaign, newcomer: User, *looks: tuple[int, ...]) -> None:
    for ratings in looks:
        submit(claim_next(campaign, newcomer), *ratings, alternatives=(1, 1))


RIGHT, WRONG = (1, 1, 1), (1, -1)


def state(campaign: Campaign) -> str:
    return campaign.memberships.get().state


def come_back(campaign: Campaign, newcomer: User) -> None:
    set_members(campaign, set())
    set_members(campaign, {newcomer.pk})
    assert state(campaign) == "screening"


def test_whoever_comes_back_is_admitted_by_what_they_did_before(campaign, newcomer, next_of) -> None:
    screened(campaign, newcomer, RIGHT, RIGHT)
    come_back(campaign, newcomer)
    assert next_of(campaign) == "work"
    assert state(campaign) == "admitted"


def test_whoever_was_refused_comes_back_in_vain(campaign, newcomer, next_of) -> None:
    screened(campaign, newcomer, RIGHT, WRONG)
    assert state(campaign) == "refused"
    come_back(campaign, newcomer)
    assert next_of(campaign) == "not_admitted"
    assert state(campaign) == "refused"


@pytest.mark.parametrize(("looks", "size"), [((RIGHT, RIGHT), 2), ((RIGHT, RIGHT), 1), ((WRONG, WRONG), 0)])
def test_a_screening_made_smaller_admits_whoever_has_done_enough(
    campaign, newcomer, next_of, looks, size
) -> None:
    Campaign.objects.update(screening_size=3)
    screened(campaign, newcomer, *looks)
    assert next_of(campaign) == "screening_waits"
    Campaign.objects.update(screening_size=size)
    assert next_of(campaign) == "work"
    assert state(campaign) == "admitted"


def test_a_screening_that_is_no_more_admits_who_did_nothing_of_it(campaign, newcomer, next_of) -> None:
    campaign.tasks.filter(kind=TaskKind.SCREENING).delete()
    assert next_of(campaign) == "screening_waits"
    Campaign.objects.update(screening_size=0)
    assert next_of(campaign) == "work"


def test_nothing_is_prepared_besides_the_last_item_that_decides(campaign, newcomer, client) -> None:
    make_task(campaign, make_solution(STEPS), kind=TaskKind.SCREENING, gold=[-1], overlap=queue.EVERYBODY)
    client.force_login(newcomer)

    def prepared() -> dict[str, object]:
        """What the page gets when it asks for the one after the task in hand."""
        body = {"besides": claim_next(campaign, newcomer).pk}
        address = f"/annotate/{campaign.pk}/next/"
        return client.post(address, body, content_type="application/json").json()

    assert "assignment" in prepared()
    screened(campaign, newcomer, RIGHT)
    # The one that was prepared is the last one now.
    assert prepared()["nothing"]["reason"] == "screening_decides"
    screened(campaign, newcomer, RIGHT)
    assert state(campaign) == "admitted"
    assert claim_next(campaign, newcomer).task.kind == TaskKind.WORK
