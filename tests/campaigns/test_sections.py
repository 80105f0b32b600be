"""Sections of a campaign: who labels which, and a claim that costs the same however full the other ones are."""

from __future__ import annotations

import pytest
from django.db import connection

from labelsite.accounts.models import User
from labelsite.campaigns import progress, queue, sections
from labelsite.campaigns.models import Assignment, AssignmentState, Campaign, Task, TaskKind
from labelsite.campaigns.reasons import NothingLeft, Reason
from tests.campaigns.leases import claim_next, finish
from tests.factories import make_campaign, make_member, make_solution, make_task, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def annotator() -> User:
    return make_user()


@pytest.fixture
def campaign(annotator: User) -> Campaign:
    """Two tasks outside of any section, which come first, and two in each of algebra and geometry."""
    campaign = make_campaign(members=[annotator])
    for section, priority in (("", 5), ("algebra", 3), ("geometry", 4)):
        for _ in range(2):
            make_task(campaign, make_solution(["One step."]), section=section, priority=priority)
    return campaign


def labeled_sections(campaign: Campaign, person: User) -> list[str]:
    """Works until nothing is left; the sections in the order in which they came."""
    found = []
    while isinstance(lease := claim_next(campaign, person), Assignment):
        found.append(lease.task.section)
        finish(lease)
    assert isinstance(lease, NothingLeft)
    return [*found, lease.reason.value]


def test_without_a_restriction_sections_do_not_matter(campaign, annotator) -> None:
    assert labeled_sections(campaign, annotator)[:6] == ["", "", "geometry", "geometry", "algebra", "algebra"]


def test_a_member_works_only_in_the_sections_given_in_their_order(campaign, annotator) -> None:
    sections.restrict(campaign, annotator.pk, ["algebra", "geometry"])
    found = labeled_sections(campaign, annotator)
    assert found == ["algebra", "algebra", "geometry", "geometry", Reason.SECTION_IS_DONE]


def test_a_person_chooses_one_of_their_sections_and_no_other(campaign, annotator) -> None:
    sections.restrict(campaign, annotator.pk, ["algebra", "geometry"])
    assert sections.choose(campaign, annotator, "geometry")
    assert not sections.choose(campaign, annotator, "number theory")
    assert not sections.choose(campaign, make_user(), "geometry")
    assert labeled_sections(campaign, annotator) == ["geometry", "geometry", Reason.SECTION_IS_DONE]
    assert sections.choose(campaign, annotator, "")
    assert labeled_sections(campaign, annotator)[:2] == ["algebra", "algebra"]


def test_a_choice_that_an_admin_took_away_is_forgotten(campaign, annotator) -> None:
    sections.choose(campaign, annotator, "geometry")
    sections.restrict(campaign, annotator.pk, ["algebra"])
    assert labeled_sections(campaign, annotator)[0] == "algebra"


# As the page saves it: "first" is the marked step of an index-only campaign, and -1 that there is no mistake.
NOT_BEGUN = {
    "ratings": {}, "first": None, "written": [], "reached": False, "reason": "", "writing": "", "unsent": {},
    "elapsed": 900, "cursor": 7, "order": [], "finish": None, "mark": "m5x-0k3",
}  # fmt: skip


@pytest.mark.parametrize(
    ("draft", "is_kept"),
    [
        ({}, False),
        ({"first": -1, "finish": "solution"}, True),
        ({"first": 0}, True),
        ({"written": ["So 4."]}, True),
        ({"writing": "So"}, True),
        ({"reason": "the sign"}, True),
        ({"unsent": {"give_up": "too"}}, True),
    ],
)
def test_whatever_somebody_did_to_a_task_is_its_beginning(campaign, annotator, draft, is_kept) -> None:
    lease = claim_next(campaign, annotator)
    assert isinstance(lease, Assignment) and lease.task.section == ""
    Assignment.objects.update(draft=NOT_BEGUN | draft)
    sections.choose(campaign, annotator, "algebra")
    state = AssignmentState.LEASED if is_kept else AssignmentState.LAPSED
    assert Assignment.objects.get().state == state


def test_choosing_gives_back_what_is_not_begun_and_keeps_what_is(campaign, annotator) -> None:
    begun = claim_next(campaign, annotator)
    assert isinstance(begun, Assignment)
    Assignment.objects.update(draft={"ratings": {"1": {"rating": 1}}})
    prepared = claim_next(campaign, annotator, besides=begun.pk)
    sections.choose(campaign, annotator, "algebra")
    states = dict(Assignment.objects.values_list("pk", "state"))
    assert states == {begun.pk: AssignmentState.LEASED, prepared.pk: AssignmentState.LAPSED}
    assert Task.objects.get(pk=prepared.task_id).remaining == 1
    finish(begun)
    assert labeled_sections(campaign, annotator)[0] == "algebra"


