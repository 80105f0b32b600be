"""A campaign can be put away and brought back, and deleted while it holds nobody's labels."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from labelsite.accounts.models import Change
from labelsite.campaigns import archive
from labelsite.campaigns.models import Campaign, Task
from labelsite.campaigns.reasons import NothingLeft
from labelsite.campaigns.services import set_paused, update_campaign
from labelsite.comparison.models import Adjudication
from labelsite.problems.models import Solution
from labelsite.snapshots.models import Snapshot
from ml.errors import MisstepError
from tests.annotations.test_import import processbench_line
from tests.campaigns.leases import claim_next
from tests.factories import make_annotation, make_campaign, make_machine, make_task, make_user
from tests.transactions import held, in_background

pytestmark = pytest.mark.django_db


@pytest.fixture
def campaign() -> Campaign:
    campaign = make_campaign("Misspelt", members=[make_user(username="ann")])
    make_task(campaign)
    return campaign


@pytest.fixture
def browser(client: Client) -> Client:
    client.force_login(make_user("admin"))
    return client


def lists(role_client: Client) -> str:
    pages = [role_client.get(url).content.decode() for url in ("/campaigns/", "/campaigns/mine/")]
    return "".join(pages) + str(role_client.get("/api/v1/campaigns/").json())


def test_an_archived_campaign_is_in_no_list_and_hands_out_nothing(browser: Client, campaign: Campaign):
    assert "Misspelt" in lists(browser)
    browser.post(f"/campaigns/{campaign.pk}/archive/", {"is_archived": "1"}, follow=True)
    assert "Misspelt" not in lists(browser)
    assert "Misspelt" in browser.get("/campaigns/?archived=1").content.decode()
    assert "Misspelt" in str(browser.get("/api/v1/campaigns/?archived=1").json())
    assert "Restore the campaign" in browser.get(f"/campaigns/{campaign.pk}/").content.decode()
    ann = campaign.memberships.get().user
    campaign.refresh_from_db()
    assert isinstance(claim_next(campaign, ann), NothingLeft)
    browser.force_login(ann)
    assert "Misspelt" not in lists(browser)
    assert "Misspelt" not in browser.get("/campaigns/?archived=1").content.decode()
    assert browser.get(f"/campaigns/{campaign.pk}/").status_code == 404


def test_what_was_archived_is_restored_and_then_let_go_on(browser: Client, campaign: Campaign):
    archive.set_archived(campaign, True)
    with pytest.raises(MisstepError, match="archived"):
        set_paused(campaign, False)
    browser.post(f"/campaigns/{campaign.pk}/archive/", {"is_archived": "0"})
    campaign.refresh_from_db()
    assert (campaign.is_archived, campaign.is_paused) == (False, True)
    browser.post(f"/campaigns/{campaign.pk}/pause/", {"is_paused": "0"})
    assert not isinstance(claim_next(campaign, campaign.memberships.get().user), NothingLeft)


def test_a_page_from_before_a_campaign_was_put_away_lets_it_not_go_on_and_says_why(
    browser: Client, campaign: Campaign
):
    archive.set_archived(campaign, True)
    page = browser.post(f"/campaigns/{campaign.pk}/pause/", {"is_paused": "0"}, follow=True)
    assert page.status_code == 200 and "expected it to be restored first" in page.content.decode()
    campaign.refresh_from_db()
    assert campaign.is_paused


def test_the_record_of_changes_says_who_put_it_away_and_who_deleted_it(browser: Client, campaign: Campaign):
    browser.post(f"/campaigns/{campaign.pk}/archive/", {"is_archived": "1"})
    browser.post(f"/campaigns/{campaign.pk}/delete/")
    told = Change.objects.order_by("pk").values_list("by__username", "name", "field", "new")
    changes = [(field, value) for _by, name, field, value in told if name == "Misspelt"]
    assert changes == [("is_archived", True), ("is_paused", True), ("is_deleted", True)]
    assert None not in {row[0] for row in told}


def test_an_import_into_an_archived_campaign_is_refused(campaign: Campaign, tmp_path: Path):
    archive.set_archived(campaign, True)
    path = tmp_path / "some.jsonl"
    path.write_text(processbench_line(1) + "\n")
    with pytest.raises(CommandError, match="archived"):
        call_command("import_solutions", str(path), format="processbench", campaign="Misspelt")
    assert campaign.tasks.count() == 1


def test_scripts_archive_what_they_read_and_restore_it(browser: Client, campaign: Campaign):
    url = f"/api/v1/campaigns/{campaign.pk}/"
    read = browser.get(url).json()
    same = browser.patch(url, read, content_type="application/json").json()
    assert (same["is_archived"], same["is_paused"]) == (False, False)
    away = browser.patch(url, {**read, "is_archived": True}, content_type="application/json").json()
    assert (away["is_archived"], away["is_paused"]) == (True, True)
    refused = browser.patch(url, {"is_paused": False}, content_type="application/json")
    assert (refused.status_code, refused.json()["code"]) == (422, "refused")
    back = browser.patch(url, {"is_archived": False}, content_type="application/json").json()
    assert (back["is_archived"], back["is_paused"]) == (False, True)


def test_a_campaign_without_labels_is_deleted_and_its_solutions_stay(browser: Client, campaign: Campaign):
    page = browser.post(f"/campaigns/{campaign.pk}/delete/", follow=True).content.decode()
    assert "“Misspelt” is deleted." in page
    assert not Campaign.objects.exists() and not Task.objects.exists() and Solution.objects.count() == 1


def annotated(campaign: Campaign) -> None:
    make_annotation(campaign.tasks.get(), make_machine())


def frozen(campaign: Campaign) -> None:
    Snapshot.objects.create(
        name="S", campaign=campaign, labels="human", folder="f", sha256="0" * 64, manifest={}
    )


def settled(campaign: Campaign) -> None:
    Adjudication.objects.create(task=campaign.tasks.get(), reviewer=make_user("reviewer"), positions=[-1])


def in_hand(campaign: Campaign) -> None:
    claim_next(campaign, campaign.memberships.get().user)


def begun(campaign: Campaign) -> None:
    """A person went away amid a task, whose lease lapsed; what they rated so far is kept for them."""
    claim_next(campaign, campaign.memberships.get().user)
    campaign.tasks.get().assignments.update(state="lapsed", draft={"ratings": {"0": 1}})


def looked_at(campaign: Campaign) -> None:
    claim_next(campaign, campaign.memberships.get().user)
    campaign.tasks.get().assignments.update(state="lapsed")


def run_out(campaign: Campaign) -> None:
    """In a campaign that stands still, nobody's claim takes back the lease."""
    looked_at(campaign)
    past = timezone.now() - timedelta(seconds=1)
    campaign.tasks.get().assignments.update(state="leased", leased_until=past)
    set_paused(campaign, True)


