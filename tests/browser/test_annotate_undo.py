"""Undo on a slow line, in two tabs, and after the last task: it opens the submission once, and can be left again."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Route

from labelsite.accounts.models import User
from labelsite.annotations.models import Annotation
from labelsite.campaigns.models import Assignment, Campaign
from tests.browser.annotator_page import Watched
from tests.browser.scenes import small_campaign
from tests.factories import make_annotation

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def campaign(annotator: User) -> Campaign:
    return small_campaign(annotator, tasks=2)


def test_two_quick_undos_on_a_slow_line_open_the_submission_once_and_the_page_goes_on(
    watched: Watched, annotator: User, campaign: Campaign
) -> None:
    page = watched.page
    watched.submit_first(campaign, annotator)
    held: list[Route] = []
    page.route("**/undo/", lambda route: held.append(route))
    watched.idle()
    with page.expect_request("**/undo/"):
        watched.press("u u", while_busy=True)
    page.wait_for_timeout(200)
    assert len(held) == 1
    held[0].continue_()
    page.wait_for_selector("#revising:not([hidden])")
    watched.press("1 Enter")
    page.wait_for_selector("text=Problem 1?")
    watched.submitted(1)
    assert not page.is_visible("#revising")
    watched.press("3 3 Enter")
    watched.submitted(2)
    page.wait_for_selector("text=Everything is labelled")
    looks = Annotation.objects.order_by("pk").values_list("revision", "is_live", "trajectory")
    assert list(looks) == [(1, False, [1, 1]), (2, True, [1, -1]), (1, True, [1, 1])]


def test_a_second_tab_with_the_same_submission_shows_what_the_first_one_made_of_it_and_goes_on(
    watched: Watched, annotator: User, campaign: Campaign, chromium_browser: Browser
) -> None:
    task = campaign.tasks.earliest("pk")
    stored = make_annotation(task, annotator, [1, -1])
    watched.log_in(annotator.username)
    second = Watched(chromium_browser.new_context(), watched.base)
    second.log_in(annotator.username)
    for tab in (watched, second):
        tab.go(f"/annotate/annotation/{stored.pk}/")
        tab.ready()
    second.press("2 Enter")
    second.page.wait_for_selector("text=Problem 1?")
    second.settle()
    second.page.context.close()
    watched.press("k 1 Enter")
    watched.page.wait_for_selector("text=changed on another device")
    assert watched.ratings() == ["1", "0"]
    watched.press("3 Enter")
    watched.page.wait_for_selector("text=Problem 1?")
    live = Annotation.objects.get(is_live=True)
    assert (live.revision, live.trajectory) == (3, [1, 1])


def test_the_last_submission_can_be_undone_when_no_task_is_left(
    watched: Watched, annotator: User, campaign: Campaign
) -> None:
    watched.submit_first(campaign, annotator)
    watched.press("3 3 Enter")
    watched.page.wait_for_selector("text=Everything is labelled")
    watched.submitted(2)
    watched.press("u")
    watched.page.wait_for_selector("#revising:not([hidden])")
    watched.press("1 Enter")
    watched.page.wait_for_selector("text=Everything is labelled")
    assert Annotation.objects.get(is_live=True, revision=2).trajectory == [1, -1]


def test_undo_waits_for_no_draft_that_cannot_be_saved_and_comes_back_to_it(
    watched: Watched, annotator: User, campaign: Campaign
) -> None:
    page = watched.page
    watched.submit_first(campaign, annotator)
    page.route("**/draft/", lambda route: route.fulfill(status=500, body="out of order"))
    watched.press("1 u")
    page.wait_for_selector("#save-state[data-state=offline]")
    watched.press("u")
    page.wait_for_selector("#revising:not([hidden])", timeout=3000)
    page.unroute("**/draft/")
    watched.press("1 Enter")
    page.wait_for_selector("text=Problem 1?")
    watched.press("3 3 Enter")
    watched.submitted(2)
    looks = Annotation.objects.filter(is_live=True).order_by("pk").values_list("revision", "trajectory")
    assert list(looks) == [(2, [1, -1]), (1, [1, 1])]


def test_a_draft_that_is_on_its_way_while_an_earlier_look_is_open_is_no_other_devices(
    watched: Watched, annotator: User, campaign: Campaign
) -> None:
    page = watched.page
    watched.submit_first(campaign, annotator)
    held: list[Route] = []
    page.route("**/draft/", lambda route: route.continue_() if held else held.append(route))
    with page.expect_request("**/draft/"):
        watched.press("3 u u")
    page.wait_for_selector("#revising:not([hidden])", timeout=3000)
    watched.press("1 Enter")
    page.wait_for_selector("text=Problem 1?")
    watched.press("1")
    newest = '"rating":-1'
    with page.expect_response(lambda answer: newest in (answer.request.post_data or "")) as answered:
        held[0].continue_()
    assert answered.value.status == 200
    watched.saved()
    assert watched.ratings()[0] == "-1"
    assert not page.is_visible("text=changed on another device")


def test_a_task_whose_hold_ended_is_left_also_while_its_draft_cannot_be_saved(
    watched: Watched, annotator: User, campaign: Campaign
) -> None:
    page = watched.page
    watched.annotate_two(campaign, annotator)
    Assignment.objects.filter(task__solution__problem__text="Problem 0?").update(state="lapsed")
    watched.press("3")
    page.wait_for_selector("text=Your hold on this task ended")
    page.route("**/draft/", lambda route: route.fulfill(status=500, body="out of order"))
    watched.press("3")
    page.wait_for_selector("#save-state[data-state=offline]")
    page.click("text=Go on to the next task")
    page.wait_for_selector("text=Problem 1?", timeout=3000)


def earlier_one_open_while_a_draft_is_under_way(
    watched: Watched, annotator: User, campaign: Campaign
) -> Route:
    """Problem 1 is in hand, its draft on the way; the submission of problem 0 is open again."""
    watched.submit_first(campaign, annotator)
    held: list[Route] = []
    watched.page.route("**/draft/", lambda route: route.continue_() if held else held.append(route))
    with watched.page.expect_request("**/draft/"):
        watched.press("3 u u")
    watched.page.wait_for_selector("#revising:not([hidden])", timeout=3000)
    return held[0]


def test_a_draft_that_another_device_changed_meanwhile_is_told_when_its_task_comes_back(
    watched: Watched, annotator: User, campaign: Campaign
) -> None:
    draft = earlier_one_open_while_a_draft_is_under_way(watched, annotator, campaign)
    Assignment.objects.filter(task__solution__problem__text="Problem 1?").update(draft_version=7)
    with watched.page.expect_response("**/draft/"):
        draft.continue_()
    watched.press("1 Enter")
    watched.page.wait_for_selector("text=Problem 1?")
    watched.page.wait_for_selector("text=changed on another device")


def test_a_refused_draft_is_told_when_its_task_comes_back_and_never_called_saved(
    watched: Watched, annotator: User, campaign: Campaign
) -> None:
    page = watched.page
    draft = earlier_one_open_while_a_draft_is_under_way(watched, annotator, campaign)
    refusal = {"code": "closed", "message": "This task is closed."}
    page.route("**/draft/", lambda route: route.fulfill(status=409, json=refusal))
    with page.expect_response("**/draft/"):
        draft.fulfill(status=409, json=refusal)
    page.wait_for_timeout(300)
    assert page.get_attribute("#save-state", "data-state") != "saved"
    watched.press("1 Enter")
    page.wait_for_selector("text=Problem 1?")
    page.wait_for_selector("text=This task is closed.")
