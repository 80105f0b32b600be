"""What stands at the head of every page of a campaign, and where its links lead."""

from __future__ import annotations

import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from labelsite.campaigns.models import Campaign, Exposure
from tests.factories import make_annotation, make_campaign, make_solution, make_task, make_user

TABS = [
    "campaigns:detail",
    "campaigns:tasks",
    "campaigns:sections",
    "campaigns:members",
    "campaigns:settings",
    "annotations:quality",
    "annotations:exits",
    "comparison:campaign",
    "comparison:disagreements",
]
pytestmark = pytest.mark.django_db


@pytest.fixture
def campaign() -> Campaign:
    campaign = make_campaign()
    make_task(campaign, make_solution(["A step."] * 2))
    return campaign


@pytest.mark.parametrize("tab", TABS)
def test_a_member_finds_the_button_to_label_on_every_tab_and_nobody_else_does(client, campaign, tab) -> None:
    admin, button = make_user("admin"), f'href="{reverse("annotations:annotate", args=[campaign.pk])}"'
    client.force_login(admin)
    assert button not in client.get(reverse(tab, args=[campaign.pk])).content.decode()
    campaign.memberships.create(user=admin)
    page = client.get(reverse(tab, args=[campaign.pk]))
    assert button in page.content.decode() and campaign.name in page.content.decode()


def test_the_way_from_a_campaign_to_its_estimates_opens_a_form_without_errors(client, campaign) -> None:
    client.force_login(make_user("admin"))
    page = client.get(reverse("campaigns:detail", args=[campaign.pk])).content.decode()
    found = re.search(r'href="([^"]+)">Judge the steps by search<', page)
    assert found
    form = client.get(found[1])
    assert form.status_code == 200 and form.context["campaign"] == campaign
    assert not form.context["form"].errors and "errorlist" not in form.content.decode()


@pytest.mark.usefixtures("own_folder")
def test_what_is_brought_in_from_a_campaign_goes_into_that_campaign(client) -> None:
    campaign = make_campaign("Sums & more")
    client.force_login(make_user("admin"))
    page = client.get(reverse("campaigns:detail", args=[campaign.pk])).content.decode()
    found = re.search(r'href="([^"]+)">Bring in solutions<', page)
    assert found
    file = SimpleUploadedFile("of another name.jsonl", b"{}")
    preview = client.post(found[1], {"file": file}, follow=True)
    assert preview.context["form"]["campaign"].value() == campaign.name
    Campaign.objects.update(is_archived=True)
    page = client.get(reverse("campaigns:detail", args=[campaign.pk])).content.decode()
    assert "Bring in solutions" not in page


@pytest.mark.parametrize("tab", [*TABS, "annotations:annotate"])
def test_every_page_of_a_campaign_stands_under_campaigns_in_the_main_navigation(
    client, campaign, tab
) -> None:
    admin = make_user("admin")
    campaign.memberships.create(user=admin)
    client.force_login(admin)
    page = client.get(reverse(tab, args=[campaign.pk])).content.decode()
    assert f'<a href="{reverse("campaigns:list")}" aria-current="page">' in page


@pytest.mark.parametrize("page", ["annotations:edit", "annotations:second_look"])
def test_a_page_of_an_own_judgement_stands_under_campaigns_too(client, campaign, page) -> None:
    annotator = make_user()
    campaign.memberships.create(user=annotator)
    annotation = make_annotation(campaign.tasks.get(), annotator, exposure=Exposure.AFTER)
    client.force_login(annotator)
    opened = client.get(reverse(page, args=[annotation.pk]))
    assert opened.status_code == 200
    assert f'<a href="{reverse("campaigns:list")}" aria-current="page">' in opened.content.decode()


@pytest.mark.parametrize(
    ("gold", "share", "notice"),
    [
        ([0], 0.0, "The share of gold items is 0, so nobody gets any."),
        (None, 0.1, "there is no gold item, so nobody is tested"),
        ([0], 0.1, ""),
        (None, 0.0, ""),
    ],
)
def test_gold_without_a_share_and_a_share_without_gold_are_told_with_the_way_to_the_setting(
    client, campaign, gold, share, notice
) -> None:
    campaign.tasks.update(kind="gold" if gold else "work", gold=gold)
    Campaign.objects.update(gold_rate=share)
    address, setting = (reverse(f"campaigns:{name}", args=[campaign.pk]) for name in ("tasks", "settings"))
    for role in ("reviewer", "admin"):
        client.force_login(make_user(role))
        page = client.get(address).content.decode()
        assert (notice in page) if notice else ("gold item" not in page)
        assert (f'href="{setting}#id_gold_rate"' in page) == bool(notice and role == "admin")
    assert 'id="id_gold_rate"' in client.get(setting).content.decode()
