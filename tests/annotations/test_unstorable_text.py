"""Text that PostgreSQL cannot keep is refused at every door; a server error would be tried again for ever."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest

from labelsite.annotations import services
from labelsite.annotations.judgement import Unlawful
from tests.annotations.submissions import judgement
from tests.factories import make_token

pytestmark = pytest.mark.django_db
HALF = "half an emoji: \ud83d"


@pytest.mark.parametrize(
    "draft", [{"reason": HALF}, {HALF: 1}, {"written": [HALF]}, {"reason": "a\0b"}, {"elapsed": float("nan")}]
)
def test_a_draft_that_cannot_be_stored_is_refused(lease, draft) -> None:
    with pytest.raises(Unlawful, match="not a draft"):
        services.save_draft(lease.pk, lease.annotator, str(lease.token), 0, draft)
    lease.refresh_from_db()
    assert (lease.draft, lease.draft_version) == ({}, 0)


def test_a_whole_emoji_and_other_scripts_are_kept(lease) -> None:
    draft = {"reason": "두 번 더했다 \U0001f600"}
    services.save_draft(lease.pk, lease.annotator, str(lease.token), 0, draft)
    lease.refresh_from_db()
    assert lease.draft == draft


def test_the_page_is_told_that_half_an_emoji_is_malformed(lease, client) -> None:
    client.force_login(lease.annotator)
    said = judgement(lease.task, 1, -1, alternatives=(1, 1), reason=HALF)
    for door, body in (("draft", {"version": 0, "draft": {"reason": HALF}}), ("submit", {"judgement": said})):
        answer = client.post(
            f"/annotate/task/{lease.pk}/{door}/",
            json.dumps({"token": str(lease.token), "key": str(uuid4()), **body}),
            content_type="application/json",
        )
        assert (answer.status_code, answer.json()["code"]) == (422, "malformed")


def test_a_script_is_told_so_too(lease, client) -> None:
    held = {"token": str(lease.token)}
    said = judgement(lease.task, 1, -1, alternatives=(1, 1), reason=HALF)
    sent = {"assignment": lease.pk, "idempotency_key": str(uuid4()), "judgement": said, **held}
    drafted = {"version": 0, "draft": {"reason": HALF}, **held}
    asked = {
        "content_type": "application/json",
        "headers": {"Authorization": f"Token {make_token(lease.annotator)}"},
    }
    assert client.post("/api/v1/annotations/", json.dumps(sent), **asked).status_code == 400
    assert (
        client.put(f"/api/v1/assignments/{lease.pk}/draft/", json.dumps(drafted), **asked).status_code == 422
    )
