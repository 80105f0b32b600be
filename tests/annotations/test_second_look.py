"""A second look is offered where there is something to uncover, and noted where something was uncovered."""

from __future__ import annotations

from uuid import uuid4

import pytest

from labelsite.annotations import services
from labelsite.annotations.models import Annotation
from labelsite.annotations.payload import submitted
from labelsite.campaigns.models import Campaign
from tests.browser.scenes import blind_campaign
from tests.campaigns.leases import claim_next
from tests.factories import make_score_run, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def campaign() -> Campaign:
    return blind_campaign(make_user())


@pytest.fixture
def annotation(campaign: Campaign) -> Annotation:
    lease = claim_next(campaign, campaign.memberships.get().user)
    said = {"finish_reason": "give_up", "reason": "for the test"}
    return services.submit(lease, str(lease.token), uuid4(), said)


def offered(client, campaign: Campaign) -> set[bool]:
    """What the page, My day and the answer to a submission say of a second look."""
    last = client.get(f"/annotate/{campaign.pk}/").context["configuration"]["last"]
    (entry,) = client.get("/my-day/").context["entries"]
    found = Annotation.objects.select_related("task__campaign").get()
    return {last["secondLook"], entry.can_look, submitted(found)["second_look"]}


def test_where_machines_have_said_nothing_nothing_is_uncovered_and_the_label_stays_blind(
    client, campaign, annotation
) -> None:
    client.force_login(annotation.annotator)
    address = f"/annotate/annotation/{annotation.pk}/"
    # A run whose labels are of other solutions only is one, too.
    for loaded in (None, make_score_run()):
        Campaign.objects.update(estimate_run=None, score_run=loaded)
        assert offered(client, campaign) == {loaded is not None}
        for answer in (client.get(f"{address}second-look/"), client.post(f"{address}second-look/")):
            assert "no machine labels of this solution yet" in answer.content.decode()
        annotation.refresh_from_db()
        assert annotation.changed_after_reveal is None
    Campaign.objects.update(estimate_run=campaign.estimate_run, score_run=campaign.score_run)
    assert not client.get(address).context["payload"]["assisted"]
    assert offered(client, campaign) == {True}
    assert "Uncover" in client.get(f"{address}second-look/").content.decode()
