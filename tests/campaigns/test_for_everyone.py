"""A campaign for every annotator takes in those who come later, until an admin says otherwise."""

from __future__ import annotations

import re

import pytest
from rest_framework.test import APIClient

from labelsite.accounts.models import Change, Role, User
from labelsite.accounts.services import create_person, update_person
from labelsite.campaigns import membership
from labelsite.campaigns.membership import add_everyone, set_members
from labelsite.campaigns.models import Campaign
from labelsite.campaigns.services import create_campaign, update_campaign
from tests.factories import make_campaign, make_token, make_user
from tests.transactions import held, in_background

pytestmark = pytest.mark.django_db


def members(campaign: Campaign) -> set[str]:
    return set(campaign.memberships.values_list("user__username", flat=True))


def change_person(user: User, **changes) -> None:
    said = {"role": user.role, "is_paused": False, "labels_excluded": False, "is_active": user.is_active}
    update_person(user.pk, **(said | changes))


def test_whoever_comes_later_may_label_where_every_annotator_may_and_nowhere_else() -> None:
    make_user(username="early")
    for_all, for_some = create_campaign("All", is_for_everyone=True), create_campaign("Some")
    create_person("late", Role.ANNOTATOR)
    create_person("boss", Role.ADMIN)
    assert members(for_all) == {"early", "late"}
    assert members(for_some) == set()


def test_a_newcomer_is_screened_where_there_is_screening() -> None:
    campaign = create_campaign("All", is_for_everyone=True, screening_size=2)
    create_person("late", Role.ANNOTATOR)
    assert campaign.memberships.get().state == "screening"


@pytest.mark.parametrize(
    ("before", "after"),
    [({"role": Role.REVIEWER}, {"role": Role.ANNOTATOR}), ({"is_active": False}, {"is_active": True})],
)
def test_who_becomes_an_annotator_or_comes_back_joins_too(before, after) -> None:
    user = make_user(before.pop("role", Role.ANNOTATOR), username="ann", **before)
    campaign = create_campaign("All", is_for_everyone=True)
    assert members(campaign) == set()
    change_person(user, **after)
    assert members(campaign) == {"ann"}


def test_who_is_paused_as_a_member_stays_so_when_they_come_back_and_who_is_taken_out_joins_as_the_page_says(
    client,
) -> None:
    paused, out = make_user(username="ann"), make_user(username="bo")
    campaign = create_campaign("All", is_for_everyone=True)
    client.force_login(make_user("admin"))
    address = f"/campaigns/{campaign.pk}/members/"
    client.post(f"{address}{paused.pk}/", {"state": "paused"})
    client.post(address, {"shown": [paused.pk, out.pk], "member": [paused.pk]})
    for user in (paused, out):
        change_person(user, is_active=False)
        change_person(user, is_active=True)
    assert set(campaign.memberships.values_list("user__username", "state")) == {
        ("ann", "paused"),
        ("bo", "admitted"),
    }
    assert "joins again when their account is switched off and on" in client.get(address).content.decode()


def test_whom_an_admin_takes_out_stays_out_when_other_things_of_them_change() -> None:
    user = make_user(username="ann")
    campaign = create_campaign("All", is_for_everyone=True)
    set_members(campaign, set())
    change_person(user, is_paused=True)
    update_campaign(campaign, {"is_for_everyone": True, "overlap": 2})
    assert members(campaign) == set()


def test_switching_it_on_takes_in_who_is_there_and_off_keeps_them() -> None:
    make_user(username="ann")
    campaign = make_campaign()
    campaign = update_campaign(campaign, {"is_for_everyone": True})
    assert members(campaign) == {"ann"}
    update_campaign(campaign, {"is_for_everyone": False})
    create_person("late", Role.ANNOTATOR)
    assert members(campaign) == {"ann"}


def test_who_joins_is_in_the_record_of_changes() -> None:
    admin = make_user(Role.ADMIN)
    create_campaign("All", is_for_everyone=True)
    create_person("late", Role.ANNOTATOR, admin)
    line = Change.objects.get(kind="campaign")
    assert (line.by, line.field, line.old, line.new) == (admin, "members", [], ["late"])


def test_the_settings_and_the_members_page_show_it(client) -> None:
    campaign = create_campaign("All", is_for_everyone=True)
    client.force_login(make_user(Role.ADMIN))
    page = client.get(f"/campaigns/{campaign.pk}/settings/")
    assert page.context["form"]["is_for_everyone"].value() is True
    assert "also who becomes one later" in client.get(f"/campaigns/{campaign.pk}/members/").content.decode()
    new = client.get("/campaigns/new/").context["form"]
    assert new["is_for_everyone"].value() is True


