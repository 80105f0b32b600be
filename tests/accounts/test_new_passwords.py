"""A new password that an admin gives: to whom, what ends with it, and that it is asked for twice."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from labelsite.accounts.models import ApiToken, Role, User
from tests.factories import PASSWORD, make_machine, make_token, make_user

pytestmark = pytest.mark.django_db


def test_somebody_who_forgot_the_password_is_given_a_new_one_and_is_logged_out_everywhere(client) -> None:
    forgetful, elsewhere = make_user(), Client()
    elsewhere.login(username=forgetful.username, password=PASSWORD)
    assert elsewhere.get("/settings/").status_code == 200
    client.force_login(make_user(Role.ADMIN))
    page = client.post(f"/people/{forgetful.pk}/password/").content.decode()
    shown = re.search(r"data-password>([^<]+)<", page)
    forgetful.refresh_from_db()
    assert shown and forgetful.check_password(shown[1]) and not forgetful.check_password(PASSWORD)
    assert elsewhere.get("/settings/").status_code == 302
    assert shown[1] not in client.get("/people/").content.decode()


def test_a_new_password_ends_the_tokens_too_and_the_page_says_so(client) -> None:
    user, other = make_user(), make_user()
    for one in (user, other):
        make_token(one)
    client.force_login(make_user(Role.ADMIN))
    page = client.post(f"/people/{user.pk}/password/").content.decode()
    assert "has no API tokens any more" in page
    assert list(ApiToken.objects.values_list("user", flat=True)) == [other.pk]


def test_a_new_password_takes_a_second_step_that_says_what_ends(client) -> None:
    user = make_user()
    client.force_login(make_user(Role.ADMIN))
    page = client.get("/people/").content.decode()
    folds = re.findall(r"<details>(.*?)</details>", page, re.DOTALL)
    of_user = f'action="/people/{user.pk}/password/"'
    (fold,) = [fold for fold in folds if of_user in fold]
    assert "every API token" in fold and page.count(of_user) == 1


def test_only_admins_give_new_passwords_and_imported_labels_get_none(client) -> None:
    user, machine = make_user(), make_machine()
    client.force_login(make_user(Role.REVIEWER))
    assert client.post(f"/people/{user.pk}/password/").status_code == 403
    client.force_login(make_user(Role.ADMIN))
    assert client.post(f"/people/{machine.pk}/password/").status_code == 404
    assert client.get(f"/people/{user.pk}/password/")["Location"] == "/people/"
    assert User.objects.get(pk=user.pk).check_password(PASSWORD)
