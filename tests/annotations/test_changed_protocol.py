"""A judgement that was made under one protocol is not taken for one under another."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest

from labelsite.annotations import services
from labelsite.annotations.conflicts import ProtocolChanged
from labelsite.annotations.judgement import Unlawful
from labelsite.annotations.models import Annotation
from labelsite.campaigns.services import update_campaign
from tests.annotations.submissions import STEPS, judgement, submit
from tests.campaigns.leases import claim_next
from tests.factories import make_solution, make_task, make_token

pytestmark = pytest.mark.django_db


def test_a_look_made_under_the_protocol_before_is_refused_and_its_draft_kept(
    campaign, lease, annotator
) -> None:
    services.save_draft(lease.pk, annotator, str(lease.token), 0, {"first": 1})
    update_campaign(campaign, {"protocol": "index_only"})
    with pytest.raises(ProtocolChanged):
        submit(lease, 0, 0, 0, protocol="first_mistake")
    assert not Annotation.objects.exists()
    lease.refresh_from_db()
    assert (lease.state, lease.draft) == ("leased", {"first": 1})
    assert submit(lease, 1, 1, 1, protocol="index_only").trajectory == [1, 1, 1]


def test_so_it_is_where_two_people_look_and_for_a_correction(campaign, lease, annotator) -> None:
    first = submit(lease, 1, 0, 1, protocol="first_mistake")
    make_task(campaign, make_solution(STEPS), overlap=2)
    shared = claim_next(campaign, annotator)
    update_campaign(campaign, {"protocol": "index_only"})
    with pytest.raises(ProtocolChanged):
        submit(shared, 0, 0, 0, protocol="first_mistake")
    with pytest.raises(ProtocolChanged):
        services.revise(first, 1, uuid4(), judgement(lease.task, 0, 0, 0, protocol="first_mistake"))
    assert Annotation.objects.get().trajectory == [1, 0, 1]


def test_a_repeated_request_is_answered_also_after_the_protocol_changed(campaign, lease) -> None:
    key = uuid4()
    first = submit(lease, 0, 0, 0, key=key, protocol="first_mistake")
    update_campaign(campaign, {"protocol": "index_only"})
    assert submit(lease, 0, 0, 0, key=key, protocol="first_mistake").pk == first.pk


def test_a_script_that_names_no_protocol_is_judged_by_the_present_one(campaign, lease) -> None:
    update_campaign(campaign, {"protocol": "index_only"})
    with pytest.raises(Unlawful):
        submit(lease, 0, 0, 0)
    assert submit(lease, 1, 1, 1).trajectory == [1, 1, 1]


@pytest.mark.parametrize("protocol", ["second_mistake", "", 1, ["index_only"]])
def test_what_is_no_protocol_is_refused(lease, protocol) -> None:
    with pytest.raises(Unlawful, match="not a judgement"):
        submit(lease, 1, 1, 1, protocol=protocol)


def test_both_doors_refuse_with_a_conflict_that_says_what_to_do(campaign, lease, annotator, client) -> None:
    update_campaign(campaign, {"protocol": "index_only"})
    said = {"judgement": judgement(lease.task, 0, 0, 0, protocol="first_mistake"), "token": str(lease.token)}
    key, json_type = str(uuid4()), "application/json"
    headers = {"Authorization": f"Token {make_token(annotator)}"}
    body = json.dumps({**said, "assignment": lease.pk, "idempotency_key": key})
    script = client.post("/api/v1/annotations/", body, content_type=json_type, headers=headers)
    client.force_login(annotator)
    url = f"/annotate/task/{lease.pk}/submit/"
    page = client.post(url, json.dumps({**said, "key": key}), content_type=json_type)
    assert page.status_code == script.status_code == 409
    assert page.json()["code"] == script.json()["code"] == "protocol_changed"
    assert "judge the task as the page asks now" in page.json()["message"]


def test_a_refused_correction_says_that_the_earlier_submission_stands(
    campaign, lease, annotator, client
) -> None:
    first = submit(lease, 1, 0, 1, protocol="first_mistake")
    update_campaign(campaign, {"protocol": "index_only"})
    said = judgement(lease.task, 0, 0, 0, protocol="first_mistake")
    json_type, key = "application/json", str(uuid4())
    client.force_login(annotator)
    url = f"/annotate/annotation/{first.pk}/revise/"
    page = client.post(
        url, json.dumps({"judgement": said, "revision": 1, "key": key}), content_type=json_type
    )
    assert (page.status_code, page.json()["code"]) == (409, "protocol_changed")
    assert "Your earlier submission stands" in page.json()["message"]
    assert "draft" not in page.json()["message"]
