"""Two searches that agree on the first mistake can label a campaign without people."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from labelsite.accounts.models import Role
from labelsite.autolabels.models import EstimateRun
from labelsite.campaigns.models import Campaign
from labelsite.jobs.models import Job
from labelsite.jobs.tasks import run_here
from labelsite.snapshots import freezing
from labelsite.snapshots.models import Snapshot
from labelsite.snapshots.services import folder_of, freeze
from ml.errors import MisstepError
from ml.snapshot import read_snapshot
from ml.targets import LabelRule
from tests.factories import (
    make_annotation,
    make_campaign,
    make_estimate_run,
    make_estimates,
    make_solution,
    make_task,
    make_user,
)

pytestmark = pytest.mark.django_db
CONSENSUS = LabelRule("automatic", mixture="consensus")
# What the campaign's own search and the second one see of each solution; None: nothing.
SHARES = [([1.0, 0.0, 0.0], [0.5, 0.0, 0.0]), ([1.0, 1.0, 1.0], [1.0, 0.0, 0.0]), ([0.0, 0.0, 0.0], None)]


@pytest.fixture
def second() -> EstimateRun:
    return make_estimate_run(name="Another search")


@pytest.fixture
def campaign(second: EstimateRun) -> Campaign:
    campaign = make_campaign("Sums")
    campaign.estimate_run = make_estimate_run()
    campaign.save()
    for number, (own, other) in enumerate(SHARES):
        solution = make_solution(["a", "b", "c"], problem=f"Problem {number}")
        make_task(campaign, solution)
        make_estimates(solution, own, campaign.estimate_run)
        if other:
            make_estimates(solution, other, second)
    return campaign


def places(snapshot: Snapshot) -> list[tuple[int | None, set[str | None]]]:
    return [(row.first_mistake, set(row.label_source)) for row in read_snapshot(folder_of(snapshot))]


def test_only_solutions_on_which_both_searches_agree_are_frozen_and_the_manifest_says_so(
    campaign: Campaign, second: EstimateRun
):
    snapshot = freeze(campaign, "automatic", CONSENSUS, second=second)
    assert places(snapshot) == [(1, {"automatic", None})]
    found = snapshot.manifest["second_verdicts"]
    assert (found["name"], found["agree"], found["differ"], found["without_verdict"]) == (
        "Another search",
        1,
        1,
        1,
    )
    assert snapshot.manifest["filters"] == {
        "solutions_contradicted_by_second_method": 1,
        "solutions_without_second_verdict": 1,
    }


def test_among_mixed_labels_a_persons_word_is_what_the_search_has_to_agree_with(
    campaign: Campaign, second: EstimateRun
):
    judged, contradicted, _ = campaign.tasks.order_by("pk")
    make_annotation(contradicted, make_user(), [1, 1, 1])
    make_annotation(judged, make_user(), [-1])
    snapshot = freeze(campaign, "mixed", LabelRule(mixture="consensus"), second=second)
    # On the first, the person and the search differ; on the second, which the other search denies, they agree.
    assert places(snapshot) == [(None, {"human"})]
    assert snapshot.manifest["filters"]["solutions_without_agreement"] == 1
    assert snapshot.manifest["counts"]["labels_by_annotator"] == snapshot.manifest["counts"]["rows"] == 1


@pytest.mark.parametrize(
    ("labels", "mixture", "is_own", "complaint"),
    [
        ("automatic", "people_override", False, "only what they agree on"),
        ("human", "consensus", False, "only what they agree on"),
        ("automatic", "consensus", True, "expected another one"),
    ],
)
def test_a_second_search_that_would_change_nothing_is_refused(
    campaign: Campaign, second: EstimateRun, labels: str, mixture: str, is_own: bool, complaint: str
):
    run = campaign.estimate_run if is_own else second
    with pytest.raises(MisstepError, match=complaint):
        freeze(campaign, labels, LabelRule(mixture=mixture), second=run)


@pytest.mark.parametrize("freeze_it", [freeze, freezing.start_freeze])
def test_automatic_labels_have_nothing_to_agree_with_without_a_second_search(
    campaign: Campaign, freeze_it: Any
):
    with pytest.raises(MisstepError, match="choose a second search"):
        freeze_it(campaign, "automatic", CONSENSUS, None, make_user(Role.ADMIN))


def test_a_search_without_first_mistakes_of_solutions_cannot_be_asked_second(
    campaign: Campaign, client: Client
):
    pilot = make_estimate_run(name="Cost of a search", is_pilot=True)
    with pytest.raises(MisstepError, match="holds no first mistakes"):
        freeze(campaign, "automatic", CONSENSUS, second=pilot)
    client.force_login(make_user(Role.ADMIN))
    page = client.get("/snapshots/").content.decode()
    assert "Another search" in page and "Cost of a search" not in page


def test_a_freeze_whose_second_search_is_gone_fails_and_freezes_nothing_else(
    campaign: Campaign, second: EstimateRun, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(freezing, "TASKS_AT_ONCE", 0)
    job = freezing.freeze_or_queue(campaign, "automatic", CONSENSUS, None, make_user(Role.ADMIN), second)
    assert isinstance(job, Job)
    second.delete()
    run_here(job)
    job.refresh_from_db()
    assert "no longer there" in job.error and not Snapshot.objects.exists()


@pytest.mark.parametrize("is_large", [False, True])
def test_the_form_asks_for_the_second_search_also_of_a_campaign_that_a_job_freezes(
    campaign: Campaign, second: EstimateRun, client: Client, monkeypatch: pytest.MonkeyPatch, is_large: bool
):
    monkeypatch.setattr(freezing, "TASKS_AT_ONCE", 0 if is_large else 10)
    client.force_login(make_user(Role.ADMIN))
    chosen = {"campaign": campaign.pk, "labels": "automatic", "neutral": "positive", "target": "hard"}
    response: Any = client.post("/snapshots/", {**chosen, "mixture": "consensus", "second_run": second.pk})
    assert response.status_code == 302
    if is_large:
        run_here(Job.objects.get())
    snapshot = Snapshot.objects.get()
    assert places(snapshot) == [(1, {"automatic", None})]
    page = client.get(f"/snapshots/{snapshot.pk}/").content.decode()
    assert "solutions confirmed: 1, contradicted: 1, without its verdict: 1" in page
    assert "solutions on which two methods do not agree" in page
    refused: Any = client.post(
        "/snapshots/", {**chosen, "mixture": "people_override", "second_run": second.pk}
    )
    assert refused.status_code == 400 and "only what they agree on" in refused.content.decode()


def test_the_api_takes_the_second_search(campaign: Campaign, second: EstimateRun, client: Client):
    client.force_login(make_user(Role.ADMIN))
    body = {"campaign": campaign.pk, "labels": "automatic", "rule": {"mixture": "consensus"}}
    answer: Any = client.post(
        "/api/v1/snapshots/", {**body, "second_run": second.pk}, content_type="application/json"
    )
    assert answer.status_code == 201 and answer.json()["counts"]["rows"] == 1
