"""My day: figures, history, and gold told only when it can no longer be used."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from labelsite.annotations import history, services
from labelsite.annotations.history import gold_standing, gold_text
from labelsite.annotations.models import Annotation
from labelsite.campaigns.models import Exposure, TaskKind
from labelsite.campaigns.queue import EVERYBODY
from tests.campaigns.leases import claim_next
from tests.factories import (
    make_annotation,
    make_campaign,
    make_estimate_run,
    make_solution,
    make_task,
    make_user,
)

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("gold", "text"),
    [
        ([2], "reasonable to mark step 3"),
        ([3, 2], "reasonable to mark step 3 or 4"),
        ([-1], "reasonable to find no mistake"),
        ([-1, 4], "reasonable to mark step 5 or reasonable to find no mistake"),
    ],
)
def test_gold_is_told_in_words(gold, text) -> None:
    assert gold_text(gold) == text


def test_gold_feedback_waits_until_the_label_is_closed(client) -> None:
    user = make_user()
    campaign = make_campaign(members=[user], gold_rate=1.0)
    for gold in ([0], [1]):
        make_task(
            campaign, make_solution(["Wrong.", "Right."]), kind=TaskKind.GOLD, gold=gold, overlap=EVERYBODY
        )
    make_task(campaign)
    client.force_login(user)
    for expected in (0, 1):
        lease = claim_next(campaign, user)
        step = lease.task.solution.step_rows.get(position=0)
        said = {"finish_reason": "found_error", "ratings": [{"step": step.pk, "rating": -1}]}
        services.submit(lease, str(lease.token), uuid4(), said)
        assert client.get("/my-day/").content.decode().count("reasonable to mark step") == expected


def test_the_share_of_gold_does_not_move_while_the_label_can_still_be_changed(client) -> None:
    user = make_user()
    campaign = make_campaign(members=[user])
    client.force_login(user)
    for gold, counted in (([0], (0, 0)), ([0], (1, 0)), ([-1], (2, 0))):
        make_annotation(make_task(campaign, kind=TaskKind.GOLD, gold=gold, overlap=EVERYBODY), user)
        shown = client.get("/my-day/").context["gold"]
        assert (shown["count"], shown["right"]) == counted
    make_annotation(make_task(campaign), user)
    assert client.get("/my-day/").context["gold"]["right"] == 1


def test_the_agreement_tells_nothing_of_a_label_that_can_still_be_changed(client) -> None:
    """Not to whoever tries one step after the other, nor by what one more label adds to it."""
    user, colleague = make_user(), make_user()
    campaign = make_campaign(members=[user, colleague], shows_agreement=True, overlap=2)
    client.force_login(user)
    step = history.AGREEMENT_STEP
    for number in range(step + 2):
        task = make_task(campaign)
        make_annotation(task, colleague, trajectory=(1, -1) if number % 2 else (1, 1))
        make_annotation(task, user)
        told = client.get("/my-day/").context["others"]
        assert told["pairs"] == (step if number >= step else 0)
    disagreed = Annotation.objects.filter(annotator=colleague, finish_reason="found_error").earliest("pk")
    mine = Annotation.objects.get(task=disagreed.task, annotator=user)
    Annotation.objects.filter(pk=mine.pk).update(is_live=False)
    copied = {"trajectory": [1, -1], "finish_reason": "found_error"}
    Annotation.objects.create(task=mine.task, annotator=user, revision=2, **copied)
    assert client.get("/my-day/").context["others"] == told == {"pairs": step, "share": 0.5}


@pytest.mark.parametrize(
    ("is_shown", "told"), [(True, {"pairs": 1, "share": 1.0}), (False, {"pairs": 0, "share": None})]
)
def test_the_agreement_is_told_only_of_campaigns_that_show_it(client, monkeypatch, is_shown, told) -> None:
    monkeypatch.setattr(history, "AGREEMENT_STEP", 1)
    user, colleague = make_user(), make_user()
    campaign = make_campaign(members=[user, colleague], shows_agreement=is_shown, overlap=2)
    for _ in range(2):
        task = make_task(campaign)
        make_annotation(task, colleague)
        make_annotation(task, user)
    client.force_login(user)
    assert client.get("/my-day/").context["others"] == told


def test_neither_the_buttons_nor_the_agreement_tell_that_the_last_one_was_gold(client, monkeypatch) -> None:
    monkeypatch.setattr(history, "AGREEMENT_STEP", 1)
    user = make_user()
    campaign = make_campaign(members=[user], shows_agreement=True, estimate_run=make_estimate_run())
    gold = make_task(campaign, kind=TaskKind.GOLD, gold=[0], overlap=EVERYBODY)
    make_annotation(gold, make_user(), exposure=Exposure.AFTER)
    client.force_login(user)
    for task, pairs in ((make_task(campaign), 0), (gold, 0), (make_task(campaign), 1)):
        make_annotation(task, user, exposure=Exposure.AFTER)
        page = client.get("/my-day/").context
        assert all(entry.can_look for entry in page["entries"])
        assert page["others"]["pairs"] == pairs
    look = Annotation.objects.get(task=gold, annotator=user)
    assert client.get(f"/annotate/annotation/{look.pk}/second-look/").status_code == 200


def test_whose_word_the_gold_is_has_not_got_it_right() -> None:
    user = make_user("reviewer", username="rev")
    campaign = make_campaign(members=[user])
    for source in ("adjudicated by rev", "adjudicated by somebody"):
        task = make_task(campaign, kind=TaskKind.GOLD, gold=[-1], gold_source=source, overlap=EVERYBODY)
        make_annotation(task, user)
    make_annotation(make_task(campaign), user)
    assert gold_standing(user) == {"count": 1, "right": 1, "share": 1.0}


def test_a_correction_moves_no_solution_to_another_day(client, monkeypatch) -> None:
    user = make_user()
    task = make_task(make_campaign(members=[user]))
    yesterday = timezone.now() - timedelta(days=1)
    with monkeypatch.context() as clock:
        clock.setattr(timezone, "now", lambda: yesterday)
        make_annotation(task, user, is_live=False, total_time_ms=4000)
    corrected = {"trajectory": [1, -1], "finish_reason": "found_error", "total_time_ms": 9000}
    Annotation.objects.create(task=task, annotator=user, revision=2, **corrected)
    client.force_login(user)
    page = client.get("/my-day/").context
    assert [(day.day, day.count, day.seconds) for day in page["days"]] == [
        (timezone.localdate(yesterday), 1, 4.0)
    ]
    assert (page["today"]["count"], page["today"]["total"]) == (0, 1)


def test_the_history_goes_on_page_by_page_and_costs_the_same(client, django_assert_max_num_queries) -> None:
    user = make_user()
    campaign = make_campaign(members=[user], shows_agreement=True)
    colleague = make_user()
    for _ in range(30):
        task = make_task(campaign, overlap=2)
        make_annotation(task, user, total_time_ms=4000)
        make_annotation(task, colleague, trajectory=(1, -1))
    client.force_login(user)
    with django_assert_max_num_queries(13):
        page = client.get("/my-day/")
    assert len(page.context["entries"]) == 25
    rest = client.get(f"/my-day/?before={page.context['further']}")
    assert len(rest.context["entries"]) == 5 and rest.context["further"] is None
    assert page.context["others"] == {"pairs": 20, "share": 0.0}
    assert page.context["today"]["median_seconds"] == 4.0


@pytest.mark.parametrize("zone", ["UTC", "Asia/Seoul"])
def test_days_name_the_zone_that_they_are_counted_in(client, settings, zone) -> None:
    settings.TIME_ZONE = zone
    user = make_user("reviewer")
    annotation = make_annotation(make_task(make_campaign(members=[user])), user)
    annotation.task.assignments.update(state="submitted")
    client.force_login(user)
    page = client.get("/my-day/").content.decode()
    assert f"solutions today ({zone})" in page and f">Day ({zone})</th>" in page
    campaign = client.get(f"/campaigns/{annotation.task.campaign_id}/").content.decode()
    assert f"Annotations a day, last two weeks ({zone})" in campaign
