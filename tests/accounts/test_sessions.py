"""A session is read together with its person, and ends everywhere at the moment it ends in the database."""

from __future__ import annotations

import pytest
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from labelsite.accounts.models import User
from tests.factories import make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def user() -> User:
    return make_user()


@pytest.fixture
def browser(client: Client, user: User) -> Client:
    """A browser whose session this process has seen before."""
    client.force_login(user)
    assert is_in(client)
    return client


def is_in(browser: Client) -> bool:
    return browser.get("/my-day/").status_code == 200


def test_session_and_person_come_in_one_statement(browser, user) -> None:
    with CaptureQueriesContext(connection) as log:
        assert browser.get("/settings/").context["user"].username == user.username
    asked = [
        query["sql"] for query in log if "django_session" in query["sql"] or "accounts_user" in query["sql"]
    ]
    assert len(asked) == 1


def test_a_logout_in_another_process_ends_the_session(browser) -> None:
    Session.objects.all().delete()
    assert not is_in(browser)


def test_a_new_password_ends_the_session(browser, user) -> None:
    user.set_password("another long password")
    user.save()
    assert not is_in(browser)


def test_a_closed_account_ends_the_session(browser, user) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert not is_in(browser)


def test_an_expired_session_has_ended(browser) -> None:
    Session.objects.update(expire_date=timezone.now())
    assert not is_in(browser)


def test_a_pause_is_seen_at_the_next_request(browser, user) -> None:
    User.objects.filter(pk=user.pk).update(is_paused=True)
    assert browser.get("/settings/").context["user"].is_paused


def test_another_person_in_the_same_session_is_that_person(browser) -> None:
    """The guess at whose session it is must never outweigh the session."""
    key, other, elsewhere = browser.session.session_key, make_user(), Client()
    elsewhere.force_login(other)
    theirs = Session.objects.get(session_key=elsewhere.session.session_key).session_data
    Session.objects.filter(session_key=key).update(session_data=theirs)
    for _ in range(2):
        assert browser.get("/settings/").context["user"].pk == other.pk


def test_a_session_with_a_forged_signature_is_nobody_s(browser) -> None:
    session = Session.objects.get(session_key=browser.session.session_key)
    Session.objects.filter(pk=session.pk).update(session_data=session.session_data[:-4] + "AAAA")
    assert not is_in(browser)


def test_what_a_view_writes_into_a_session_is_there_at_the_next_request(browser) -> None:
    for number in (1, 2):
        session = browser.session
        session["number"] = number
        session.save()
        assert is_in(browser)
        assert browser.session["number"] == number
