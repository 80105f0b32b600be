"""Guessing passwords is slow, and locks nobody out for long."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models import F

from labelsite.accounts.guessing import MOST_FAILURES
from labelsite.accounts.models import FailedLogins, User
from tests.factories import PASSWORD, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def user() -> User:
    return make_user(username="Ada")


def is_let_in(client, password: str = PASSWORD, name: str = "Ada", **where: str) -> bool:
    client.logout()
    return client.post("/login/", {"username": name, "password": password}, **where).status_code == 302


def guess(client, times: int = MOST_FAILURES, **where: str) -> None:
    for _ in range(times):
        assert not is_let_in(client, "wrong", **where)


def later(minutes: int) -> None:
    FailedLogins.objects.update(last_at=F("last_at") - timedelta(minutes=minutes))


def test_after_ten_wrong_passwords_the_right_one_waits_too_and_the_page_says_how_long(client, user) -> None:
    guess(client)
    page = client.post("/login/", {"username": "ada", "password": PASSWORD})
    assert "Try again in 15 minutes." in page.content.decode() and page.status_code == 200
    # What is refused does not count: the wait ends by itself.
    later(minutes=10)
    assert not is_let_in(client)
    later(minutes=6)
    assert is_let_in(client)
    assert not FailedLogins.objects.exists()


def test_nobody_is_locked_out_from_another_address_nor_under_another_name(client, user) -> None:
    make_user(username="Grace")
    guess(client)
    assert is_let_in(client, REMOTE_ADDR="192.0.2.7")
    assert is_let_in(client, name="Grace")
    assert not is_let_in(client)


def test_a_right_password_forgets_the_wrong_ones_and_an_empty_one_does_not(client, user) -> None:
    guess(client, MOST_FAILURES - 1)
    assert is_let_in(client)
    guess(client, MOST_FAILURES - 1)
    assert not is_let_in(client, "")
    guess(client, 1)
    assert not is_let_in(client)


def test_a_name_that_nobody_has_is_held_up_alike(client) -> None:
    guess(client)
    page = client.post("/login/", {"username": "Ada", "password": "wrong"})
    assert "Try again in" in page.content.decode()


def test_behind_a_proxy_the_address_is_what_the_proxy_saw_and_not_what_a_guesser_wrote(
    client, user, settings
) -> None:
    settings.HTTPS = True
    for number in range(MOST_FAILURES):
        guess(client, 1, HTTP_X_FORWARDED_FOR=f"203.0.113.{number}, 192.0.2.7")
    assert not is_let_in(client, HTTP_X_FORWARDED_FOR="192.0.2.7")
    assert is_let_in(client, HTTP_X_FORWARDED_FOR="192.0.2.8")
    settings.HTTPS = False
    assert is_let_in(client, HTTP_X_FORWARDED_FOR="192.0.2.7")
