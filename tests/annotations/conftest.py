"""One annotator with one task in hand."""

from __future__ import annotations

import pytest

from labelsite.accounts.models import User
from labelsite.campaigns.models import Assignment, Campaign
from tests.annotations.submissions import STEPS
from tests.campaigns.leases import claim_next
from tests.factories import make_campaign, make_solution, make_task, make_user


@pytest.fixture
def annotator() -> User:
    return make_user()


@pytest.fixture
def campaign(annotator: User) -> Campaign:
    return make_campaign(members=[annotator])


@pytest.fixture
def lease(campaign: Campaign, annotator: User) -> Assignment:
    make_task(campaign, make_solution(STEPS))
    found = claim_next(campaign, annotator)
    assert isinstance(found, Assignment)
    return found
