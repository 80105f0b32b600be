"""What pages say of people who wait, and of tasks that somebody has in hand."""

from __future__ import annotations

import pytest

from labelsite.campaigns import progress
from labelsite.campaigns.models import Assignment, AssignmentState, Campaign, MemberState, TaskKind
from tests.campaigns.leases import claim_next, expire, finish
from tests.factories import make_campaign, make_member, make_solution, make_task, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def screened() -> Campaign:
    """Two screening items are asked for, one is there; a newcomer waits before two tasks of work."""
    campaign = make_campaign(screening_size=2)
    make_task(campaign, make_solution(), kind=TaskKind.SCREENING, gold=[-1], overlap=9)
    for _ in range(2):
        make_task(campaign, make_solution())
    make_member(campaign, make_user(username="newcomer"), state=MemberState.SCREENING)
    return campaign


@pytest.mark.parametrize("page", ["", "settings/", "members/", "sections/", "tasks/"])
def test_admins_are_told_on_every_page_of_a_campaign_that_screening_items_are_missing(
    client, screened, page
) -> None:
    client.force_login(make_user("admin"))
    address = f"/campaigns/{screened.pk}/{page}"
    assert "1 screening item is missing" in client.get(address).content.decode()
    make_task(screened, make_solution(), kind=TaskKind.SCREENING, gold=[-1], overlap=9)
    assert "missing" not in client.get(address).content.decode()


def test_who_is_screened_is_told_of_the_items_and_not_of_the_work_behind_them(client, screened) -> None:
    newcomer = screened.memberships.get().user
    client.force_login(newcomer)
    assert "1 screening item comes first" in client.get("/campaigns/").content.decode()
    claim_next(screened, newcomer)
    Assignment.objects.update(state=AssignmentState.SUBMITTED)
    page = client.get("/campaigns/").content.decode()
    assert "Waiting for screening" in page and "are open" not in page
    assert 'class="button primary"' not in page


def test_who_is_screened_is_told_of_as_many_items_as_decide_and_not_of_all_that_there_are(client) -> None:
    campaign = make_campaign(screening_size=2)
    for _ in range(4):
        make_task(campaign, make_solution(), kind=TaskKind.SCREENING, gold=[-1], overlap=9)
    newcomer = make_user()
    make_member(campaign, newcomer, state=MemberState.SCREENING)
    left = []
    for _ in range(2):
        (row,) = progress.for_person(newcomer, [campaign])
        left.append(row["screening"])
        finish(claim_next(campaign, newcomer))
    assert left == [2, 1]
    # One more submission is what they are judged at, where fewer are asked for since; and without any, their coming.
    (row,) = progress.for_person(newcomer, [campaign])
    assert row["screening"] == 1
    for _ in range(2):
        finish(claim_next(campaign, newcomer))
    (row,) = progress.for_person(newcomer, [campaign])
    assert row["screening"] is None


@pytest.mark.parametrize(
    ("tasks", "told"), [(1, "A few are open."), (9, "A few are open."), (25, "At least 20 are open.")]
)
def test_the_count_of_what_is_open_tells_annotators_no_gold(client, tasks, told) -> None:
    """Beside the count of what they did, an exact one would stand still after gold and move after work."""
    person = make_user()
    campaign = make_campaign(members=[person], gold_rate=1.0)
    make_task(campaign, make_solution(), kind=TaskKind.GOLD, gold=[-1], overlap=9)
    for _ in range(tasks):
        make_task(campaign, make_solution())
    client.force_login(person)
    for done in range(min(tasks, 5) + 1):
        page = client.get("/campaigns/").content.decode()
        assert f"You did {done} solution" in page and told in page
        finish(claim_next(campaign, person))
    client.force_login(make_user("reviewer"))
    exact = "1 is open." if (left := tasks - min(tasks, 5)) == 1 else f"{left} are open."
    assert (exact if left else "Nothing is open.") in client.get("/campaigns/").content.decode()


def test_gold_in_hand_is_something_that_is_open_as_work_is(client) -> None:
    person, other = make_user(), make_user()
    campaign = make_campaign(members=[person, other], gold_rate=1.0)
    make_task(campaign, make_solution(), kind=TaskKind.GOLD, gold=[-1], overlap=9)
    make_task(campaign, make_solution())
    assert claim_next(campaign, person).task.kind == TaskKind.GOLD
    Campaign.objects.update(gold_rate=0.0)
    finish(claim_next(campaign, other))
    client.force_login(person)
    assert "A few are open." in client.get("/campaigns/").content.decode()


def test_tasks_in_somebodys_hands_are_not_lost_from_the_counts(client) -> None:
    person = make_user()
    campaign = make_campaign(members=[person])
    for _ in range(3):
        make_task(campaign, make_solution())
    claim_next(campaign, person)
    counts = progress.counts(campaign)
    assert (counts["free"], counts["in_hand"], counts["wanted"]) == (2, 1, 3)
    (own,) = progress.for_person(person, [campaign])
    (others,) = progress.for_person(make_user(), [campaign])
    assert (own["open"], others["open"]) == (3, 2)


def test_a_lease_whose_time_ran_out_is_in_nobodys_hands_also_before_anybody_takes_it_back() -> None:
    person = make_user()
    campaign = make_campaign(members=[person])
    for _ in range(2):
        make_task(campaign, make_solution())
    lease = claim_next(campaign, person)
    expire(lease)
    counts = progress.counts(campaign)
    assert (counts["free"], counts["in_hand"]) == (2, 0)
    assert [row.in_hand for row in progress.members(campaign)] == [0]


def test_an_adaptive_campaign_wants_at_least_as_many_looks_of_each_open_task_as_have_to_agree(client) -> None:
    people = [make_user() for _ in range(2)]
    campaign = make_campaign(members=people, adaptive_overlap=True)
    make_task(campaign, make_solution(), overlap=1)
    make_task(campaign, make_solution(), overlap=5, remaining=2)
    make_task(campaign, make_solution(), overlap=1, remaining=0, state="done")
    make_task(campaign, make_solution(), overlap=1, kind=TaskKind.GOLD, gold=[1])
    counts = progress.counts(campaign)
    assert (counts["free"], counts["wanted"]) == (3 + 2, 3 + 5 + 1)
    claim_next(campaign, people[0])
    counts = progress.counts(campaign)
    assert (counts["free"], counts["in_hand"]) == (2 + 2, 1)
    client.force_login(make_user("reviewer"))
    page = client.get(f"/campaigns/{campaign.pk}/").content.decode()
    assert "<strong>4 + 1</strong><span>looks still wanted at least + in somebody" in page
    campaign.adaptive_overlap = False
    assert progress.counts(campaign)["free"] == 2
