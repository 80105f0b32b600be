"""What people wrote when they reported a problem or gave up reaches the reviewer."""

from __future__ import annotations

import pytest
from django.urls import reverse

from labelsite.annotations.models import FinishReason
from labelsite.annotations.templatetags.exits import exit_count
from tests.factories import make_annotation, make_campaign, make_solution, make_task, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def campaign():
    """One reported problem, one give-up, one that was superseded, one ordinary look, one of another campaign."""
    campaign, ann, bob = make_campaign(overlap=2), make_user(username="ann"), make_user(username="bob")
    one, two = (make_task(campaign, make_solution(problem=text)) for text in ("What is x?", "What is y?"))
    make_annotation(one, ann, [], finish_reason=FinishReason.BAD_PROBLEM, reason="<i>x</i> is not defined")
    make_annotation(two, ann, [1], finish_reason=FinishReason.GIVE_UP, reason="old", is_live=False)
    make_annotation(one, bob)
    make_annotation(two, bob, [1], finish_reason=FinishReason.GIVE_UP, reason="too long for me")
    make_annotation(make_task(), ann, [], finish_reason=FinishReason.GIVE_UP, reason="elsewhere")
    return campaign


def test_a_reviewer_reads_who_gave_up_or_reported_what_and_why(client, campaign) -> None:
    client.force_login(make_user("reviewer"))
    page = client.get(reverse("annotations:exits", args=[campaign.pk]))
    assert [(row.annotator.username, row.reason) for row in page.context["rows"]] == [
        ("bob", "too long for me"),
        ("ann", "<i>x</i> is not defined"),
    ]
    text = page.content.decode()
    assert "&lt;i&gt;x&lt;/i&gt; is not defined" in text and "<i>x" not in text
    for row in page.context["rows"]:
        assert reverse("comparison:task", args=[campaign.pk, row.task_id]) in text


@pytest.mark.parametrize(
    ("kind", "who"), [("bad_problem", ["ann"]), ("give_up", ["bob"]), ("solution", ["bob", "ann"])]
)
def test_the_list_shows_one_kind_or_both(client, campaign, kind, who) -> None:
    client.force_login(make_user("reviewer"))
    page = client.get(reverse("annotations:exits", args=[campaign.pk]), {"kind": kind})
    assert [row.annotator.username for row in page.context["rows"]] == who


def test_the_list_goes_on_behind_a_page(client, campaign, monkeypatch) -> None:
    monkeypatch.setattr("labelsite.annotations.exit_views.PAGE", 1)
    client.force_login(make_user("reviewer"))
    address = reverse("annotations:exits", args=[campaign.pk])
    first = client.get(address)
    second = client.get(address, {"before": first.context["further"]})
    assert [row.annotator.username for row in second.context["rows"]] == ["ann"]
    assert second.context["further"] is None


def test_the_campaigns_page_counts_them_and_leads_there(client, campaign) -> None:
    client.force_login(make_user("reviewer"))
    assert exit_count(campaign) == 2
    page = client.get(reverse("campaigns:detail", args=[campaign.pk])).content.decode()
    assert f'href="{reverse("annotations:exits", args=[campaign.pk])}"' in page


def test_an_annotator_does_not_read_what_others_wrote(client, campaign) -> None:
    client.force_login(make_user(username="cat"))
    assert client.get(reverse("annotations:exits", args=[campaign.pk])).status_code == 403
