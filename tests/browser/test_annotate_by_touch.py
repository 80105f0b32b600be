"""A phone has no keys: the step that the buttons rate is chosen by a tap on it."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from labelsite.accounts.models import User
from labelsite.annotations.models import Annotation
from labelsite.campaigns.models import Protocol
from tests.browser.annotator_page import Watched
from tests.factories import make_campaign, make_solution, make_task

pytestmark = pytest.mark.django_db(transaction=True)
STEPS = ["One.", "Two.", "Three."]


def open_on_a_phone(watched: Watched, annotator: User, steps: Any = STEPS, **fields: Any) -> None:
    watched.page.set_viewport_size({"width": 390, "height": 844})
    campaign = make_campaign(members=[annotator], **fields)
    make_task(campaign, make_solution(steps))
    watched.annotate(campaign, annotator)


def tap_step(watched: Watched, number: int) -> None:
    watched.idle()
    watched.page.click(f"#steps > .step:nth-child({number}) .step-said")


def tap(watched: Watched, action: str) -> None:
    watched.idle()
    watched.page.click(f"[data-action={action}]:visible")


def test_the_tapped_step_is_marked_as_the_first_mistake(watched: Watched, annotator: User) -> None:
    open_on_a_phone(watched, annotator, protocol=Protocol.INDEX_ONLY)
    tap_step(watched, 3)
    tap(watched, "mark")
    assert watched.ratings() == ["", "", "-1"]
    tap(watched, "submit")
    watched.submitted(1)
    assert Annotation.objects.get().trajectory == [1, 1, -1]


def test_an_earlier_step_of_a_finished_judgement_is_rated_anew(watched: Watched, annotator: User) -> None:
    open_on_a_phone(watched, annotator)
    for _ in STEPS:
        tap(watched, "good")
    tap(watched, "submit")
    watched.submitted(1)
    watched.go(f"/annotate/annotation/{Annotation.objects.get().pk}/")
    watched.ready()
    tap_step(watched, 2)
    tap(watched, "bad")
    tap(watched, "submit")
    watched.page.wait_for_selector("text=Everything is labelled")
    assert Annotation.objects.get(is_live=True).trajectory == [1, -1]


def test_a_note_stands_at_the_tapped_step(watched: Watched, annotator: User) -> None:
    open_on_a_phone(watched, annotator)
    tap(watched, "good")
    tap_step(watched, 1)
    watched.page.click("#more > summary")
    tap(watched, "notes")
    watched.page.fill("#note-text", "Look again.")
    watched.page.keyboard.press("Enter")
    expect(watched.page.locator("#steps > .step:nth-child(1) .step-note")).to_have_text("Look again.")


def test_a_tapped_alternative_is_in_hand_and_a_later_step_is_not(watched: Watched, annotator: User) -> None:
    open_on_a_phone(watched, annotator, [["One.", "Uno.", "Eins."], ["Two."]])
    tap_step(watched, 2)
    expect(watched.page.locator("[aria-current=step]")).to_contain_text("One.")
    tap(watched, "bad")
    watched.page.click("text=Eins.")
    assert "Alternative 2 of step 1" in watched.state()
    tap(watched, "unsure")
    assert watched.page.get_attribute(".alternative:nth-child(2)", "data-rating") == "?"


def test_a_tap_into_a_long_step_leaves_it_where_it_is(watched: Watched, annotator: User) -> None:
    open_on_a_phone(watched, annotator, ["So it goes on. " * 200, "Two."])
    tap(watched, "good")
    watched.page.evaluate("scrollTo({top: 900, behavior: 'instant'})")
    watched.page.mouse.click(150, 300)
    expect(watched.page.locator("[aria-current=step]")).to_contain_text("So it goes on.")
    assert watched.page.evaluate("scrollY") == 900


def test_where_each_step_has_its_own_buttons_a_click_on_a_word_leaves_the_keys_with_the_step_in_hand(
    watched: Watched, annotator: User
) -> None:
    campaign = make_campaign(members=[annotator])
    make_task(campaign, make_solution(STEPS))
    watched.annotate(campaign, annotator)
    watched.press("3")
    tap_step(watched, 1)
    watched.press("1")
    assert watched.ratings() == ["1", "-1", ""]
