"""The server stores a draft and its answer never comes: what was done meanwhile is newer, and is no other device's."""

from __future__ import annotations

import pytest
from playwright.sync_api import Route

from labelsite.accounts.models import User
from labelsite.annotations.models import Annotation
from labelsite.campaigns.models import Assignment, Campaign
from tests.browser.annotator_page import Watched
from tests.browser.scenes import small_campaign

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def campaign(annotator: User) -> Campaign:
    return small_campaign(annotator, steps=["One.", "Two.", "Three."])


def lose_the_answer(route: Route) -> None:
    """The server has the request; the line drops before its answer is here."""
    route.fetch()
    route.abort()


def offline(watched: Watched) -> None:
    watched.page.wait_for_selector("#save-state[data-state=offline]")


def rate_once_without_an_answer(watched: Watched, annotator: User, campaign: Campaign) -> None:
    watched.annotate(campaign, annotator)
    watched.page.route("**/draft/", lose_the_answer, times=1)
    watched.press("3")
    offline(watched)


def stored() -> int:
    """How many ratings the draft in the database has."""
    return len(Assignment.objects.exclude(draft={}).get().draft["ratings"])


def test_work_done_since_a_draft_whose_answer_was_lost_is_kept_when_the_line_is_back(
    watched: Watched, annotator: User, campaign: Campaign
) -> None:
    rate_once_without_an_answer(watched, annotator, campaign)
    assert stored() == 1
    watched.press("2 3")
    watched.saved()
    assert watched.ratings() == ["1", "0", "1"]
    assert "another device" not in watched.page.inner_text("#passing")
    assert stored() == 3


def test_a_reload_after_a_lost_answer_brings_back_what_was_done_since(
    watched: Watched, annotator: User, campaign: Campaign
) -> None:
    rate_once_without_an_answer(watched, annotator, campaign)
    watched.press("2 3")
    watched.reload()
    assert watched.ratings() == ["1", "0", "1"]
    watched.saved()
    assert stored() == 3


def test_a_draft_that_comes_through_after_the_next_page_was_made_is_not_taken_for_another_devices(
    watched: Watched, annotator: User, campaign: Campaign
) -> None:
    rate_once_without_an_answer(watched, annotator, campaign)
    # The next page is made before the server stores the draft, and its own save comes after that.
    mine = Assignment.objects.exclude(draft={})
    pk, draft, version = mine.values_list("pk", "draft", "draft_version").get()
    Assignment.objects.filter(pk=pk).update(draft={}, draft_version=version - 1)
    watched.page.route("**/draft/", lambda route: route.abort())
    watched.reload()
    offline(watched)
    watched.press("2")
    Assignment.objects.filter(pk=pk).update(draft=draft, draft_version=version)
    watched.page.unroute("**/draft/")
    watched.saved()
    assert watched.ratings() == ["1", "0", ""]
    assert stored() == 2


def test_a_draft_answered_while_its_task_is_being_submitted_leaves_the_newer_work_in_this_browser(
    watched: Watched, annotator: User, campaign: Campaign
) -> None:
    watched.annotate(campaign, annotator)
    watched.page.route("**/submit/", lambda route: route.abort())
    drafts: list[Route] = []
    watched.page.route("**/draft/", lambda route: drafts.append(route))
    watched.press("3")
    while not drafts:
        watched.page.wait_for_timeout(20)
    watched.press("3 3 Enter")
    offline(watched)
    with watched.page.expect_response("**/draft/"):
        drafts[0].continue_()
    watched.page.wait_for_timeout(300)
    assert stored() == 1 and not Annotation.objects.exists()
    watched.page.once("dialog", lambda dialog: dialog.accept())
    watched.page.unroute("**/draft/")
    watched.page.unroute("**/submit/")
    watched.page.reload()
    watched.ready()
    assert watched.ratings() == ["1", "1", "1"]


def test_a_page_that_a_proxy_answers_with_is_no_acknowledgement_of_a_judgement(
    watched: Watched, annotator: User, campaign: Campaign
) -> None:
    watched.annotate(campaign, annotator)
    watched.press("3 3 3")
    watched.saved()
    portal = {"status": 200, "content_type": "text/html", "body": "<h1>Please accept our terms</h1>"}
    watched.page.route("**/submit/", lambda route: route.fulfill(**portal), times=1)
    watched.press("Enter")
    offline(watched)
    assert not Annotation.objects.exists() and "Submitted" not in watched.page.inner_text("#passing")
    watched.submitted(1)
    watched.page.wait_for_selector("text=Problem 1?")


def test_a_network_that_leads_requests_elsewhere_has_refused_nothing(
    watched: Watched, annotator: User, campaign: Campaign
) -> None:
    watched.annotate(campaign, annotator)
    elsewhere = {"status": 302, "headers": {"location": f"{watched.base}/terms/"}}
    watched.page.route("**/draft/", lambda route: route.fulfill(**elsewhere), times=1)
    watched.press("3")
    offline(watched)
    watched.saved()
    assert stored() == 1


def test_whoever_is_logged_out_behind_a_submission_goes_on_with_the_next_task_once_logged_in(
    watched: Watched, annotator: User, campaign: Campaign
) -> None:
    watched.annotate_two(campaign, annotator)
    watched.press("3 3 3")
    watched.saved()
    refusal = {"code": "logged_out", "message": "You are logged out."}
    watched.page.route("**/next/", lambda route: route.fulfill(status=401, json=refusal))
    watched.press("Enter")
    watched.page.wait_for_selector("text=Problem 1?")
    watched.press("3 3 3 Enter")
    watched.page.wait_for_selector("#save-state[data-state=loggedOut]")
    # What is submitted takes no more ratings.
    watched.press("k 1", while_busy=True)
    assert watched.ratings() == ["1", "1", "1"]
    watched.page.unroute("**/next/")
    watched.page.wait_for_selector("text=Problem 2?")
    watched.submitted(2)
    watched.saved()
