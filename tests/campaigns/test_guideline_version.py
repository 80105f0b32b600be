"""A guideline's version counts its texts, and not how often somebody saved the form in which it stands."""

from __future__ import annotations

import pytest

from labelsite.campaigns.models import Campaign
from labelsite.campaigns.services import create_campaign, update_campaign
from tests.campaigns.test_pages import form_data
from tests.factories import make_user

pytestmark = pytest.mark.django_db
# As a script gives it, and as a browser sends it back.
TEXT, SENT = "\n# Rules\n\n- be fair\n", "# Rules\r\n\r\n- be fair"
KEPT = "# Rules\n\n- be fair"


def stored() -> tuple[str, int]:
    return Campaign.objects.values_list("guideline", "guideline_version").get()


@pytest.mark.parametrize("given", [TEXT, SENT, KEPT])
def test_saving_only_another_name_keeps_the_version(client, given) -> None:
    campaign = create_campaign("Old", guideline=given)
    client.force_login(make_user("admin"))
    response = client.post(f"/campaigns/{campaign.pk}/settings/", form_data(name="New", guideline=SENT))
    assert response.status_code == 302
    assert Campaign.objects.get().name == "New"
    assert stored() == (KEPT, 1)


def test_another_text_is_another_version_and_so_is_none(client) -> None:
    campaign = create_campaign("Ours", guideline=TEXT)
    client.force_login(make_user("admin"))
    address = f"/campaigns/{campaign.pk}/settings/"
    client.post(address, form_data(guideline=f"{SENT}\r\n- be quick"))
    assert stored() == (f"{KEPT}\n- be quick", 2)
    client.post(address, form_data(guideline=""))
    assert stored() == ("", 3)


def test_a_script_and_the_form_keep_the_same_text(client) -> None:
    campaign = create_campaign("Made by a script", guideline=TEXT)
    assert stored() == (KEPT, 1)
    update_campaign(campaign, {"guideline": SENT})
    assert stored() == (KEPT, 1)
    update_campaign(campaign, {"generation": 2})
    assert stored() == (KEPT, 1)
