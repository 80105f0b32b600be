"""The record of changes: who did what to people and campaigns, for good."""

from __future__ import annotations

import pytest
from django.core.management import call_command
from django.db import DatabaseError, IntegrityError, connection, transaction

from labelsite.accounts import services
from labelsite.accounts.models import ApiToken, Change, Role, User
from labelsite.accounts.records import record
from labelsite.campaigns.gold import renew_gold
from labelsite.campaigns.models import Campaign, MemberState, Ordering
from labelsite.campaigns.services import judge_screening, update_campaign
from labelsite.comparison.services import adjudicate
from tests.factories import (
    PASSWORD,
    make_campaign,
    make_estimate_run,
    make_machine,
    make_member,
    make_task,
    make_token,
    make_user,
)

pytestmark = pytest.mark.django_db


def lines() -> list[tuple[object, ...]]:
    found = Change.objects.order_by("pk").values_list("by__username", "kind", "name", "field", "old", "new")
    return list(found)


def test_what_an_admin_does_to_people_is_recorded_with_old_and_new_value(client):
    admin, user, machine = make_user(Role.ADMIN), make_user(), make_machine()
    client.force_login(admin)
    client.post(f"/people/{user.pk}/", {"role": "reviewer", "is_active": "on", "labels_excluded": "on"})
    client.post(f"/people/{machine.pk}/", {"labels_excluded": "on"})
    client.post("/people/", {"username": "newcomer", "role": "annotator"})
    assert lines() == [
        (admin.username, "person", user.username, "role", "annotator", "reviewer"),
        (admin.username, "person", user.username, "labels_excluded", False, True),
        (admin.username, "person", machine.username, "labels_excluded", False, True),
        (admin.username, "person", "newcomer", "role", None, "annotator"),
    ]


def test_a_new_password_is_recorded_without_a_word_of_it(client):
    admin, user = make_user(Role.ADMIN), make_user()
    client.force_login(admin)
    client.post(f"/people/{user.pk}/password/")
    client.force_login(user)
    services.new_password(user.pk)
    client.login(username=user.username, password=services.new_password(user.pk)[1])
    assert {line[3:] for line in lines()} == {("password", None, None)}
    assert lines()[0][:3] == (admin.username, "person", user.username)


def test_a_password_that_somebody_changes_themselves_is_recorded(client):
    user = make_user()
    client.force_login(user)
    new = "another long secret"
    data = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    assert client.post("/settings/password/", data).status_code == 302
    assert lines() == [(user.username, "person", user.username, "password", None, None)]


def test_admins_and_passwords_that_commands_make_are_recorded(monkeypatch):
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
    call_command("createsuperuser", "--noinput", "--username", "root", "--email", "root@example.org")
    monkeypatch.setattr("getpass.getpass", lambda prompt: "another long secret")
    make_token(User.objects.get(username="root"))
    call_command("changepassword", "root")
    assert not ApiToken.objects.exists()
    assert User.objects.get(username="root").check_password("another long secret")
    assert lines() == [
        (None, "person", "root", "role", None, "admin"),
        (None, "person", "root", "password", None, None),
    ]


def test_a_command_that_cannot_record_a_password_leaves_the_old_one(monkeypatch):
    user = make_user()
    monkeypatch.setattr("getpass.getpass", lambda prompt: "another long secret")
    # The database refuses the line, as one without room would.
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE accounts_change ADD CONSTRAINT no_room CHECK (field <> 'password')")
    with pytest.raises(IntegrityError):
        call_command("changepassword", user.username)
    user.refresh_from_db()
    assert user.check_password(PASSWORD)


def test_settings_and_members_of_a_campaign_are_recorded_and_what_stays_the_same_is_not(client):
    admin, user, campaign = make_user(Role.ADMIN), make_user(), make_campaign(overlap=2)
    update_campaign(campaign, {"overlap": 3, "exposure": campaign.exposure}, by=admin)
    client.force_login(admin)
    for _again in range(2):
        client.post(f"/campaigns/{campaign.pk}/pause/", {"is_paused": "1"})
        client.post(f"/campaigns/{campaign.pk}/members/", {"member": [user.pk]})
    assert lines() == [
        (admin.username, "campaign", campaign.name, "overlap", 2, 3),
        (admin.username, "campaign", campaign.name, "is_paused", False, True),
        (admin.username, "campaign", campaign.name, "members", [], [user.username]),
    ]
    assert Campaign.objects.get(pk=campaign.pk).is_paused


def test_what_an_admin_does_to_one_member_is_recorded(client):
    admin, user, stranger = make_user(Role.ADMIN), make_user(), make_user()
    campaign = make_campaign(members=[user])
    make_task(campaign, section="algebra")
    client.force_login(admin)
    for _again in range(2):
        client.post(f"/campaigns/{campaign.pk}/members/{user.pk}/", {"state": "paused"})
        client.post(f"/campaigns/{campaign.pk}/members/{user.pk}/sections/", {"section": ["algebra"]})
    client.post(f"/campaigns/{campaign.pk}/members/{stranger.pk}/", {"state": "paused"})
    name = f"{user.username} · {campaign.name}"
    assert lines() == [
        (admin.username, "member", name, "state", "admitted", "paused"),
        (admin.username, "member", name, "sections", [], ["algebra"]),
    ]


