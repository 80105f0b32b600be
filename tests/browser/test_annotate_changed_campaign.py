"""A campaign changes while a page stands open: the page follows, and tells by which guideline a look was made."""

from __future__ import annotations

import pytest

from labelsite.accounts.models import User
from labelsite.annotations.models import Annotation
from labelsite.campaigns.models import Assignment, Campaign
from labelsite.campaigns.services import update_campaign
from tests.browser.annotator_page import Watched
from tests.browser.scenes import small_campaign

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def campaign(watched: Watched, annotator: User) -> Campaign:
    """Three tasks, with the first one on the page and the second one prepared."""
    campaign = small_campaign(annotator, tasks=3)
    watched.annotate_two(campaign, annotator)
    return campaign


def test_each_look_is_stored_with_the_guideline_that_stood_beside_it(watched: Watched, campaign) -> None:
    page = watched.page
    update_campaign(campaign, {"guideline": "Look twice."})
    watched.press("3 3 Enter")
    # The second task was fetched before the change, and is judged by the guideline on the page.
    page.wait_for_selector("text=Problem 1?")
    assert "Look once." in page.inner_text("#guideline")
    watched.press("3 3")
    page.evaluate("window.isOld = true")
    watched.press("Enter")
    page.wait_for_selector("text=Problem 2?")
    page.wait_for_function("!window.isOld && document.body.dataset.ready === 'yes'")
    assert "Look twice." in page.inner_text("#guideline")
    watched.press("3 3 Enter")
    watched.submitted(3)
    versions = Annotation.objects.order_by("pk").values_list("guideline_version", flat=True)
    assert list(versions) == [1, 1, 2]
    assert Assignment.objects.count() == 3


def test_a_page_that_stands_open_learns_that_mistakes_need_words_now(watched: Watched, campaign) -> None:
    page = watched.page
    update_campaign(campaign, {"asks_reason": True})
    watched.press("1 Enter")
    page.wait_for_selector("#reason-line:not([hidden])")
    assert not Annotation.objects.exists()
    page.fill("#error-reason", "It is two.")
    watched.press("Escape Enter")
    watched.submitted(1)
    assert Annotation.objects.get().reason == "It is two."
    page.wait_for_selector("text=Problem 1?")


def test_undo_after_a_change_opens_the_last_look_on_a_page_with_the_new_guideline(
    watched: Watched, campaign
) -> None:
    page = watched.page
    watched.press("3 3 Enter")
    page.wait_for_selector("text=Problem 1?")
    watched.submitted(1)
    update_campaign(campaign, {"guideline": "Look twice."})
    watched.press("u")
    page.wait_for_url("**/annotate/annotation/*/")
    watched.ready()
    assert "Look twice." in page.inner_text("#guideline")
    watched.press("1 Enter")
    watched.submitted(1)
    page.wait_for_selector("text=Problem 1?")
    live = Annotation.objects.get(is_live=True)
    assert (live.revision, live.guideline_version, live.trajectory) == (2, 2, [1, -1])


def test_a_task_that_was_fetched_under_another_protocol_comes_again_under_the_new_one(
    watched: Watched, campaign
) -> None:
    page = watched.page
    update_campaign(campaign, {"protocol": "index_only"})
    with page.expect_navigation():
        watched.press("3 1 Enter")
    watched.ready()
    assert not Annotation.objects.exists() and "Problem 0?" in page.inner_text("#task")
    assert "Mark the first wrong step" in page.inner_text("#state")
    assert "The campaign's protocol was changed" in page.inner_text("#passing")
    watched.press("x Enter")
    watched.submitted(1)
    live = Annotation.objects.get()
    assert (live.finish_reason, live.trajectory) == ("found_error", [1, -1])


def test_ratings_that_would_pass_under_the_new_protocol_are_not_turned_into_others(
    watched: Watched, campaign
) -> None:
    page = watched.page
    update_campaign(campaign, {"protocol": "index_only"})
    with page.expect_navigation():
        watched.press("2 2 Enter")
    watched.ready()
    assert not Annotation.objects.exists()
    assert "judge the task as the page asks now" in page.inner_text("#passing")
    # The draft still has those ratings, and they are not sent along to contradict the mark.
    watched.press("x Enter")
    watched.submitted(1)
    assert Annotation.objects.get().finish_reason == "found_error"
