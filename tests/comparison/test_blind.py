"""Blind labels: what people said before they saw the machine's, also where they changed it afterwards."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.urls import reverse

from labelsite.accounts.models import User
from labelsite.annotations import services
from labelsite.annotations.models import Annotation
from labelsite.campaigns.models import Campaign
from labelsite.comparison import disagreements, evidence
from labelsite.comparison.against import EVERYBODY, Against
from labelsite.comparison.disagreements import Kind
from labelsite.comparison.overview import overview
from tests.annotations.submissions import STEPS, judgement, submit
from tests.campaigns.leases import claim_next
from tests.factories import (
    PASSWORD,
    make_campaign,
    make_estimate_run,
    make_estimates,
    make_solution,
    make_task,
    make_user,
)

pytestmark = pytest.mark.django_db
BLIND = Against(is_blind=True)
MISTAKE_AT = {0: (-1,), 1: (1, -1), None: (1, 1, 1)}


@pytest.fixture
def annotator() -> User:
    return make_user()


@pytest.fixture
def campaign(annotator: User) -> Campaign:
    """One task, of which the run says that its second step is wrong."""
    run = make_estimate_run()
    campaign = make_campaign(members=[annotator], estimate_run=run)
    solution = make_solution(STEPS)
    make_estimates(solution, [1.0, 0.0, 0.0], run, 1)
    make_task(campaign, solution)
    return campaign


def said(annotation: Annotation, place: int | None, **more) -> Annotation:
    """The person changes what they said."""
    wanted = judgement(annotation.task, *MISTAKE_AT[place], alternatives=(1, 1), **more)
    return services.revise(annotation, annotation.revision, uuid4(), wanted)


def first(campaign: Campaign, against: Against) -> list[int]:
    return evidence.looks_at(campaign, against)["first"].tolist()


def test_a_label_that_was_changed_after_the_reveal_counts_as_it_was_before(campaign, annotator):
    look = said(submit(claim_next(campaign, annotator), *MISTAKE_AT[None]), 0)
    services.reveal(look)
    look.refresh_from_db()
    changed = said(said(look, 0), 1)
    assert (changed.revision, changed.changed_after_reveal) == (4, True)
    assert first(campaign, EVERYBODY) == [1]
    assert first(campaign, BLIND) == [0]
    said(changed, None)
    assert first(campaign, EVERYBODY) == [-1]
    assert (
        first(campaign, BLIND) == first(campaign, Against(annotators=(annotator.pk,), is_blind=True)) == [0]
    )


def test_a_label_that_was_seen_beside_the_machines_and_kept_is_blind(campaign, annotator):
    look = submit(claim_next(campaign, annotator), *MISTAKE_AT[None])
    services.reveal(look)
    look.refresh_from_db()
    said(look, None)
    assert first(campaign, BLIND) == [-1]


def test_a_solution_that_was_given_up_after_the_reveal_keeps_its_blind_label(campaign, annotator):
    look = submit(claim_next(campaign, annotator), *MISTAKE_AT[0])
    services.reveal(look)
    look.refresh_from_db()
    said(look, 0, finish_reason="bad_problem", reason="asks nothing", ratings=[])
    assert first(campaign, EVERYBODY) == []
    assert first(campaign, BLIND) == [0]
    page = overview(campaign, campaign.estimate_run, BLIND, has_gold=False)
    assert (page.both, page.kinds.later) == (1, 1)


def test_the_page_and_its_list_show_the_blind_label(campaign, annotator):
    look = submit(claim_next(campaign, annotator), *MISTAKE_AT[0])
    services.reveal(look)
    look.refresh_from_db()
    said(look, 1)
    run = campaign.estimate_run
    kinds = {against: overview(campaign, run, against, False).kinds for against in (EVERYBODY, BLIND)}
    assert (kinds[EVERYBODY].agree, kinds[EVERYBODY].later) == (1, 0)
    assert (kinds[BLIND].agree, kinds[BLIND].later) == (0, 1)
    assert disagreements.task_ids(campaign, run, Kind.LATER) == []
    tasks = disagreements.task_ids(campaign, run, Kind.LATER, against=BLIND)
    assert [row.people for row in disagreements.rows(tasks, run, BLIND)] == [[0]]
    assert [row.people for row in disagreements.rows(tasks, run)] == [[1]]


def test_an_annotator_agrees_with_the_run_by_blind_labels_where_only_those_are_asked_for(
    client, campaign, annotator
):
    look = submit(claim_next(campaign, annotator), *MISTAKE_AT[0])
    services.reveal(look)
    look.refresh_from_db()
    said(look, 1)
    for against, agreement in ((EVERYBODY, 1.0), (BLIND, 0.0)):
        (row,) = overview(campaign, campaign.estimate_run, against, False).persons
        assert (row.machine_agreement, row.machine_count, row.steps) == (agreement, 1, 2)
    reviewer = make_user("reviewer")
    client.login(username=reviewer.username, password=PASSWORD)
    address = reverse("comparison:campaign", args=[campaign.pk])
    told = "counts blind labels only"
    assert told in client.get(address, {"blind": 1}).content.decode()
    assert told not in client.get(address).content.decode()
