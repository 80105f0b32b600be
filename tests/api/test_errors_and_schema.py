"""Errors are problems in clear words, and the schema and its page say what there is."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import URLPattern
from drf_spectacular.generators import SchemaGenerator
from rest_framework.test import APIClient

from labelsite.accounts.models import User
from labelsite.api.base import PAGING
from labelsite.api.once import KEY_HEADER
from labelsite.api.schema import _operations
from labelsite.api.urls import version_1
from labelsite.campaigns.models import Campaign
from tests.api.conformance import complaints
from tests.api.conftest import script_of
from tests.factories import make_campaign, make_task, make_token, make_user

pytestmark = pytest.mark.django_db


def documented(route: URLPattern) -> str:
    """A route as the schema writes it; its generator calls a primary key `id`."""
    return re.sub(r"<(?:int|str):(\w+)>", r"{\1}", str(route.pattern)).replace("{pk}", "{id}")


def test_no_token_and_an_unknown_token_are_told_apart():
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION="Bearer wrong")
    response = client.get("/api/v1/campaigns/")
    assert (response.status_code, response.json()["code"]) == (401, "not_authenticated")
    assert "Authorization: Token" in response.json()["detail"]
    client.credentials(HTTP_AUTHORIZATION="Token wrong")
    response = client.get("/api/v1/campaigns/")
    assert (response.status_code, response.json()["code"]) == (401, "authentication_failed")
    assert response.headers["WWW-Authenticate"] == "Token"
    assert response.headers["Content-Type"] == "application/problem+json"


def test_a_token_in_the_address_opens_nothing(ann: User):
    token, address = make_token(ann), "/api/v1/campaigns/"
    assert APIClient().get(address, headers={"Authorization": f"Token {token}"}).status_code == 200
    assert APIClient().get(f"{address}?token={token}").status_code == 401


@pytest.mark.parametrize(
    ("body", "content_type", "status", "code"),
    [
        ("{", "application/json", 400, "parse_error"),
        ("<a/>", "application/xml", 415, "unsupported_media_type"),
        ("[]", "application/json", 400, "invalid"),
    ],
)
def test_a_body_that_is_no_json_object_is_refused(
    admin: APIClient, body: str, content_type: str, status: int, code: str
):
    response = admin.generic("POST", "/api/v1/campaigns/", body, content_type)
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert status != 415 or response.json()["detail"].endswith("Expected application/json.")


def test_a_word_that_is_no_choice_is_told_with_the_choices(admin: APIClient):
    response = admin.post("/api/v1/campaigns/", {"name": "x", "protocol": "first"}, format="json")
    (said,) = response.json()["errors"]["protocol"]
    assert said == "'first', expected one of first_mistake, every_option, index_only"


@pytest.mark.parametrize("asked", ["application/x-ndjson", "application/problem+json", "text/html", "*/*"])
def test_whoever_asks_for_a_media_type_that_an_answer_has_is_answered(
    admin: APIClient, campaign: Campaign, asked: str
):
    lines = admin.get(f"/api/v1/campaigns/{campaign.pk}/annotations/", headers={"Accept": asked})
    assert (lines.status_code, lines.headers["Content-Type"]) == (200, "application/x-ndjson")
    missing = admin.get("/api/v1/campaigns/0/", headers={"Accept": asked})
    assert (missing.status_code, missing.headers["Content-Type"]) == (404, "application/problem+json")


def test_a_wrong_method_is_a_problem_too(admin: APIClient):
    response = admin.delete("/api/v1/campaigns/")
    assert (response.status_code, response.json()["code"]) == (405, "method_not_allowed")


def test_a_page_of_the_browser_needs_its_csrf_token():
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(make_user("admin"))
    assert client.post("/api/v1/campaigns/", {"name": "x"}, format="json").status_code == 403
    assert client.get("/api/v1/campaigns/").status_code == 200


def test_pages_follow_each_other_and_their_size_is_bounded(admin: APIClient):
    names = [make_campaign().name for _ in range(5)]
    seen = []
    url = "/api/v1/campaigns/?page_size=2"
    while url:
        page = admin.get(url).json()
        seen += [campaign["name"] for campaign in page["results"]]
        url = page["next"]
    assert seen == names[::-1]


def test_the_schema_is_valid_and_names_every_endpoint(tmp_path):
    path = tmp_path / "schema.yml"
    call_command("spectacular", validate=True, fail_on_warn=True, file=str(path))
    written = re.findall(r"^  (/api/v1/\S+):$", path.read_text(), re.MULTILINE)
    assert set(written) == {"/api/v1/" + documented(route) for route in version_1}


def test_an_answer_is_what_the_schema_says(ann: User, campaign: Campaign):
    client, place = script_of(ann), f"/api/v1/campaigns/{campaign.pk}/"

    def said(method: str, path: str, status: int) -> Any:
        answer = client.generic(method, path)
        assert answer.status_code == status
        assert complaints(method, path, answer) == []
        return answer

    assert "nothing" in said("POST", f"{place}next/", 200).json()
    make_task(campaign)
    task = said("POST", f"{place}next/", 200)
    assert "assignment" in task.json()
    assert "estimate_run" not in said("GET", "/api/v1/campaigns/", 200).json()["results"][0]
    said("GET", place, 200)
    said("GET", "/api/v1/campaigns/?archive=1", 400)
    said("GET", f"{place}progress/", 403)
    said("POST", "/api/v1/campaigns/0/next/", 404)
    client.credentials()
    said("GET", place, 401)
    assert complaints("GET", "/api/v1/campaigns/", task)


def test_a_request_that_may_be_repeated_tells_how_its_key_is_refused():
    for path, methods in SchemaGenerator().get_schema(request=None, public=True)["paths"].items():
        for operation in methods.values():
            names = {parameter["name"] for parameter in operation.get("parameters", ())}
            assert KEY_HEADER not in names or {"409", "410"} <= operation["responses"].keys(), path


def test_the_schema_is_served_and_its_page_asks_no_other_server(client: Client):
    assert b"openapi" in client.get("/api/schema/").content
    assert client.get("/api/docs/").status_code == 302
    client.force_login(make_user())
    page = client.get("/api/docs/").content.decode()
    for route in version_1:
        assert documented(route) in page
    assert re.findall(r'(?:src|href)="(?:https?:)?//', page) == []
    assert "`" not in page and "<code>held</code> false says" in page
    assert 'href="/api/docs/"' in client.get("/settings/").content.decode()
    assert "idempotency_key" in page and "AnnotationRequest" not in page


def test_an_address_takes_what_the_schema_says_and_no_other_word():
    """A misspelt `after` is refused; it would have pulled everything anew."""
    paths = SchemaGenerator().get_schema(request=None, public=True)["paths"]
    for route in version_1:
        view = route.callback.view_class
        told = paths[f"/api/v1/{documented(route)}"].get("get", {}).get("parameters", ())
        names = {one["name"] for one in told if one["in"] == "query"}
        assert names - set(PAGING) == set(view.asks), route
        for one in told:
            few = view.asks.get(one["name"])
            assert not few or sorted(one["schema"]["enum"]) == sorted(few)


def test_a_request_is_told_without_what_only_the_answer_has():
    schema = SchemaGenerator().get_schema(request=None, public=True)
    told = {(one["method"], one["path"]): one for one in _operations(schema)}
    making, listing = (told[method, "/api/v1/campaigns/"] for method in ("POST", "GET"))
    names = {field["name"] for field in making["body"]}
    assert "name" in names and names.isdisjoint({"id", "url"})
    assert making["text"] != listing["text"]