def test_a_script_sees_and_sets_it() -> None:
    make_user(username="ann")
    script = APIClient()
    script.credentials(HTTP_AUTHORIZATION=f"Token {make_token(make_user(Role.ADMIN))}")
    made = script.post("/api/v1/campaigns/", {"name": "All", "is_for_everyone": True}, format="json").json()
    assert made["is_for_everyone"] is True
    campaign = Campaign.objects.get()
    assert members(campaign) == {"ann"}
    script.patch(f"/api/v1/campaigns/{campaign.pk}/", {"is_for_everyone": False}, format="json")
    campaign.refresh_from_db()
    assert not campaign.is_for_everyone


@pytest.mark.parametrize(
    ("asked", "for_everyone"),
    [
        ({}, True),
        ({"is_for_everyone": False}, False),
        ({"members": ["bob"]}, False),
        ({"members": []}, False),
    ],
)
def test_a_script_that_says_nothing_of_people_makes_a_campaign_for_everyone_as_the_page_does(
    asked, for_everyone
) -> None:
    make_user(username="ann"), make_user(username="bob")
    script = APIClient()
    script.credentials(HTTP_AUTHORIZATION=f"Token {make_token(make_user(Role.ADMIN))}")
    made = script.post("/api/v1/campaigns/", {"name": "New", **asked}, format="json").json()
    assert made["is_for_everyone"] is for_everyone
    assert members(Campaign.objects.get()) == (
        {"ann", "bob"} if for_everyone else set(asked.get("members", []))
    )


def test_everybody_there_is_can_also_be_added_once() -> None:
    make_user(username="ann")
    campaign = make_campaign()
    add_everyone(campaign)
    create_person("late", Role.ANNOTATOR)
    assert members(campaign) == {"ann"}


@pytest.mark.django_db(transaction=True)
def test_who_arrives_while_a_campaign_for_everyone_is_being_made_is_in_it() -> None:
    with held(lambda: create_campaign("All", is_for_everyone=True)):
        arriving = in_background(lambda: create_person("late", Role.ANNOTATOR))
        arriving.join(1)
    arriving.join(20)
    assert members(Campaign.objects.get()) == {"late"}


@pytest.mark.django_db(transaction=True)
def test_a_campaign_that_becomes_one_for_everyone_takes_in_who_is_just_arriving() -> None:
    campaign = make_campaign()
    with held(lambda: create_person("late", Role.ANNOTATOR)):
        changing = in_background(lambda: update_campaign(campaign, {"is_for_everyone": True}))
        changing.join(1)
    changing.join(20)
    assert members(campaign) == {"late"}


@pytest.mark.django_db(transaction=True)
def test_adding_everybody_throws_nobody_out_who_is_let_in_meanwhile(monkeypatch) -> None:
    campaign, reviewer = make_campaign(), make_user(Role.REVIEWER, username="rev")
    read = membership._member_names

    def read_while_somebody_is_let_in(of: Campaign) -> list[str]:
        monkeypatch.setattr(membership, "_member_names", read)
        in_background(lambda: set_members(of, {reviewer.pk})).join(20)
        return read(of)

    monkeypatch.setattr(membership, "_member_names", read_while_somebody_is_let_in)
    add_everyone(campaign)
    assert members(campaign) == {"rev"}


def shown(client, address: str) -> dict[str, list[str]]:
    """What a browser would send back if nobody changed a mark."""
    page = client.get(address).content.decode()
    return {
        "shown": re.findall(r'name="shown" value="(\d+)"', page),
        "member": re.findall(r'name="member" value="(\d+)" checked', page),
    }


def test_a_members_form_that_stood_open_takes_nobody_out_who_joined_meanwhile(client) -> None:
    leaving, staying, coming = (make_user(username=name) for name in ("leaving", "staying", "coming"))
    campaign = create_campaign("All", is_for_everyone=True)
    set_members(campaign, {leaving.pk, staying.pk})
    client.force_login(make_user(Role.ADMIN))
    address = f"/campaigns/{campaign.pk}/members/"
    sent = shown(client, address)
    create_person("late", Role.ANNOTATOR)
    marked = [str(coming.pk), *(one for one in sent["member"] if one != str(leaving.pk))]
    assert client.post(address, {**sent, "member": marked}).status_code == 302
    assert members(campaign) == {"staying", "coming", "late"}
