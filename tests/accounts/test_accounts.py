"""People, their settings and their tokens: owner, colleague and outsider at every page."""

from __future__ import annotations

import re

import pytest
from django.core.management import CommandError, call_command

from labelsite.accounts import services
from labelsite.accounts.models import ApiToken, Role, User
from labelsite.annotations.importers import import_file
from tests.annotations.test_import import processbench_line
from tests.factories import PASSWORD, make_machine, make_token, make_user

pytestmark = pytest.mark.django_db


def test_a_person_logs_in_and_brings_the_language_along(client) -> None:
    user = make_user(preferences={"language": "ko"})
    response = client.post("/login/", {"username": user.username, "password": PASSWORD})
    assert (response.status_code, response.url) == (302, "/")
    assert response.cookies["django_language"].value == "ko"


def test_a_wrong_password_is_told_on_the_page(client) -> None:
    user = make_user()
    response = client.post("/login/", {"username": user.username, "password": "wrong"})
    assert response.status_code == 200 and b'role="alert"' in response.content


def test_nobody_can_sign_up_and_machines_cannot_log_in(client, tmp_path) -> None:
    assert client.get("/signup/").status_code == 404
    file = tmp_path / "labelled.jsonl"
    file.write_text(processbench_line(1))
    import_file(file, "processbench", "C")
    machine = User.objects.get(is_machine=True)
    for password in (PASSWORD, machine.username, machine.password):
        answer = client.post("/login/", {"username": machine.username, "password": password})
        assert answer.status_code == 200 and b'role="alert"' in answer.content
        assert "_auth_user_id" not in client.session


def test_login_never_leads_to_another_site(client) -> None:
    user = make_user()
    data = {"username": user.username, "password": PASSWORD, "next": "https://elsewhere.example/"}
    assert client.post("/login/", data).url == "/"
    for address in ("//elsewhere.example/", "https://elsewhere.example/", "javascript:alert(1)"):
        assert client.post("/language/", {"language": "ko", "next": address}).url == "/"


@pytest.mark.parametrize("page", ["/", "/settings/", "/people/", "/my-day/"])
def test_the_unknown_are_sent_to_the_login_page(client, page) -> None:
    response = client.get(page)
    assert response.status_code == 302 and response.url.startswith("/login/?next=")


@pytest.mark.parametrize("role", Role.values)
def test_the_menu_has_every_list_that_the_role_may_open_and_no_other(client, role) -> None:
    client.force_login(make_user(role))
    menu = client.get("/").content.decode().partition("</nav>")[0]
    for page in (
        "/campaigns/",
        "/my-day/",
        "/import/",
        "/autolabels/",
        "/snapshots/",
        "/training/",
        "/people/",
    ):
        assert (f'href="{page}"' in menu) == (client.get(page).status_code == 200), page
    # Annotators have a list of their own jobs, and no page that starts one.
    assert ('href="/jobs/"' in menu) == (role != Role.ANNOTATOR)


@pytest.mark.parametrize("role", [Role.ANNOTATOR, Role.REVIEWER])
def test_only_admins_open_and_change_people(client, role) -> None:
    user = make_user(role)
    client.force_login(user)
    assert client.get("/people/").status_code == 403
    assert client.post("/people/", {"username": "new", "role": "admin"}).status_code == 403
    assert client.post(f"/people/{user.pk}/", {"role": "admin", "is_active": "on"}).status_code == 403
    user.refresh_from_db()
    assert user.role == role


def test_an_admin_makes_a_person_whose_password_is_shown_once(client) -> None:
    client.force_login(make_user(Role.ADMIN))
    page = client.post("/people/", {"username": "newcomer", "role": "annotator"}).content.decode()
    password = re.search(r"data-password>([^<]+)<", page)
    assert password and User.objects.get(username="newcomer").check_password(password[1])
    assert password[1] not in client.get("/people/").content.decode()


