"""Scripts with tokens: one for each role, and one for a person who belongs to no campaign.

All that they are answered in these tests is compared with the schema.
"""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from labelsite.accounts.models import Role, User
from labelsite.campaigns.models import Campaign
from tests.api.conformance import complaints
from tests.factories import make_campaign, make_token, make_user


class Script(APIClient):
    """Whatever it is answered must be what the schema says."""

    def request(self, **asked: Any) -> Any:
        answer = super().request(**asked)
        assert not (said := complaints(asked["REQUEST_METHOD"], asked["PATH_INFO"], answer)), said
        return answer


def script_of(user: User) -> APIClient:
    """A client that sends the user's token and nothing else."""
    client = Script(enforce_csrf_checks=True)
    client.credentials(HTTP_AUTHORIZATION=f"Token {make_token(user)}")
    return client


@pytest.fixture(autouse=True)
def _each_in_its(own_folder: None) -> None:
    pass


@pytest.fixture
def admin(db: None) -> APIClient:
    return script_of(make_user(Role.ADMIN))


@pytest.fixture
def reviewer(db: None) -> APIClient:
    return script_of(make_user(Role.REVIEWER))


@pytest.fixture
def ann(db: None) -> User:
    return make_user(username="ann")


@pytest.fixture
def annotator(ann: User) -> APIClient:
    return script_of(ann)


@pytest.fixture
def campaign(ann: User) -> Campaign:
    return make_campaign("C", members=[ann])


@pytest.fixture
def outsider(db: None) -> APIClient:
    return script_of(make_user())
