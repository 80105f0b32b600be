"""The page and the API tell the same refusal with the same status, code and words."""

from __future__ import annotations

import json

import pytest
from django.test import RequestFactory

from labelsite.annotations.conflicts import AlreadySubmitted, Closed, KeyReused, ProtocolChanged, StaleDraft
from labelsite.annotations.json_requests import json_post
from labelsite.annotations.judgement import Unlawful
from labelsite.annotations.refusals import refusal_of
from labelsite.api.problems import handle
from labelsite.campaigns.leases import LeaseLost
from labelsite.campaigns.models import Assignment
from tests.factories import make_user

ERRORS = [
    (Unlawful("gap", "Step 2 is not rated."), 422, "gap"),
    (LeaseLost(), 409, "lease_lost"),
    (StaleDraft({"ratings": {}}, 3), 409, "stale_draft"),
    (AlreadySubmitted(), 409, "already_submitted"),
    (KeyReused(), 409, "key_reused"),
    (ProtocolChanged(), 409, "protocol_changed"),
    (Closed("This can no longer be changed."), 409, "closed"),
    (Assignment.DoesNotExist(), 404, "not_found"),
]


@pytest.mark.django_db
@pytest.mark.parametrize(("error", "status", "code"), ERRORS, ids=lambda value: type(value).__name__)
def test_both_doors_refuse_alike(error: Exception, status: int, code: str) -> None:
    def refusing(request, body):
        raise error

    request = RequestFactory().post("/", "{}", content_type="application/json")
    request.user = make_user()
    page = json_post(refusing)(request)
    script = handle(error, {})
    assert page.status_code == script.status_code == status
    told = json.loads(page.content)
    assert told["code"] == script.data["code"] == code
    assert told["message"] == script.data["detail"] != ""
    if code == "stale_draft":
        assert told["draft"] == script.data["draft"] and told["version"] == script.data["version"] == 3


def test_a_hold_that_ended_may_have_gone_to_the_same_person_in_another_tab() -> None:
    refusal = refusal_of(LeaseLost())
    assert refusal and "taken up elsewhere" in refusal.text and "somebody else" not in refusal.text


@pytest.mark.django_db
def test_what_is_no_refusal_stays_an_error() -> None:
    def failing(request, body):
        raise ZeroDivisionError

    request = RequestFactory().post("/", "{}", content_type="application/json")
    request.user = make_user()
    with pytest.raises(ZeroDivisionError):
        json_post(failing)(request)
    assert handle(ZeroDivisionError(), {}) is None
