"""Two reviewers who decide on the same solution at once."""

import re

import pytest
from django.urls import reverse

from labelsite.comparison.models import Adjudication
from labelsite.comparison.services import adjudicate
from tests.factories import log_in, make_annotation, make_campaign, make_solution, make_task, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def reviewer(client):
    return log_in(client, "reviewer")


@pytest.fixture
def task():
    task = make_task(make_campaign(), make_solution(steps=["one", "two", "three"]))
    make_annotation(task, make_user(), [1, 1, -1])
    return task


def test_who_decides_while_somebody_else_does_is_shown_their_decision_before_it_is_replaced(
    client, reviewer, task
):
    address = reverse("comparison:task", args=[task.campaign_id, task.pk])
    sent = {"positions": ["2"], "note": "mine", "seen": shown_decision(client.get(address)) or ""}
    adjudicate(task, make_user("reviewer", username="ruth"), [1])
    page = client.post(address, sent)
    assert "ruth has decided since you opened this page" in page.text and "mine</textarea>" in page.text
    assert Adjudication.objects.get(is_live=True).positions == [1] and page.context["marked"] == {"2"}
    client.post(address, sent | {"seen": shown_decision(page) or ""})
    assert Adjudication.objects.get(is_live=True).positions == [2]
    # Their own decision is nobody else's, also from a page that is older.
    client.post(address, sent | {"positions": ["0"]})
    assert Adjudication.objects.get(is_live=True).positions == [0]


def test_a_form_that_was_refused_for_something_else_takes_over_no_decision_that_it_did_not_tell_of(
    client, reviewer, task
):
    address = reverse("comparison:task", args=[task.campaign_id, task.pk])
    before = shown_decision(client.get(address)) or ""
    adjudicate(task, make_user("reviewer", username="ruth"), [1])
    unmarked = client.post(address, {"positions": [], "seen": before})
    page = client.post(address, {"positions": ["2"], "seen": shown_decision(unmarked) or ""})
    assert "ruth has decided since you opened this page" in page.text
    assert Adjudication.objects.get(is_live=True).positions == [1]


def shown_decision(page) -> str | None:
    found = re.search(r'name="seen" value="(\d+)"', page.text)
    return found and found[1]
