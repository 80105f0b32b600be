"""A reload keeps what undo reaches and what the address says; a notice goes when the work goes on."""

from __future__ import annotations

import pytest

from labelsite.accounts.models import User
from labelsite.annotations.models import Annotation
from labelsite.campaigns.models import Assignment, Campaign, Protocol
from tests.browser.annotator_page import Watched
from tests.browser.scenes import small_campaign
from tests.factories import make_campaign, make_estimate_run, make_solution, make_task, make_user

pytestmark = pytest.mark.django_db(transaction=True)
PHONE = {"width": 390, "height": 844}


@pytest.fixture
def campaign(annotator: User) -> Campaign:
    return small_campaign(annotator, tasks=3)


def test_what_was_submitted_is_told_until_the_first_key_on_the_next_task(
    watched: Watched, annotator: User, campaign: Campaign
) -> None:
    watched.submit_first(campaign, annotator)
    watched.page.wait_for_selector("#passing:has-text('Submitted.')")
    watched.press("3")
    assert watched.page.inner_text("#passing") == ""
    assert watched.page.is_hidden("#passing")
    assert watched.page.get_attribute("#passing", "role") == "status"


def test_a_tap_beside_the_notice_takes_it_away_and_the_second_look_stays_at_its_key(watched: Watched) -> None:
    annotator = make_user()
    campaign = make_campaign(members=[annotator], estimate_run=make_estimate_run())
    for number in range(2):
        make_task(campaign, make_solution(["One.", "Two."], problem=f"Problem {number}?"))
    watched.page.set_viewport_size(PHONE)
    watched.submit_first(campaign, annotator)
    watched.page.wait_for_selector("#passing a")
    watched.page.click("#more summary")
    assert watched.page.is_hidden("#passing")
    watched.press("v")
    watched.page.wait_for_url("**/second-look/")


def test_a_notice_goes_by_itself_after_some_seconds(
    watched: Watched, annotator: User, campaign: Campaign
) -> None:
    watched.log_in(annotator.username)
    watched.page.clock.install()
    watched.annotate(campaign)
    watched.press("3 3 Enter")
    watched.page.wait_for_selector("#passing:has-text('Submitted.')")
    watched.page.clock.fast_forward(9000)
    watched.page.wait_for_selector("#passing", state="hidden")


def test_an_undone_submission_is_called_undone_and_no_longer_submitted(
    watched: Watched, annotator: User, campaign: Campaign
) -> None:
    watched.submit_first(campaign, annotator)
    watched.press("u")
    watched.page.wait_for_selector("#revising:not([hidden])")
    watched.page.wait_for_selector("#passing:has-text('Undone.')")
    assert "Submitted" not in watched.page.inner_text("#passing")


def test_an_undo_without_a_connection_promises_no_further_try(
    watched: Watched, annotator: User, campaign: Campaign
) -> None:
    watched.submit_first(campaign, annotator)
    watched.page.route("**/undo/", lambda route: route.abort())
    watched.press("u")
    watched.page.wait_for_selector("#toast:has-text('nothing was undone. Try again')")
    watched.page.unroute("**/undo/")
    watched.press("u")
    watched.page.wait_for_selector("#revising:not([hidden])")


def test_an_undone_rating_is_told_to_a_screen_reader(
    watched: Watched, annotator: User, campaign: Campaign
) -> None:
    watched.annotate(campaign, annotator)
    watched.press("3 u")
    assert watched.page.inner_text("#announcer").startswith("Undone. Step 1 of 2.")


def test_undo_clears_the_ratings_of_a_restored_draft_the_last_one_first(
    watched: Watched, annotator: User, campaign: Campaign
) -> None:
    watched.annotate(campaign, annotator)
    watched.press("3 3 k 2")
    watched.saved()
    watched.reload()
    assert watched.ratings() == ["0", "1"]
    watched.press("u")
    # The second step is closed until the first one is rated again; what was said of it is kept.
    assert watched.ratings() == ["", ""]
    watched.press("3")
    assert watched.ratings() == ["1", "1"]
    watched.press("u u")
    watched.saved()
    watched.reload()
    assert watched.ratings()[0] == ""
    watched.press("u")
    watched.page.wait_for_selector("#passing:has-text('There is nothing to undo.')")


def test_undo_takes_back_the_mark_of_a_restored_draft(watched: Watched) -> None:
    annotator = make_user()
    campaign = make_campaign(members=[annotator], protocol=Protocol.INDEX_ONLY)
    make_task(campaign, make_solution(["One.", "Two."]))
    watched.annotate(campaign, annotator)
    watched.press("x")
    watched.saved()
    watched.reload()
    assert watched.ratings() == ["-1", ""]
    watched.press("u")
    assert watched.ratings() == ["", ""]


def test_undo_reaches_the_last_submission_also_after_a_reload(
    watched: Watched, annotator: User, campaign: Campaign
) -> None:
    watched.submit_first(campaign, annotator)
    watched.reload()
    watched.press("u")
    watched.page.wait_for_selector("#revising:not([hidden])")
    watched.press("1 Enter")
    watched.page.wait_for_selector("text=Problem 1?")
    assert Annotation.objects.get(is_live=True).trajectory == [1, -1]


def test_the_address_follows_the_task_and_a_reload_opens_the_same_one(
    watched: Watched, annotator: User, campaign: Campaign
) -> None:
    watched.submit_first(campaign, annotator)
    watched.go("/my-day/")
    watched.page.click("text=Change")
    watched.ready()
    assert "/annotate/annotation/" in watched.page.url
    watched.press("1 Enter")
    watched.page.wait_for_selector("text=Problem 1?")
    assert watched.page.url == f"{watched.base}/annotate/{campaign.pk}/"
    watched.reload()
    watched.page.wait_for_selector("text=Problem 1?")
    assert not watched.page.is_visible("#revising")
    watched.page.go_back()
    watched.page.wait_for_url("**/my-day/")


def test_a_correction_outlives_a_reload_until_it_is_submitted_or_given_up_and_the_task_in_hand_comes_back(
    watched: Watched, annotator: User, campaign: Campaign
) -> None:
    watched.submit_first(campaign, annotator)
    watched.press("3")
    watched.saved()
    watched.press("u u")
    watched.page.wait_for_selector("#revising:not([hidden])")
    stands = watched.ratings()
    watched.press("k k 2")
    changed = watched.ratings()
    assert changed != stands
    watched.reload()
    assert watched.page.is_visible("#revising") and watched.ratings() == changed
    watched.page.click("text=Leave it as it is")
    watched.page.wait_for_selector("text=Problem 1?")
    watched.press("u u")
    watched.page.wait_for_selector("#revising:not([hidden])")
    assert watched.ratings() == stands
    watched.press("1")
    watched.reload()
    watched.press("Enter")
    watched.page.wait_for_selector("text=Problem 1?")
    assert Annotation.objects.get(is_live=True).finish_reason == "found_error"
    watched.press("u u")
    watched.page.wait_for_selector("#revising:not([hidden])")
    assert "-1" in watched.ratings()
    assert Assignment.objects.get(task__solution__problem__text="Problem 1?").state == "leased"