def test_choosing_a_section_tells_no_gold_by_what_stays_in_hand(campaign, annotator) -> None:
    campaign.gold_rate = 1.0
    campaign.save()
    make_task(campaign, kind=TaskKind.GOLD, gold=[-1], overlap=queue.EVERYBODY, section="geometry")
    held = claim_next(campaign, annotator)
    assert isinstance(held, Assignment) and held.task.kind == TaskKind.GOLD
    sections.choose(campaign, annotator, "algebra")
    held.refresh_from_db()
    assert (held.state, Task.objects.get(pk=held.task_id).remaining) == (
        AssignmentState.LAPSED, queue.EVERYBODY,
    )  # fmt: skip
    assert labeled_sections(campaign, annotator)[0] == "algebra"


def test_whoever_chose_a_section_that_is_finished_finds_the_way_out_of_it(
    client, campaign, annotator
) -> None:
    client.force_login(annotator)
    sections.choose(campaign, annotator, "geometry")
    for finished in ("geometry", "algebra"):
        Task.objects.filter(section=finished).update(state="done", remaining=0)
        assert "Whatever comes" in client.get(f"/campaigns/{campaign.pk}/").content.decode()
    client.post(f"/campaigns/{campaign.pk}/section/", {"section": ""})
    assert Assignment.objects.count() == 0 and isinstance(claim_next(campaign, annotator), Assignment)
    assert "Whatever comes" not in client.get(f"/campaigns/{campaign.pk}/").content.decode()


def test_whoever_is_kept_to_one_section_has_nothing_to_choose(client, campaign, annotator) -> None:
    sections.choose(campaign, annotator, "geometry")
    sections.restrict(campaign, annotator.pk, ["geometry"])
    client.force_login(annotator)
    assert "Whatever comes" not in client.get(f"/campaigns/{campaign.pk}/").content.decode()


def test_gold_comes_from_the_sections_in_which_a_person_works_and_from_no_other(campaign, annotator) -> None:
    campaign.gold_rate = 1.0
    campaign.save()
    for section in ("", "geometry"):
        make_task(campaign, kind=TaskKind.GOLD, gold=[-1], overlap=queue.EVERYBODY, section=section)
    elsewhere = make_user()
    make_member(campaign, elsewhere, sections=["algebra"])
    sections.restrict(campaign, annotator.pk, ["geometry"])
    found, other = claim_next(campaign, annotator), claim_next(campaign, elsewhere)
    assert isinstance(found, Assignment) and isinstance(other, Assignment)
    assert (found.task.kind, found.task.section) == (TaskKind.GOLD, "geometry")
    assert other.task.kind == TaskKind.WORK


def test_a_section_that_is_only_in_other_peoples_hands_is_not_called_done(campaign, annotator) -> None:
    sections.restrict(campaign, annotator.pk, ["algebra"])
    other = make_user()
    make_member(campaign, other, sections=["algebra"])
    done, held = claim_next(campaign, annotator), claim_next(campaign, other)
    assert isinstance(done, Assignment) and isinstance(held, Assignment)
    finish(done)
    nothing = claim_next(campaign, annotator)
    assert isinstance(nothing, NothingLeft)
    assert (nothing.reason, nothing.until) == (Reason.SECTION_LEASED, held.leased_until)
    assert "for 20 more minutes" in str(nothing)
    finish(held)
    assert labeled_sections(campaign, annotator) == [Reason.SECTION_IS_DONE]


def test_what_is_in_other_hands_outside_ones_sections_is_not_waited_for(campaign, annotator) -> None:
    sections.restrict(campaign, annotator.pk, ["algebra"])
    other = make_user()
    make_member(campaign, other, sections=["geometry"])
    Task.objects.exclude(section="geometry").update(state="done", remaining=0)
    for _ in range(2):
        held = claim_next(campaign, other)
        assert isinstance(held, Assignment)
        assert claim_next(campaign, annotator) == NothingLeft(Reason.SECTION_IS_DONE)
        Task.objects.filter(pk=held.task_id).update(state="done")
        Assignment.objects.update(state="submitted")
    assert claim_next(campaign, annotator) == NothingLeft(Reason.FINISHED)


def test_screening_is_the_same_for_everybody(campaign) -> None:
    campaign.screening_size = 1
    campaign.save()
    make_task(campaign, kind=TaskKind.SCREENING, gold=[-1], overlap=queue.EVERYBODY)
    newcomer = make_user()
    make_member(campaign, newcomer, state="screening", sections=["geometry"])
    found = claim_next(campaign, newcomer)
    assert isinstance(found, Assignment) and found.task.kind == TaskKind.SCREENING