def test_a_name_is_given_only_once_whatever_its_case(client) -> None:
    client.force_login(make_user(Role.ADMIN, username="Ada"))
    assert client.post("/people/", {"username": "ada", "role": "annotator"}).status_code == 422


def test_one_switch_pauses_and_one_excludes(client) -> None:
    user = make_user()
    client.force_login(make_user(Role.ADMIN))
    data = {"role": "annotator", "is_active": "on", "is_paused": "on", "labels_excluded": "on"}
    client.post(f"/people/{user.pk}/", data)
    user.refresh_from_db()
    assert user.is_paused and user.labels_excluded
    machine = make_machine()
    client.post(f"/people/{machine.pk}/", {"labels_excluded": "on"})
    machine.refresh_from_db()
    assert machine.labels_excluded and machine.is_machine


def sent_with_the_row(page: str, user: User) -> dict[str, str]:
    """What a browser sends of the person's row as it stands on `page`."""
    row = re.search(rf'<tr[^>]*hx-post="/people/{user.pk}/".*?</tr>', page, re.DOTALL)
    assert row
    fields = re.findall(rf'<input[^>]*form="person-{user.pk}"[^>]*>', row[0])
    sent = {
        name[1]: (re.search(r'value="([^"]*)"', field) or ["", "on"])[1]
        for field in fields
        if (name := re.search(r' name="([^"]*)"', field))
        and ('type="checkbox"' not in field or " checked" in field)
    }
    chosen = re.search(r'<option value="([a-z]+)" selected', row[0])
    return {"role": chosen[1] if chosen else "", **sent}


def test_a_row_that_was_read_before_another_admin_s_change_undoes_nothing_of_it(client) -> None:
    user = make_user()
    client.force_login(make_user(Role.ADMIN))
    row = sent_with_the_row(client.get("/people/").content.decode(), user)
    assert (row["role"], row["is_active"]) == ("annotator", "on")
    services.update_person(user.pk, is_active=False, labels_excluded=True)
    client.post(f"/people/{user.pk}/", {**row, "is_paused": "on"})
    user.refresh_from_db()
    assert user.is_paused and user.labels_excluded and not user.is_active
    client.post(f"/people/{user.pk}/", {**row, "role": "reviewer"})
    user.refresh_from_db()
    assert user.role == Role.REVIEWER and not user.is_active


def test_the_last_admin_stays_an_admin(client) -> None:
    admin = make_user(Role.ADMIN)
    client.force_login(admin)
    client.post(f"/people/{admin.pk}/", {"role": "annotator", "is_active": "on"})
    client.post(f"/people/{admin.pk}/", {"role": "admin"})
    admin.refresh_from_db()
    assert admin.is_admin and admin.is_active
    make_user(Role.ADMIN)
    client.post(f"/people/{admin.pk}/", {"role": "annotator", "is_active": "on"})
    admin.refresh_from_db()
    assert not admin.is_admin


def test_a_token_is_shown_once_and_kept_as_a_digest(client) -> None:
    user = make_user()
    client.force_login(user)
    page = client.post("/settings/tokens/", {"name": "nightly <script>"}).content.decode()
    shown = re.search(r"data-token>([^<]+)<", page)
    assert shown and ApiToken.objects.get().digest == ApiToken.digest_of(shown[1])
    assert shown[1] not in client.get("/settings/").content.decode()
    assert "nightly <script>" not in page


def test_when_a_token_was_used_is_a_time_that_the_browser_puts_into_its_zone(client) -> None:
    user = make_user()
    make_token(user)
    ApiToken.objects.update(last_used_at="2026-02-03T04:05:06Z")
    client.force_login(user)
    page = client.get("/settings/").content.decode()
    assert re.search(r'last used <time datetime="2026-02-03T[^"]+" data-local>[^<]+</time>', page)


