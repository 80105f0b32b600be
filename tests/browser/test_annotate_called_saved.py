"""“Saved” is said of what the server has, and of nothing that waits in this browser alone."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from labelsite.accounts.models import User
from labelsite.campaigns.models import Assignment, Campaign
from tests.browser.annotator_page import Watched

pytestmark = pytest.mark.django_db(transaction=True)


def refuse_drafts(page: Page) -> None:
    page.route("**/draft/", lambda route: route.fulfill(status=500, body="out of order"))


def test_a_draft_is_sent_at_once_when_a_submission_has_come_through_before_the_next_try(
    watched: Watched, annotator: User, campaign: Campaign
) -> None:
    page = watched.page
    watched.annotate_two(campaign, annotator)
    refuse_drafts(page)
    watched.press("3 3")
    expect(page.locator("#save-state")).to_contain_text("in 4 s", timeout=8000)
    page.unroute("**/draft/")
    watched.press("Enter")
    watched.submitted(1)
    page.wait_for_selector("text=Problem 1?")
    with page.expect_response("**/draft/", timeout=1500):
        watched.press("3")
    watched.saved()
    drafts = Assignment.objects.filter(task__solution__problem__text="Problem 1?")
    assert [len(lease.draft["ratings"]) for lease in drafts] == [1]


def test_a_task_that_is_left_with_a_draft_that_only_this_browser_has_is_not_called_saved(
    watched: Watched, annotator: User, campaign: Campaign
) -> None:
    page = watched.page
    watched.annotate_two(campaign, annotator)
    Assignment.objects.filter(task__solution__problem__text="Problem 0?").update(state="lapsed")
    watched.press("3")
    page.wait_for_selector("text=Your hold on this task ended")
    refuse_drafts(page)
    watched.press("3")
    page.wait_for_selector("#save-state[data-state=offline]")
    page.evaluate(
        "() => { window.said = []; new MutationObserver(() => said.push(document.getElementById('save-state')"
        ".dataset.state)).observe(document.getElementById('save-state'), { attributes: true }); }"
    )
    page.click("text=Go on to the next task")
    page.wait_for_selector("text=Problem 1?", timeout=3000)
    page.wait_for_selector("#save-state[data-state=offline]")
    assert "saved" not in page.evaluate("said")
    page.unroute("**/draft/")
    watched.saved()


def test_when_the_next_task_comes_after_a_broken_line_the_page_no_longer_says_not_connected(
    watched: Watched, annotator: User, campaign: Campaign
) -> None:
    page = watched.page
    page.route("**/next/", lambda route: route.abort(), times=2)
    watched.annotate(campaign, annotator)
    watched.press("3 3")
    watched.saved()
    watched.press("Enter")
    page.wait_for_selector("#save-state[data-state=offline]")
    page.wait_for_selector("text=Problem 1?")
    watched.saved()


LISTEN = """() => {
  window.said = [];
  for (const region of document.querySelectorAll("[aria-live], [role=status], [role=alert]")) {
    const told = () => { const text = region.textContent.trim(); if (text) said.push(text); };
    new MutationObserver(told).observe(region, { childList: true, characterData: true, subtree: true });
  }
}"""


def test_a_screen_reader_hears_each_rating_once_and_of_saving_only_when_it_fails_and_works_again(
    watched: Watched, annotator: User, campaign: Campaign
) -> None:
    page = watched.page
    watched.annotate_two(campaign, annotator)
    page.evaluate(LISTEN)
    with page.expect_response("**/draft/"):
        watched.press("3")
    watched.saved()
    first = page.evaluate("said.splice(0)")
    assert len(first) == 1 and first[0].startswith("Step 2 of 2")
    refuse_drafts(page)
    watched.press("3")
    expect(page.locator("#save-state")).to_contain_text("in 4 s", timeout=8000)
    page.unroute("**/draft/")
    watched.saved()
    rated, *told = page.evaluate("said.splice(0)")
    assert rated.startswith("Ready") and told[0].startswith("Not connected") and told[1:] == ["Saved"]