def test_a_finished_campaign_is_finished_for_a_restricted_member_too(campaign, annotator) -> None:
    sections.restrict(campaign, annotator.pk, ["algebra"])
    Task.objects.exclude(section="algebra").update(state="done", remaining=0)
    Task.objects.filter(section="algebra").update(state="done", remaining=0)
    assert labeled_sections(campaign, annotator) == [Reason.FINISHED]


def test_a_claim_in_a_section_walks_its_own_index(campaign, annotator) -> None:
    """A hundred thousand open tasks of other sections would stand before it in the index of the whole queue."""
    for _ in range(40):
        make_task(campaign, make_solution(["One step."]), section="geometry")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE campaigns_task")
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off")
        parameters = {
            "campaign": campaign.pk,
            "annotator": annotator.pk,
            "kind": "work",
            "section": "algebra",
            "held": [],
        }
        claim = queue._CLAIMS[True]
        cursor.execute("EXPLAIN " + claim.sql, parameters | {"seconds": 60, "exposure": "after"})
        plan = "\n".join(row for (row,) in cursor.fetchall())
    assert "task_section_queue" in plan and "Sort" not in plan, plan


def test_the_sections_with_open_tasks_are_listed_without_reading_every_task(campaign) -> None:
    assert sections.open_sections(campaign) == ["algebra", "geometry"]
    Task.objects.filter(section="algebra").update(remaining=0)
    assert sections.open_sections(campaign) == ["geometry"]
    assert sections.open_sections(make_campaign()) == []


def test_a_section_whose_work_is_done_is_done_although_its_gold_stays_open(campaign) -> None:
    make_task(campaign, make_solution(), section="algebra", kind=TaskKind.GOLD, gold=[0], overlap=9)
    Task.objects.filter(section="algebra", kind="work").update(state="done", remaining=0)
    assert sections.open_sections(campaign) == ["geometry"]
    row = progress.sections(campaign)[0]
    assert (row.name, row.tasks, row.done, row.open) == ("algebra", 2, 2, 0)


def test_sections_stand_in_the_order_in_which_people_count(campaign) -> None:
    assert sections.in_order(["unit 10", "unit 2b", "", "unit 2", "7", "①", "٣", "unit"]) == [
        "", "7", "unit", "unit 2", "unit 2b", "unit 10", "٣", "①"
    ]  # fmt: skip
    for task, name in zip(campaign.tasks.order_by("pk"), ("unit 10", "unit 9"), strict=False):
        Task.objects.filter(pk=task.pk).update(section=name)
    assert [row.name for row in progress.sections(campaign)][-2:] == ["unit 9", "unit 10"]


def test_people_choose_and_admins_restrict_on_the_pages(client, campaign, annotator) -> None:
    client.force_login(annotator)
    assert "Whatever comes" in client.get(f"/campaigns/{campaign.pk}/").content.decode()
    page = client.post(f"/campaigns/{campaign.pk}/section/", {"section": "algebra"}, follow=True)
    assert page.redirect_chain[-1][0] == f"/annotate/{campaign.pk}/"
    assert page.context["section"] == "algebra"
    assert Assignment.objects.get(state=AssignmentState.LEASED).task.section == "algebra"
    client.force_login(make_user("admin"))
    url = f"/campaigns/{campaign.pk}/members/{annotator.pk}/sections/"
    assert client.post(url, {"section": ["geometry"]}, follow=True).status_code == 200
    assert campaign.memberships.get().sections == ["geometry"]
    assert campaign.memberships.get().chosen_section == ""
    queue_page = client.get(f"/campaigns/{campaign.pk}/tasks/?section=geometry")
    assert {task.section for task in queue_page.context["rows"]} == {"geometry"}


def test_a_members_page_that_stood_open_keeps_nobody_to_a_section_that_was_renamed(
    client, campaign, annotator
) -> None:
    sections.rename(campaign, "algebra", "groups")
    client.force_login(make_user("admin"))
    url = f"/campaigns/{campaign.pk}/members/{annotator.pk}/sections/"
    pages = [
        client.post(url, {"section": ["algebra", "geometry"]}, headers=headers, follow=True).content.decode()
        for headers in ({}, {"HX-Request": "true"})
    ]
    assert all("there is no section “algebra” any more" in page and ">saved<" not in page for page in pages)
    # The cell that comes instead offers those that are there.
    assert 'value="groups"' in pages[1] and campaign.memberships.get().sections == []