def test_a_colleague_cannot_revoke_a_token_and_its_owner_can(client) -> None:
    owner, colleague = make_user(), make_user()
    services.create_token(owner, "mine")
    token = ApiToken.objects.get()
    client.force_login(colleague)
    client.post(f"/settings/tokens/{token.pk}/revoke/")
    assert ApiToken.objects.count() == 1
    client.force_login(owner)
    client.post(f"/settings/tokens/{token.pk}/revoke/")
    assert ApiToken.objects.count() == 0


def test_theme_and_language_are_kept_for_the_person_and_for_the_device(client) -> None:
    user = make_user()
    client.force_login(user)
    assert client.post("/theme/", {"theme": "dark"}).cookies["theme"].value == "dark"
    assert client.post("/language/", {"language": "ko"}).cookies["django_language"].value == "ko"
    user.refresh_from_db()
    assert user.preferences == {"theme": "dark", "language": "ko"}
    assert 'data-theme="dark"' in client.get("/").content.decode()
    client.post("/theme/", {"theme": "system"})
    user.refresh_from_db()
    assert "theme" not in user.preferences
    client.post("/language/", {"language": "xx"})
    client.post("/theme/", {"theme": "<b>"})
    user.refresh_from_db()
    assert user.preferences == {"language": "ko"}


def test_a_token_without_a_name_is_refused_in_words(client) -> None:
    client.force_login(make_user())
    page = client.post("/settings/tokens/", {"name": ""}).content.decode()
    assert page.count("data-refused") == 1 and '<a href="#id_name">' in page


def test_a_password_is_changed_with_the_old_one_and_the_session_goes_on(client) -> None:
    user = make_user()
    client.force_login(user)
    new = "another long password"
    bad = client.post(
        "/settings/password/", {"old_password": "no", "new_password1": new, "new_password2": new}
    )
    assert bad.status_code == 422
    page = bad.content.decode()
    assert page.count("data-refused") == 1 and '<a href="#id_old_password">' in page
    data = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    assert client.post("/settings/password/", data).status_code == 302
    assert client.get("/settings/").status_code == 200
    user.refresh_from_db()
    assert user.check_password(new)


@pytest.mark.parametrize("role", Role.values)
def test_every_role_has_a_start_page_with_what_to_do_next(client, role) -> None:
    client.force_login(make_user(role))
    page = client.get("/").content.decode()
    assert ("New campaign" in page) == (role == Role.ADMIN)
    assert "<h1>" in page and "style=" not in page


def test_pages_carry_an_enforced_security_policy(client) -> None:
    policy = client.get("/login/").headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy


def test_the_token_of_a_paused_person_is_refused_with_the_reason_until_they_go_on(client) -> None:
    user = make_user()
    headers = {"authorization": f"Token {make_token(user)}"}
    assert client.get("/api/v1/campaigns/", headers=headers).status_code == 200
    User.objects.filter(pk=user.pk).update(is_paused=True)
    refused = client.get("/api/v1/campaigns/", headers=headers)
    assert refused.status_code == 401 and "You are paused" in refused.content.decode()
    User.objects.filter(pk=user.pk).update(is_paused=False)
    assert client.get("/api/v1/campaigns/", headers=headers).status_code == 200


def test_a_superuser_is_an_admin(client) -> None:
    call_command("createsuperuser", "--noinput", "--username", "root", "--email", "root@example.org")
    client.force_login(User.objects.get(username="root"))
    assert client.get("/people/").status_code == 200


def test_make_admin_makes_the_first_admin_or_one_of_somebody_who_is_there(capsys) -> None:
    call_command("make_admin", "ada")
    shown = capsys.readouterr().out.split("password ")[1].strip()
    ada = User.objects.get(username="ada")
    assert ada.is_admin and ada.check_password(shown)
    user = make_user(is_active=False)
    call_command("make_admin", user.username)
    user.refresh_from_db()
    assert user.is_admin and user.is_active and user.check_password(PASSWORD)
    for name in (make_machine().username, "no good name"):
        with pytest.raises(CommandError):
            call_command("make_admin", name)
