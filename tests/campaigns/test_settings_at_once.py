"""A campaign's settings while machines and other people change them too."""

from __future__ import annotations

import re
from html import unescape

import pytest
from django.db import connection

from labelsite.annotations import importers
from labelsite.campaigns import services
from labelsite.campaigns.models import Campaign, Ordering
from tests.factories import make_campaign, make_scores, make_solution, make_task, make_user
from tests.transactions import held

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def campaign(client) -> Campaign:
    client.force_login(make_user("admin"))
    campaign = make_campaign("A typpo", guideline="Two\nlines.", shows_agreement=True)
    make_task(campaign, make_solution())
    return campaign


def shown(client, address: str) -> dict[str, str]:
    """What a browser would send back if nobody changed a thing."""
    text = client.get(address).content.decode()
    sent = {}
    for tag in re.findall(r"<input[^>]*>", text.partition('<form method="post" class="stack">')[2]):
        facts = dict(re.findall(r'(\w[\w-]*)="([^"]*)"', tag))
        if facts.get("type") != "checkbox" or " checked" in tag:
            sent[facts["name"]] = unescape(
                facts.get("value", "on" if facts.get("type") == "checkbox" else "")
            )
    for name, options in re.findall(r'<select name="(\w+)".*?>(.*?)</select>', text, re.DOTALL):
        sent[name] = (re.findall(r'value="([^"]*)" selected', options) or [""])[0]
    for name, value in re.findall(r'<textarea name="(\w+)".*?>\s*(.*?)</textarea>', text, re.DOTALL):
        sent[name] = unescape(value)
    # A browser ends every line of a form in two characters.
    return {name: value.replace("\n", "\r\n") for name, value in sent.items()}


def test_a_form_that_was_open_for_long_writes_only_what_its_person_has_changed(client, campaign) -> None:
    address = f"/campaigns/{campaign.pk}/settings/"
    sent = shown(client, address)
    scores = make_scores(campaign.tasks.get().solution, [0.5, 0.5])
    # A scoring ends, and another admin lowers and raises this and that, while the form is open.
    services.update_campaign(campaign, {"score_run": scores, "ordering": Ordering.CONVINCING_WRONG})
    services.update_campaign(
        campaign, {"overlap": 3, "allows_editing": False, "guideline": "Three\nwhole\nlines."}
    )
    del sent["shows_agreement"]
    response = client.post(address, {**sent, "name": "A typo", "asks_reason": "on"})
    assert response.status_code == 302, response.content.decode()
    fresh = Campaign.objects.get()
    assert (fresh.name, fresh.asks_reason, fresh.shows_agreement) == ("A typo", True, False)
    assert (fresh.score_run, fresh.ordering) == (scores, Ordering.CONVINCING_WRONG)
    assert (fresh.overlap, fresh.allows_editing, fresh.guideline) == (3, False, "Three\nwhole\nlines.")


def test_a_form_that_is_sent_back_for_a_mistake_still_knows_what_it_has_shown(client, campaign) -> None:
    address = f"/campaigns/{campaign.pk}/settings/"
    sent = shown(client, address)
    services.update_campaign(campaign, {"overlap": 3})
    refused = client.post(address, {**sent, "gold_rate": "7"})
    assert refused.status_code == 422
    assert re.search(
        r'name="initial-overlap"[^>]*value="1"|value="1"[^>]*name="initial-overlap"', refused.content.decode()
    )


def test_a_campaign_is_paused_while_an_import_into_it_runs(client, campaign) -> None:
    with (
        held(lambda: importers.add_tasks(campaign, [make_solution()])),
        connection.cursor() as cursor,
    ):
        cursor.execute("SET statement_timeout = '5s'")
        client.post(f"/campaigns/{campaign.pk}/pause/", {"is_paused": "1"})
        cursor.execute("RESET statement_timeout")
        assert Campaign.objects.get().is_paused


def test_two_admins_who_press_pause_pause_it(client, campaign) -> None:
    page = client.get(f"/campaigns/{campaign.pk}/").content.decode()
    assert 'name="is_paused" value="1"' in page
    for _ in range(2):
        client.post(f"/campaigns/{campaign.pk}/pause/", {"is_paused": "1"})
    assert Campaign.objects.get().is_paused
    client.post(f"/campaigns/{campaign.pk}/pause/", {"is_paused": "0"})
    assert not Campaign.objects.get().is_paused
    assert client.post(f"/campaigns/{campaign.pk}/pause/").status_code == 400
