"""Where no campaign is shown to go on with, the pages say why."""

from __future__ import annotations

import pytest
from django.test import Client

from labelsite.accounts.models import Role
from tests.factories import make_campaign, make_user

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("role", "state", "words"),
    [
        (Role.ANNOTATOR, {"is_paused": True}, "Your campaigns are paused just now."),
        (
            Role.ANNOTATOR,
            {"is_archived": True},
            "Your campaigns are archived. An admin can add you to others.",
        ),
        (Role.ANNOTATOR, None, "You are in no campaign yet. An admin can add you."),
        (Role.REVIEWER, {"is_paused": True}, "Every campaign is paused just now."),
        (Role.ADMIN, {"is_archived": True}, "Every campaign is archived."),
        (Role.REVIEWER, None, "There is no campaign yet."),
    ],
)
def test_the_start_page_says_why_there_is_nothing_to_go_on_with(
    client: Client, role: Role, state: dict[str, bool] | None, words: str
) -> None:
    user = make_user(role)
    if state is not None:
        make_campaign(members=[user], **state)
    client.force_login(user)
    assert words in client.get("/campaigns/mine/").content.decode()


@pytest.mark.parametrize(
    ("role", "words"),
    [
        (Role.ANNOTATOR, "Your campaigns are archived. An admin can add you to others."),
        (Role.ADMIN, "Every campaign is archived."),
    ],
)
def test_the_list_does_not_call_archived_campaigns_none(client: Client, role: Role, words: str) -> None:
    user = make_user(role)
    make_campaign(members=[user], is_archived=True)
    client.force_login(user)
    assert words in client.get("/campaigns/").content.decode()
