"""Scripts with tokens: one for each role, and one for a person who belongs to no campaign."""

from __future__ import annotations

from pathlib import Path

import pytest
from rest_framework.test import APIClient

from labelsite.accounts.models import Role, User
from tests.factories import make_token, make_user


def script_of(user: User) -> APIClient:
    """A client that sends the user's token and nothing else."""
    client = APIClient(enforce_csrf_checks=True)
    client.credentials(HTTP_AUTHORIZATION=f"Token {make_token(user)}")
    return client


@pytest.fixture(autouse=True)
def own_folder(settings, tmp_path: Path) -> None:
    settings.VAR = tmp_path / "var"
    settings.MEDIA_ROOT = tmp_path / "uploads"


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
def outsider(db: None) -> APIClient:
    return script_of(make_user())
