"""A step of one's own belongs to the mistake that it stands for: what is changed elsewhere leaves it alone."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from labelsite.accounts.models import User
from labelsite.annotations.models import Annotation
from labelsite.campaigns.models import Campaign, Protocol
from labelsite.campaigns.services import update_campaign
from labelsite.problems.models import Step
from tests.browser.annotator_page import Watched
from tests.factories import make_campaign, make_solution, make_task

pytestmark = pytest.mark.django_db(transaction=True)
OWN = "So $2 + 2 = 4$."


def write_at_the_second_step(watched: Watched, annotator: User, **fields: Any) -> None:
    """The first step is okay, both options of the second one are wrong, and a step of one's own is added."""
    campaign = make_campaign(members=[annotator], protocol=Protocol.EVERY_OPTION, **fields)
    make_task(campaign, make_solution(["Start.", ["Bad.", "Worse."], "Not reached."]))
    watched.annotate(campaign, annotator)
    watched.press("2 1 1")
    watched.page.fill("#write-text", OWN)
    watched.page.click("#write-add")
    expect(watched.page.locator("#written")).to_be_visible()


def test_a_better_word_for_an_earlier_step_keeps_a_step_of_ones_own(
    watched: Watched, annotator: User
) -> None:
    write_at_the_second_step(watched, annotator)
    watched.press("k k 3")
    watched.page.click("#submit")
    watched.submitted(1)
    assert Annotation.objects.get().trajectory == [1, -1]
    own = Step.objects.get(source="human")
    assert (own.text, own.position) == (OWN, 1)


def test_a_step_of_ones_own_does_not_follow_the_mistake_to_an_earlier_step(
    watched: Watched, annotator: User
) -> None:
    write_at_the_second_step(watched, annotator)
    watched.press("k k 1")
    expect(watched.page.locator("#written")).to_be_hidden()
    # It comes back with what it stood for.
    watched.press("u")
    expect(watched.page.locator("#written")).to_be_visible()
    watched.press("k k 1")
    watched.page.click("#submit")
    watched.submitted(1)
    assert Annotation.objects.get().trajectory == [-1]
    assert not Step.objects.filter(source="human").exists()


@pytest.mark.parametrize("is_reloaded", [False, True], ids=["at once", "after a reload"])
def test_undo_puts_an_added_step_back_into_its_field_before_what_was_typed_since(
    watched: Watched, annotator: User, is_reloaded: bool
) -> None:
    write_at_the_second_step(watched, annotator)
    field = watched.page.locator("#write-text")
    field.press_sequentially("And so on.")
    watched.saved()
    if is_reloaded:
        watched.reload()
    watched.page.click("[data-action=undo]")
    expect(watched.page.locator("#written")).to_be_hidden()
    expect(field).to_have_value(f"{OWN}\nAnd so on.")
    watched.page.click("#write-add")
    expect(field).to_have_value("")
    watched.page.click("#submit")
    watched.submitted(1)
    assert Step.objects.get(source="human").text == f"{OWN}\nAnd so on."


def test_a_step_of_ones_own_goes_where_another_option_is_good_after_all(
    watched: Watched, annotator: User
) -> None:
    write_at_the_second_step(watched, annotator)
    watched.press("3")
    expect(watched.page.locator("#written")).to_be_hidden()
    watched.page.click("#submit")
    watched.submitted(1)
    assert Annotation.objects.get().trajectory == [0, -1]


def test_what_is_wrong_is_asked_as_long_as_ones_own_steps_do_not_reach_the_answer(
    watched: Watched, annotator: User
) -> None:
    write_at_the_second_step(watched, annotator, asks_reason=True)
    watched.page.click("#submit")
    expect(watched.page.locator("#error-reason")).to_be_focused()
    watched.page.check("#write-reached")
    watched.page.click("#submit")
    watched.submitted(1)
    assert Annotation.objects.get().finish_reason == "solution"


def test_ones_own_steps_hold_up_no_correction_where_the_protocol_takes_none_any_more(
    watched: Watched, annotator: User
) -> None:
    write_at_the_second_step(watched, annotator)
    watched.page.click("#submit")
    watched.submitted(1)
    update_campaign(Campaign.objects.get(), {"protocol": Protocol.INDEX_ONLY})
    watched.go(f"/annotate/annotation/{Annotation.objects.get().pk}/")
    watched.ready()
    expect(watched.page.locator("#written")).to_be_hidden()
    watched.press("Enter")
    watched.page.wait_for_selector("text=Everything is labelled")
    assert Annotation.objects.get(is_live=True).revision == 2
