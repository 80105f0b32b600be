"""A judgement is stored with the guideline that its person saw, which need not be the newest one."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest

from labelsite.annotations import services
from labelsite.annotations.judgement import Unlawful
from labelsite.campaigns.models import Assignment
from labelsite.campaigns.services import update_campaign
from tests.annotations.submissions import STEPS, judgement, submit
from tests.campaigns.leases import claim_next
from tests.factories import make_solution, make_task, make_token

pytestmark = pytest.mark.django_db


@pytest.fixture
def changed(campaign, lease) -> Assignment:
    """The lease of a person whose page stands open while the guideline gets its second version."""
    update_campaign(campaign, {"guideline": "Look twice.", "asks_reason": True})
    return lease


def test_the_version_that_was_seen_is_stored_and_not_the_newest(changed) -> None:
    assert submit(changed, 1, 1, 1, guideline_version=1).guideline_version == 1


def test_a_correction_is_stored_with_the_version_that_it_was_made_by(changed) -> None:
    first = submit(changed, 1, 1, 1, guideline_version=1)
    said = judgement(changed.task, 1, 0, 1)
    assert services.revise(first, 1, uuid4(), {**said, "guideline_version": 2}).guideline_version == 2
    assert services.revise(first, 2, uuid4(), {**said, "guideline_version": 1}).guideline_version == 1


def test_where_two_people_look_the_version_seen_is_stored_too(campaign, annotator) -> None:
    update_campaign(campaign, {"guideline": "Look twice."})
    make_task(campaign, make_solution(STEPS), overlap=2)
    assert submit(claim_next(campaign, annotator), 1, 1, 1, guideline_version=1).guideline_version == 1


def test_a_script_that_names_no_version_is_taken_to_know_the_newest(changed) -> None:
    assert submit(changed, 1, 1, 1).guideline_version == 2


@pytest.mark.parametrize("version", [0, -1, 3, 10**9])
def test_a_version_that_does_not_exist_is_refused(changed, version) -> None:
    with pytest.raises(Unlawful) as refused:
        submit(changed, 1, 1, 1, guideline_version=version)
    assert refused.value.code == "guideline_version"
    with pytest.raises(Unlawful, match="not a judgement"):
        submit(changed, 1, 1, 1, guideline_version="2")


def test_both_doors_tell_what_the_campaign_asks_now_and_take_the_version_seen(
    changed, campaign, annotator, client
) -> None:
    client.force_login(annotator)
    page = client.get(f"/annotate/{campaign.pk}/").context
    asked = {"guideline_version": 2, "asks_reason": True, "protocol": "first_mistake"}
    assert {name: page["payload"][name] for name in asked} == asked
    assert page["configuration"]["guidelineVersion"] == 2
    client.logout()
    headers = {"Authorization": f"Token {make_token(annotator)}"}
    found = client.post(f"/api/v1/campaigns/{campaign.pk}/next/", headers=headers).json()
    assert {name: found[name] for name in asked} == asked
    body = {
        "assignment": changed.pk,
        "token": str(changed.token),
        "idempotency_key": str(uuid4()),
        "judgement": judgement(changed.task, 1, 1, 1, guideline_version=1),
    }
    sent = client.post(
        "/api/v1/annotations/", json.dumps(body), content_type="application/json", headers=headers
    )
    assert sent.status_code == 201, sent.content
    assert changed.task.annotations.get().guideline_version == 1
