"""What no page of ours would send is refused in so many words, and costs neither an error page nor the disk."""

from __future__ import annotations

import io
import json
import uuid

import pytest
from django.core.files import uploadhandler
from django.test import Client

from labelsite.annotations import uploads
from labelsite.campaigns.models import Assignment, Membership
from tests.campaigns.leases import claim_next
from tests.factories import make_campaign, make_task, make_token, make_user

pytestmark = pytest.mark.django_db

# Larger than any row's id, and nested deeper than Python reads.
BEYOND = 10**25
DEEP = "[" * 100_000
JSON = "application/json"


@pytest.fixture
def lease() -> Assignment:
    person = make_user()
    campaign = make_campaign(members=[person])
    make_task(campaign)
    return claim_next(campaign, person)


@pytest.fixture
def page(lease) -> Client:
    """The annotator's browser."""
    client = Client()
    client.force_login(lease.annotator)
    return client


@pytest.fixture
def admin() -> Client:
    client = Client()
    client.force_login(make_user("admin"))
    return client


def test_json_that_is_nested_too_deeply_is_malformed_for_the_page_and_the_api(page, lease) -> None:
    for address in (f"/annotate/{lease.task.campaign_id}/next/", "/api/v1/annotations/"):
        assert page.post(address, DEEP, content_type=JSON).status_code == 400, address


def test_a_draft_of_any_depth_is_kept_or_refused(page, lease) -> None:
    for depth in range(850, 1000, 5):
        said = json.dumps({"version": 0, "token": str(lease.token), "draft": {"a": "DEEP"}})
        said = said.replace('"DEEP"', "[" * depth + "]" * depth)
        address = f"/annotate/task/{lease.pk}/draft/"
        assert page.post(address, said, content_type=JSON).status_code in (200, 400, 409, 422), depth


def test_an_id_that_no_row_can_have_is_not_found(page) -> None:
    said = {"token": str(uuid.uuid4()), "key": str(uuid.uuid4()), "version": 0, "draft": {}, "revision": 1}
    said["judgement"] = {"finish_reason": "solution"}
    for address in (
        f"/annotate/{BEYOND}/next/",
        f"/annotate/task/{BEYOND}/draft/",
        f"/annotate/task/{BEYOND}/heartbeat/",
        f"/annotate/task/{BEYOND}/submit/",
        f"/annotate/annotation/{BEYOND}/revise/",
        f"/api/v1/assignments/{BEYOND}/heartbeat/",
        f"/api/v1/campaigns/{BEYOND}/next/",
    ):
        answer = page.post(address, said, content_type=JSON)
        assert answer.status_code == 404 and answer.json()["code"] == "not_found", address


def test_an_id_in_a_body_that_no_row_can_have_is_refused_or_passed_over(page, lease) -> None:
    said = {"token": str(lease.token), "idempotency_key": str(uuid.uuid4()), "assignment": BEYOND}
    said["judgement"] = {"finish_reason": "solution"}
    answer = page.post("/api/v1/annotations/", said, content_type=JSON)
    assert answer.status_code == 400 and "assignment" in answer.json()["errors"]
    address = f"/annotate/{lease.task.campaign_id}/next/"
    answer = page.post(address, {"besides": BEYOND}, content_type=JSON)
    assert answer.json()["assignment"] == lease.pk


def test_a_nul_in_a_name_is_a_bad_request(admin, page, lease) -> None:
    campaign, person = lease.task.campaign_id, lease.annotator_id
    start = f"/campaigns/{campaign}"
    assert admin.get(f"{start}/tasks/", {"kind": "\0"}).status_code == 400
    assert admin.get(f"{start}/tasks/", {"section": "\0"}).status_code == 400
    assert admin.post(f"{start}/sections/rename/", {"old": "\0", "section": "x"}).status_code == 400
    for name in ("\0", "y" * 61):
        assert admin.post(f"{start}/members/{person}/sections/", {"section": [name]}).status_code == 400
        assert page.post(f"{start}/section/", {"section": name}).status_code == 400
    assert Membership.objects.get().sections == []
    address = f"/api/v1/campaigns/{campaign}/members/%00/sections/"
    assert admin.put(address, {"sections": []}, content_type=JSON).status_code == 404


@pytest.fixture
def on_disk(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The bytes of files that were written while a request was read."""
    written: list[int] = []
    receive = uploadhandler.TemporaryFileUploadHandler.receive_data_chunk

    def note(self: object, raw_data: bytes, start: int) -> None:
        written.append(len(raw_data))
        receive(self, raw_data, start)

    monkeypatch.setattr(uploadhandler.TemporaryFileUploadHandler, "receive_data_chunk", note)
    return written


def large_file() -> io.BytesIO:
    file = io.BytesIO(b"x" * 5_000_000)
    file.name = "large.jsonl"
    return file


def test_a_stranger_or_an_annotator_writes_no_file_to_disk(on_disk) -> None:
    stranger, annotator = Client(enforce_csrf_checks=True), Client(enforce_csrf_checks=True)
    annotator.force_login(make_user())
    stranger.get("/login/")
    annotator.get("/settings/")
    for client in (stranger, annotator):
        # With the cookie, but not the token: it is looked for in the form.
        assert "csrftoken" in client.cookies
        for address in ("/login/", "/import/"):
            said = {"csrfmiddlewaretoken": "wrong", "file": large_file()}
            assert client.post(address, said).status_code == 403
    with_token = {"Authorization": f"Token {make_token(make_user())}"}
    for headers in ({}, with_token):
        said = {"file": large_file(), "campaign": "x"}
        assert stranger.post("/api/v1/imports/", said, headers=headers).status_code in (401, 403)
    assert on_disk == []


def test_an_admin_still_uploads_by_the_page_and_by_the_api(on_disk, admin, settings, tmp_path) -> None:
    settings.MEDIA_ROOT = tmp_path
    assert admin.post("/import/", {"file": large_file()}).status_code == 302
    with_token = {"Authorization": f"Token {make_token(make_user('admin'))}"}
    said = {"file": large_file(), "campaign": "x", "format": "processbench"}
    answer = Client().post("/api/v1/imports/", said, headers=with_token)
    assert answer.status_code == 202, json.dumps(answer.json())
    assert sum(on_disk) == 10_000_000 and uploads._folder() == tmp_path