def test_what_a_renamed_or_dissolved_section_does_to_its_members_is_recorded(client):
    admin, user = make_user(Role.ADMIN), make_user()
    campaign = make_campaign(members=[user])
    make_task(campaign, section="algebra")
    campaign.memberships.update(sections=["algebra", "geometry"])
    client.force_login(admin)
    address = f"/campaigns/{campaign.pk}/sections/rename/"
    client.post(address, {"old": "algebra", "section": "groups"})
    client.post(address, {"old": "groups", "dissolve": "1"})
    name = f"{user.username} · {campaign.name}"
    assert lines() == [
        (admin.username, "member", name, "sections", ["algebra", "geometry"], ["groups", "geometry"]),
        (admin.username, "member", name, "sections", ["groups", "geometry"], ["geometry"]),
    ]


@pytest.mark.parametrize(("is_right", "state"), [(True, "admitted"), (False, "refused")])
def test_what_screening_makes_of_a_member_is_recorded_as_nobodys_decision(is_right, state):
    user = make_user()
    campaign = make_campaign(screening_size=1)
    make_member(campaign, user, state=MemberState.SCREENING)
    for _again in range(2):
        judge_screening(campaign, user.pk, [is_right])
    assert lines() == [(None, "member", f"{user.username} · {campaign.name}", "state", "screening", state)]


def test_what_makes_a_task_gold_or_corrects_its_gold_is_recorded(client):
    admin, reviewer, task = make_user(Role.ADMIN), make_user(Role.REVIEWER), make_task()
    client.force_login(admin)
    for kind, positions in (("gold", "1"), ("gold", "1"), ("gold", "none")):
        client.post(
            f"/campaigns/{task.campaign_id}/tasks/{task.pk}/kind/", {"kind": kind, "positions": positions}
        )
    adjudicate(task, reviewer, [1])
    # A file that corrects many at once tells so at its import.
    renew_gold(task.campaign, {task.solution_id: [0]}, f"adjudicated by {reviewer.username}")
    name = f"{task.pk} · {task.campaign.name}"
    assert lines() == [
        (admin.username, "task", name, "kind", "work", "gold"),
        (admin.username, "task", name, "gold", None, [0]),
        (admin.username, "task", name, "gold", [0], [-1]),
        (reviewer.username, "task", name, "gold", [-1], [1]),
    ]
    task.refresh_from_db()
    assert task.gold == [0]


def test_states_kinds_and_gold_are_said_as_their_pages_say_them(client):
    record("member", "ada · C", {"state": ("admitted", "refused")})
    record("task", "7 · C", {"kind": ("work", "screening"), "gold": (None, [-1, 2])})
    client.force_login(make_user(Role.ADMIN))
    page = client.get("/people/changes/").content.decode()
    assert "member ada · C" in page and "task 7 · C" in page
    assert f"{MemberState.REFUSED.label}</td>" in page and "screening</td>" in page and "none, 3</td>" in page


def test_nobody_changes_or_deletes_the_record():
    services.create_person("ada", Role.ADMIN)
    with pytest.raises(DatabaseError, match="only ever added to"), transaction.atomic():
        Change.objects.update(name="somebody else")
    with pytest.raises(DatabaseError, match="only ever added to"), transaction.atomic():
        Change.objects.all().delete()
    assert lines() == [(None, "person", "ada", "role", None, "admin")]


def test_admins_read_it_and_others_do_not(client):
    services.create_person("<b>ada</b>", Role.REVIEWER)
    client.force_login(make_user(Role.REVIEWER))
    assert client.get("/people/changes/").status_code == 403
    client.force_login(make_user(Role.ADMIN))
    page = client.get("/people/changes/").content.decode()
    assert "&lt;b&gt;ada&lt;/b&gt;" in page and "<b>ada" not in page and "reviewer" in page
    assert f'<time datetime="{Change.objects.get().at:%Y-%m-%dT}' in page and "data-local" in page


def test_values_are_said_and_not_shown_as_code(client):
    record("campaign", "C", {"members": ([], ["ada", "bo"]), "is_paused": (False, True)})
    client.force_login(make_user(Role.ADMIN))
    page = client.get("/people/changes/").content.decode()
    assert "ada, bo</td>" in page and "no</td>" in page and "yes</td>" in page


def test_settings_have_the_names_and_words_of_their_page(client):
    run = make_estimate_run(name="Night search")
    long = "Read the problem twice. " * 20
    record(
        "campaign", "C", {"ordering": ("import_order", "convincing_wrong"), "estimate_run": (None, run.pk)}
    )
    record("campaign", "C", {"guideline": ("", long)})
    client.force_login(make_user(Role.ADMIN))
    page = client.get("/people/changes/").content.decode()
    assert "Order of the queue" in page and "ordering" not in page and "import_order" not in page
    assert str(Ordering("convincing_wrong").label) in page
    assert "Estimates beside the steps" in page and "Night search" in page
    assert long.strip() in page and "<summary>" in page
    assert 'href="/people/" aria-current="page"' in page


def test_the_page_asks_once_for_the_names_of_all_its_runs(client, django_assert_max_num_queries):
    client.force_login(make_user(Role.ADMIN))
    for number in range(12):
        run = make_estimate_run(name=f"Search {number}")
        record("campaign", "C", {"estimate_run": (None, run.pk)})
    with django_assert_max_num_queries(8):
        page = client.get("/people/changes/").content.decode()
    assert all(f"Search {number}" in page for number in range(12))
