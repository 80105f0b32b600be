"""Whoever is kept from labelling in a campaign changes nothing of what they said there, by no door."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest

from labelsite.accounts.models import User
from labelsite.annotations import services
from labelsite.annotations.conflicts import Closed
from labelsite.annotations.models import Annotation
from labelsite.campaigns.membership import set_members
from labelsite.campaigns.models import Assignment, Campaign, Membership, MemberState
from tests.annotations.submissions import judgement, submit
from tests.factories import make_estimate_run

pytestmark = pytest.mark.django_db
GONE, STOPPED = ["taken out", "archived"], ["refused", "paused member", "paused person"]


def keep_away(how: str, campaign: Campaign, annotator: User) -> None:
    if how == "taken out":
        set_members(campaign, set())
    elif how == "archived":
        Campaign.objects.update(is_archived=True)
    elif how == "paused person":
        User.objects.filter(pk=annotator.pk).update(is_paused=True)
    else:
        Membership.objects.update(state=MemberState.REFUSED if how == "refused" else MemberState.PAUSED)


@pytest.mark.parametrize("how", [*GONE, *STOPPED])
def test_whoever_is_kept_away_changes_no_label_of_theirs(client, campaign, annotator, lease, how) -> None:
    said = submit(lease, 1, 1, 1)
    client.force_login(annotator)
    keep_away(how, campaign, annotator)
    said = Annotation.objects.get(pk=said.pk)
    with pytest.raises(Closed):
        services.revise(said, 1, uuid4(), judgement(lease.task, 1, 0, 1))
    with pytest.raises(Closed):
        services.undo(said)
    address = f"/annotate/annotation/{said.pk}/"
    sent = {"revision": 1, "key": str(uuid4()), "judgement": judgement(lease.task, 1, 0, 1)}
    Campaign.objects.update(estimate_run=make_estimate_run())
    is_gone = how in GONE
    page = client.get(address)
    assert page.status_code == (404 if is_gone else 409)
    # It is the person who is kept away; of what the campaign allows nobody asked.
    assert is_gone or "This can no longer be changed." in page.content.decode()
    for door, body in (("revise/", sent), ("undo/", {})):
        answer = client.post(address + door, json.dumps(body), content_type="application/json")
        assert answer.status_code == (404 if is_gone else 409), answer.content
        # The page shows the answer's words.
        told = answer.json()
        assert told["code"] == ("not_found" if is_gone else "closed")
        assert ("not open to you any more" if is_gone else "can no longer be changed") in told["message"]
    assert client.get(f"{address}second-look/").status_code == (404 if is_gone else 200)
    assert Annotation.objects.get().trajectory == [1, 1, 1]
    (entry,) = client.get("/my-day/").context["entries"]
    assert (entry.can_edit, entry.can_look) == (False, not is_gone)


def test_a_pause_of_the_campaign_keeps_nobody_from_putting_a_label_right(campaign, annotator, lease) -> None:
    said = submit(lease, 1, 1, 1)
    Campaign.objects.update(is_paused=True)
    assert services.revise(said, 1, uuid4(), judgement(lease.task, 1, 0, 1)).revision == 2


def test_a_reviewer_who_is_no_member_any_more_may_still_put_their_label_right(
    campaign, annotator, lease
) -> None:
    said = submit(lease, 1, 1, 1)
    User.objects.filter(pk=annotator.pk).update(role="reviewer")
    set_members(campaign, set())
    assert Assignment.objects.exists()
    said = Annotation.objects.get(pk=said.pk)
    assert services.may_revise(said)
