"""What is typed into the windows of a note and of an exit is kept until it is used, whatever becomes of the page."""

from __future__ import annotations

import pytest
from django.contrib.sessions.models import Session
from playwright.sync_api import expect

from labelsite.accounts.models import User
from labelsite.annotations.models import Annotation
from labelsite.campaigns.models import Assignment, Campaign, Protocol
from tests.browser.annotator_page import Watched
from tests.browser.scenes import small_campaign

pytestmark = pytest.mark.django_db(transaction=True)
WINDOWS = [("b", "#exit-reason"), ("g", "#exit-reason"), ("/", "#note-text")]


@pytest.mark.parametrize(("key", "field"), WINDOWS)
def test_what_is_half_typed_into_a_window_outlives_a_reload(
    watched: Watched, annotator: User, campaign: Campaign, key: str, field: str
) -> None:
    watched.annotate(campaign, annotator)
    watched.press(key)
    watched.page.locator(field).press_sequentially("half a re")
    watched.saved()
    # Not even the moment before it is sent is lost.
    watched.page.locator(field).press_sequentially("ason")
    watched.reload()
    watched.press(key)
    expect(watched.page.locator(field)).to_have_value("half a reason")
    watched.page.fill(field, "")
    watched.page.keyboard.press("Escape")
    watched.reload()
    watched.press(key)
    expect(watched.page.locator(field)).to_have_value("")


def test_a_note_that_is_kept_is_no_longer_a_half_typed_one(
    watched: Watched, annotator: User, campaign: Campaign
) -> None:
    watched.annotate(campaign, annotator)
    watched.press("/")
    watched.page.locator("#note-text").press_sequentially("odd")
    watched.press("Enter")
    watched.saved()
    assert Assignment.objects.exclude(draft={}).get().draft["unsent"] == {}
    watched.press("/")
    watched.page.locator("#note-text").press_sequentially(" indeed")
    watched.page.keyboard.press("Escape")
    expect(watched.page.locator(".step-note").first).to_have_text("odd")


@pytest.mark.parametrize("protocol", [Protocol.FIRST_MISTAKE, Protocol.INDEX_ONLY])
def test_a_note_on_the_step_at_which_somebody_gives_up_is_submitted_without_a_rating(
    watched: Watched, annotator: User, protocol: str
) -> None:
    campaign = small_campaign(annotator)
    Campaign.objects.update(protocol=protocol)
    watched.annotate(campaign, annotator)
    watched.press("x /" if protocol == Protocol.INDEX_ONLY else "1 k /")
    watched.page.locator("#note-text").press_sequentially("odd")
    watched.press("Enter g")
    watched.page.locator("#exit-reason").press_sequentially("too hard")
    watched.press("Enter")
    watched.submitted(1)
    look = Annotation.objects.get()
    assert (look.trajectory, look.finish_reason) == ([], "give_up")
    assert list(look.ratings.values_list("rating", "note")) == [(None, "odd")]


def test_why_a_task_is_left_outlives_a_session_that_ended(
    watched: Watched, annotator: User, campaign: Campaign
) -> None:
    page = watched.page
    page.on("dialog", lambda dialog: dialog.accept())
    watched.annotate(campaign, annotator)
    Session.objects.all().delete()
    watched.press("b")
    page.locator("#exit-reason").press_sequentially("no question")
    page.keyboard.press("Enter")
    page.wait_for_selector("#save-state[data-state=loggedOut]")
    watched.log_in_by_keyboard(annotator.username)
    watched.annotate(campaign)
    watched.press("b")
    expect(page.locator("#exit-reason")).to_have_value("no question")
    page.keyboard.press("Enter")
    watched.submitted(1)
    assert Annotation.objects.get().reason == "no question"
    watched.press("b")
    expect(page.locator("#exit-reason")).to_have_value("")
    page.keyboard.press("Escape")
    # Nothing of the task that is done stays behind.
    assert page.evaluate("localStorage.length") == 0


def test_the_enter_that_ends_a_composition_does_not_leave_the_task(
    watched: Watched, annotator: User, campaign: Campaign
) -> None:
    watched.annotate(campaign, annotator)
    watched.press("g")
    watched.page.locator("#exit-reason").press_sequentially("too hard")
    # As Safari sends it, after the composition's own end.
    watched.page.evaluate(
        "() => document.activeElement.dispatchEvent("
        "new KeyboardEvent('keydown', { key: 'Enter', keyCode: 229, bubbles: true, cancelable: true }))"
    )
    expect(watched.page.locator("#exit-dialog")).to_be_visible()
    watched.press("Enter")
    watched.submitted(1)


def test_on_a_phone_return_is_a_new_line_of_the_reason(
    watched: Watched, annotator: User, campaign: Campaign
) -> None:
    devtools = watched.page.context.new_cdp_session(watched.page)
    devtools.send("Emulation.setTouchEmulationEnabled", {"enabled": True})
    watched.annotate(campaign, annotator)
    assert watched.page.evaluate("matchMedia('(pointer: coarse)').matches")
    watched.press("g")
    watched.page.locator("#exit-reason").press_sequentially("too")
    watched.press("Enter")
    watched.page.locator("#exit-reason").press_sequentially("hard")
    expect(watched.page.locator("#exit-reason")).to_have_value("too\nhard")
    watched.page.click("#exit-dialog button[value=ok]")
    watched.submitted(1)
    # Of the one line of a search it is the end.
    watched.press("f")
    watched.page.locator("#find-text").press_sequentially("One")
    watched.press("Enter")
    expect(watched.page.locator("#find-dialog")).to_be_hidden()
