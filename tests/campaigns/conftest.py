from __future__ import annotations

import pytest

from labelsite.accounts.models import User
from labelsite.campaigns import queue
from labelsite.campaigns.models import Campaign
from tests.factories import make_campaign, make_user


@pytest.fixture
def no_sweeping(monkeypatch: pytest.MonkeyPatch) -> None:
    """Expired leases come back only when a test's own claim asks for them."""
    monkeypatch.setattr(queue._Throttle, "is_due", lambda self: False)


@pytest.fixture
def annotator() -> User:
    return make_user()


@pytest.fixture
def campaign(annotator: User) -> Campaign:
    """Without tasks; the annotator is its only member."""
    return make_campaign(members=[annotator])
