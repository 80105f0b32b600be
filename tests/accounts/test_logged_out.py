"""After a session ended: no page shows the login page in itself, and no login leads to an empty page."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.factories import make_user

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


@pytest.mark.parametrize("page", ["/jobs/", "/my-day/"])
def test_a_part_of_a_page_is_refused_and_never_the_login_page(client, page) -> None:
    response = client.get(page, headers=HTMX)
    assert (response.status_code, response.content) == (401, b"")


@pytest.mark.parametrize(
    ("left", "back_to"),
    [
        ("http://testserver/settings/?tab=2#tokens", "/settings/%3Ftab%3D2"),
        ("http://elsewhere.example/settings/", "/"),
        ("", "/"),
    ],
)
def test_who_pressed_a_button_logs_in_to_the_page_with_that_button(client, left, back_to) -> None:
    response = client.post("/settings/tokens/", {"name": "script"}, headers={"Referer": left})
    assert (response.status_code, response.url) == (302, f"/login/?next={back_to}")


def test_a_visit_logs_in_to_what_it_asked_for(client) -> None:
    assert (
        client.get("/settings/", headers={"Referer": "http://testserver/"}).url == "/login/?next=/settings/"
    )


def test_logging_out_asks_for_no_way_back(client) -> None:
    client.force_login(make_user())
    assert client.post("/logout/", headers={"Referer": "http://testserver/settings/"}).url == "/login/"


@pytest.mark.parametrize("language", ["en", "ko"])
def test_a_page_that_is_out_of_date_says_so_as_a_page_of_the_site(language) -> None:
    browser = Client(enforce_csrf_checks=True, headers={"Accept-Language": language})
    browser.get("/login/")
    response = browser.post("/login/", {"csrfmiddlewaretoken": "of another login"})
    assert response.status_code == 403
    words = {"en": "This page was out of date", "ko": "오래된 페이지였습니다"}
    assert words[language] in response.text and "app.css" in response.text


def test_what_cannot_be_read_is_answered_by_a_page_of_the_site(client) -> None:
    response = client.post("/login/", {f"field{number}": "" for number in range(2000)})
    assert response.status_code == 400
    assert "This was not understood" in response.text and "app.css" in response.text