@pytest.mark.parametrize("hold", [looked_at, run_out])
def test_a_campaign_with_a_lapsed_lease_in_which_nothing_was_rated_is_deleted(campaign: Campaign, hold):
    hold(campaign)
    archive.delete(campaign)
    assert not Campaign.objects.exists()


def test_the_refusal_to_delete_drafts_says_how_many_there_are(campaign: Campaign):
    begun(campaign)
    with pytest.raises(MisstepError, match=r"holds drafts that nobody submitted \(1\), expected none"):
        archive.delete(campaign)
    assert Task.objects.get().assignments.get().draft == {"ratings": {"0": 1}}


@pytest.mark.parametrize("hold", [annotated, frozen, settled, in_hand, begun])
def test_a_campaign_with_labels_or_work_in_hand_is_not_deleted(browser: Client, campaign: Campaign, hold):
    hold(campaign)
    response = browser.delete(f"/api/v1/campaigns/{campaign.pk}/")
    assert (response.status_code, response.json()["code"]) == (422, "refused")
    browser.post(f"/campaigns/{campaign.pk}/delete/")
    assert Task.objects.filter(campaign=campaign).exists()


def test_only_an_admin_archives_and_deletes(client: Client, campaign: Campaign):
    for role in ("annotator", "reviewer"):
        client.force_login(make_user(role))
        for page in ("archive", "delete"):
            assert client.post(f"/campaigns/{campaign.pk}/{page}/", {"is_archived": "1"}).status_code == 403
        assert client.delete(f"/api/v1/campaigns/{campaign.pk}/").status_code == 403
    campaign.refresh_from_db()
    assert not campaign.is_archived


def test_a_script_deletes_an_empty_campaign(browser: Client, campaign: Campaign):
    assert browser.delete(f"/api/v1/campaigns/{campaign.pk}/").status_code == 204
    assert browser.get(f"/api/v1/campaigns/{campaign.pk}/").status_code == 404


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "let_go_on",
    [
        lambda campaign: set_paused(campaign, False),
        lambda campaign: update_campaign(campaign, {"is_paused": False, "overlap": 2}),
    ],
)
def test_a_campaign_that_is_put_away_in_the_same_moment_does_not_go_on(let_go_on) -> None:
    campaign, refused = make_campaign("C"), []
    set_paused(campaign, True)

    def try_to_let_go_on() -> None:
        try:
            let_go_on(campaign)
        except MisstepError as error:
            refused.append(str(error))

    with held(lambda: archive.set_archived(campaign, True)):
        letting = in_background(try_to_let_go_on)
        letting.join(1)
    letting.join(20)
    campaign.refresh_from_db()
    assert (campaign.is_archived, campaign.is_paused) == (True, True)
    assert len(refused) == 1 and "is archived" in refused[0]
