"""The tables of people on both pages: one definition of right, and nobody left out."""

from __future__ import annotations

import pytest
from django.urls import reverse

from labelsite.annotations.models import FinishReason
from labelsite.annotations.quality import standings
from labelsite.campaigns.models import TaskKind
from labelsite.comparison.services import adjudicate
from tests.factories import (
    log_in,
    make_annotation,
    make_campaign,
    make_machine,
    make_solution,
    make_task,
    make_user,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def reviewer(client):
    return log_in(client, "reviewer", username="rev")


@pytest.fixture
def campaign():
    """Known answers by a checker: four as work, three as gold or screening items; ann does all, bob only gives up."""
    campaign = make_campaign(overlap=3)
    ann, bob, checker = make_user(username="ann"), make_user(username="bob"), make_machine("imported:checker")
    kinds = [TaskKind.WORK] * 4 + [TaskKind.GOLD] * 2 + [TaskKind.SCREENING]
    for number, kind in enumerate(kinds):
        task = make_task(
            campaign, make_solution(["One.", "Two."]), kind=kind, gold=[1], gold_source="checker", overlap=9
        )
        make_annotation(task, checker, [1, -1], origin="import")
        if number in (3, 6):
            make_annotation(task, ann, [], finish_reason=FinishReason.BAD_PROBLEM, reason="which one?")
        else:
            make_annotation(task, ann, [-1] if number in (0, 4) else [1, -1], total_time_ms=20_000)
        if number < 2:
            make_annotation(task, bob, [], finish_reason=FinishReason.GIVE_UP, reason="no idea")
    return campaign


def persons(client, campaign):
    page = client.get(reverse("comparison:campaign", args=[campaign.pk]))
    return {labeler.username: row for row, labeler, _fast in page.context["persons"]}


def test_right_on_gold_means_the_same_on_both_pages(client, reviewer, campaign) -> None:
    figures = persons(client, campaign)
    for row in standings(campaign):
        other = figures[row.user.username]
        assert row.items == other.gold_seen
        assert row.right == round((other.gold_accuracy or 0) * other.gold_seen)
        assert row.totals.known == other.known_seen
        assert row.totals.known_right == round((other.known_accuracy or 0) * other.known_seen)
        assert (row.totals.bad_problems, row.totals.give_ups) == (other.bad_problems, other.give_ups)
    ann = figures["ann"]
    assert (ann.gold_seen, ann.gold_accuracy) == (3, pytest.approx(1 / 3))
    assert (ann.known_seen, ann.known_accuracy) == (7, pytest.approx(3 / 7))


def test_a_checker_is_gold_and_none_of_the_people_who_are_compared(client, reviewer, campaign) -> None:
    page = client.get(reverse("comparison:campaign", args=[campaign.pk]))
    assert set(persons(client, campaign)) == {"ann", "bob"}
    # The checker names step 2 of all seven; ann, who is compared, does of five.
    assert page.context["found"].looks == 5 and not page.context["found"].between.pairs
    assert "imported:checker" not in page.content.decode()


def test_a_labelers_own_word_is_not_what_they_are_measured_by(client, reviewer, campaign) -> None:
    task = campaign.tasks.first()
    make_annotation(task, reviewer, [1, -1])
    assert persons(client, campaign)["rev"].known_seen == 1
    adjudicate(task, reviewer, [1], make_gold=True)
    assert persons(client, campaign)["rev"].known_seen == 0
    (own,) = (row for row in standings(campaign) if row.user == reviewer)
    assert (own.items, own.totals.known) == (0, 0)


def test_who_only_gives_up_is_listed_with_what_they_gave_up(client, reviewer, campaign) -> None:
    bob = persons(client, campaign)["bob"]
    assert (bob.looks, bob.give_ups, bob.bad_problems, bob.seconds) == (0, 2, 0, None)
    page = client.get(reverse("annotations:quality", args=[campaign.pk])).content.decode()
    assert "bob" in page


def test_a_new_exit_is_seen_at_once_on_the_comparison_page(client, reviewer, campaign) -> None:
    persons(client, campaign)
    late = make_user(username="late")
    make_annotation(make_task(campaign), late, [], finish_reason=FinishReason.GIVE_UP, reason="tired")
    assert persons(client, campaign)["late"].give_ups == 1


def test_an_implausible_pace_is_marked_on_both_pages(client, reviewer) -> None:
    campaign = make_campaign(overlap=3)
    people = {
        make_user(username=name): seconds for name, seconds in (("slow", 40), ("calm", 30), ("rash", 5))
    }
    for _ in range(8):
        task = make_task(campaign)
        for person, seconds in people.items():
            make_annotation(task, person, total_time_ms=seconds * 1000)
    page = client.get(reverse("comparison:campaign", args=[campaign.pk]))
    assert [labeler.username for _row, labeler, fast in page.context["persons"] if fast] == ["rash"]
    assert page.content.decode().count("very fast") == 1
    assert [row.user.username for row in standings(campaign) if row.is_too_fast] == ["rash"]
