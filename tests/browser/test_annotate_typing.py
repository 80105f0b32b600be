"""What somebody types is kept as it is typed, and stands where they need it."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from labelsite.accounts.models import User
from labelsite.annotations.models import Annotation
from labelsite.campaigns.models import Campaign, Protocol
from labelsite.problems.models import Step
from tests.browser.annotator_page import Watched
from tests.factories import make_campaign, make_solution, make_task

pytestmark = pytest.mark.django_db(transaction=True)
PHONE = {"width": 390, "height": 844}
LONG = [f"Step {number}. " + "A long way round to say it. " * 6 for number in range(12)]
IN_WINDOW = "one => { const { top, bottom } = one.getBoundingClientRect(); return top >= 0 && bottom <= innerHeight; }"


def opened(watched: Watched, annotator: User, steps: list[Any], **fields: Any) -> Campaign:
    campaign = make_campaign(members=[annotator], **fields)
    make_task(campaign, make_solution(steps))
    watched.annotate(campaign, annotator)
    return campaign


def test_a_reason_that_is_half_typed_outlives_a_reload(watched: Watched, annotator: User) -> None:
    opened(watched, annotator, ["One.", "Two."], asks_reason=True)
    watched.press("3 1")
    watched.page.locator("#error-reason").press_sequentially("sign err")
    expect(watched.page.locator("#save-state")).to_have_attribute("data-state", "saving")
    watched.saved()
    watched.reload()
    assert watched.page.input_value("#error-reason") == "sign err"
    # Not even the moment before it is sent is lost.
    watched.page.locator("#error-reason").press_sequentially("or")
    watched.page.reload()
    watched.ready()
    assert watched.page.input_value("#error-reason") == "sign error"


def test_a_step_of_ones_own_that_is_half_typed_outlives_a_reload(watched: Watched, annotator: User) -> None:
    opened(watched, annotator, [["One.", "Uno."], ["Two."]], protocol=Protocol.EVERY_OPTION)
    watched.press("1 1 w")
    watched.page.locator("#write-text").press_sequentially("Add three")
    watched.saved()
    watched.reload()
    assert watched.page.input_value("#write-text") == "Add three"
    watched.page.click("#write-add")
    watched.saved()
    watched.reload()
    assert watched.page.input_value("#write-text") == ""
    expect(watched.page.locator("#written")).to_contain_text("Add three")


@pytest.mark.parametrize("size", [PHONE, {"width": 1280, "height": 800}], ids=["phone", "desk"])
def test_the_reason_is_asked_for_at_the_step_and_submit_leads_to_it(
    watched: Watched, annotator: User, size: Any
) -> None:
    watched.page.set_viewport_size(size)
    opened(watched, annotator, LONG, asks_reason=True)
    watched.press("3 1")
    page = watched.page
    assert page.get_attribute("#submit", "aria-disabled") == "false"
    page.click("#submit")
    expect(page.locator("#error-reason")).to_be_focused()
    assert page.locator("#error-reason").evaluate(IN_WINDOW)
    assert page.locator("#steps > .step").nth(1).locator("#error-reason").count() == 1
    page.keyboard.type("it skips a term")
    page.keyboard.press("Escape")
    watched.press("Enter")
    watched.submitted(1)
    assert Annotation.objects.get().reason == "it skips a term"


def test_the_reason_follows_the_mistake_to_another_step(watched: Watched, annotator: User) -> None:
    opened(watched, annotator, ["One.", "Two.", "Three."], asks_reason=True)
    watched.press("3 3 1")
    watched.page.fill("#error-reason", "wrong")
    watched.page.keyboard.press("Escape")
    watched.press("u u 1")
    second = watched.page.locator("#steps > .step").nth(1)
    assert second.locator("#error-reason").input_value() == "wrong"


def test_why_a_step_is_wrong_is_no_word_on_a_solution_without_a_mistake(
    watched: Watched, annotator: User
) -> None:
    opened(watched, annotator, ["One.", "Two."], asks_reason=True)
    watched.press("3 1")
    watched.page.fill("#error-reason", "wrong")
    watched.page.keyboard.press("Escape")
    watched.press("3 Enter")
    watched.submitted(1)
    found = Annotation.objects.get()
    assert (found.finish_reason, found.reason) == ("solution", "")


def test_without_a_connection_the_bar_says_so_wherever_one_has_scrolled(
    watched: Watched, annotator: User
) -> None:
    opened(watched, annotator, LONG)
    watched.press("3 " * len(LONG))
    watched.saved()
    watched.page.context.set_offline(True)
    try:
        watched.press("Enter")
        told = watched.page.locator("#bar-state")
        expect(told).to_contain_text("Not connected")
        assert told.evaluate(IN_WINDOW)
    finally:
        watched.page.context.set_offline(False)
    watched.submitted(1)
    expect(told).to_have_text("")


@pytest.mark.parametrize(("key", "field"), [("b", "#exit-reason"), ("/", "#note-text")])
def test_escape_from_a_window_keeps_what_was_typed(
    watched: Watched, annotator: User, key: str, field: str
) -> None:
    opened(watched, annotator, ["One.", "Two."])
    watched.press(key)
    watched.page.locator(field).press_sequentially("half a reason")
    watched.page.keyboard.press("Escape")
    watched.press(key)
    assert watched.page.input_value(field) == "half a reason"


def test_the_calculator_leaves_the_step_in_sight_and_the_keys_at_work(
    watched: Watched, annotator: User
) -> None:
    opened(watched, annotator, ["It is 12 * 7 = 84.", "So 84."])
    page = watched.page
    page.evaluate(
        "() => { const node = document.querySelector('#steps .step-text p').firstChild;"
        " const range = new Range(); range.setStart(node, 6); range.setEnd(node, 12);"
        " getSelection().removeAllRanges(); getSelection().addRange(range); }"
    )
    watched.press("q")
    assert page.input_value("#calculator-input") == "12 * 7" and page.inner_text("#calculator-output") == "84"
    boxes = [page.locator(one).first.bounding_box() for one in ("#calculator-dialog", "#steps > .step")]
    beside, step = boxes[0], boxes[1]
    assert beside and step
    assert beside["x"] >= step["x"] + step["width"] or beside["y"] >= step["y"] + step["height"]
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    expect(page.locator("#calculator-dialog")).to_be_hidden()
    watched.press("3 3")
    assert watched.ratings() == ["1", "1"]


def test_the_guideline_scrolls_by_arrows_while_it_has_the_focus(watched: Watched, annotator: User) -> None:
    opened(watched, annotator, ["One.", "Two."])
    watched.page.set_viewport_size({"width": 1280, "height": 620})
    watched.press("i")
    for _ in range(3):
        watched.page.keyboard.press("ArrowDown")
    watched.page.wait_for_timeout(300)
    assert watched.page.locator("#guideline").evaluate("panel => panel.scrollTop") > 0
    assert "current" in (watched.page.locator("#steps > .step").first.get_attribute("class") or "")


def test_the_words_around_a_field_are_none_of_the_step_s(watched: Watched, annotator: User) -> None:
    opened(watched, annotator, ["It is wrong.", "Two."], asks_reason=True)
    watched.press("1")
    expect(watched.page.locator("#reason-line label")).to_contain_text("wrong")
    watched.press("f")
    watched.page.fill("#find-text", "wrong")
    watched.page.keyboard.press("Enter")
    watched.page.wait_for_timeout(200)
    assert watched.page.evaluate("CSS.highlights.get('lit').size") == 1


def test_what_is_typed_while_a_task_is_submitted_is_not_saved_behind_it(
    watched: Watched, annotator: User
) -> None:
    opened(watched, annotator, ["One.", "Two."], asks_reason=True)
    watched.press("1")
    watched.page.fill("#error-reason", "wrong")
    watched.saved()
    drafts: list[str] = []
    watched.page.on(
        "request", lambda request: drafts.append(request.url) if "/draft/" in request.url else None
    )
    watched.page.route("**/submit/", lambda route: (watched.page.wait_for_timeout(300), route.continue_()))
    watched.page.click("#submit")
    watched.page.wait_for_selector("body[data-busy]", state="attached")
    watched.page.locator("#error-reason").press_sequentially(" indeed")
    watched.submitted(1)
    watched.page.wait_for_timeout(900)
    assert not drafts and watched.page.evaluate("localStorage.length") == 0


def test_writing_ones_own_step_says_why_it_cannot_be_yet(watched: Watched, annotator: User) -> None:
    opened(watched, annotator, [["One.", "Uno."], ["Two."]], protocol=Protocol.EVERY_OPTION)
    watched.press("w")
    expect(watched.page.locator("#passing")).to_contain_text("once every option here is wrong")


def test_submit_leads_to_a_typed_step_that_is_not_added_and_drops_nothing(
    watched: Watched, annotator: User
) -> None:
    opened(watched, annotator, [["One.", "Uno."], ["Two."]], protocol=Protocol.EVERY_OPTION)
    page = watched.page
    watched.press("1 1 w")
    page.locator("#write-text").press_sequentially("Add three")
    expect(page.locator("#state")).to_contain_text("not added yet")
    page.click("#submit")
    expect(page.locator("#write-text")).to_be_focused()
    watched.saved()
    assert not Annotation.objects.exists()
    page.click("#write-add")
    page.locator("#write-text").press_sequentially("Or four")
    page.fill("#write-text", "")
    page.click("#submit")
    watched.submitted(1)
    (own,) = Annotation.objects.get().extra["written"]
    assert Step.objects.get(pk=own).text == "Add three"
