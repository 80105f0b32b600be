"""A reviewer decides on one disagreement after another without the mouse."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from labelsite.comparison.models import Adjudication
from tests.browser.annotator_page import Watched
from tests.factories import make_annotation, make_campaign, make_solution, make_task, make_user

pytestmark = pytest.mark.django_db(transaction=True)


def test_arrows_space_and_enter_decide_and_go_on(watched: Watched) -> None:
    first, second = make_user(), make_user()
    campaign = make_campaign(members=[first, second])
    tasks = [make_task(campaign, make_solution(["One.", "Two.", "Three."])) for _ in range(2)]
    for task in tasks:
        make_annotation(task, first, trajectory=(1, -1))
        make_annotation(task, second, trajectory=(1, 1, 1))
    watched.log_in(make_user("reviewer").username)
    address = f"/campaigns/{campaign.pk}/comparison/tasks/{{}}/?kind=people"
    watched.go(address.format(tasks[0].pk))
    page = watched.page
    expect(page.get_by_label("Step 2 is an acceptable first mistake")).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_label("Step 3 is an acceptable first mistake")).to_be_focused()
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    page.wait_for_url(watched.base + address.format(tasks[1].pk))
    assert Adjudication.objects.get().positions == [2]
    # From the first step up one comes to "no mistake", the last of the choices.
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    expect(page.get_by_label("no mistake")).to_be_focused()
