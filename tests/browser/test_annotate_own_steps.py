"""A step of one's own belongs to the mistake that it stands for: what is changed elsewhere leaves it alone."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from labelsite.accounts.models import User
from labelsite.annotations.models import Annotation
from labelsite.campaigns.models import Protocol
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


def test_a_step_of_ones_own_goes_where_another_option_is_good_after_all(
    watched: Watched, annotator: User
) -> None:
    write_at_the_second_step(watched, annotator)
    watched.press("3")
    expect(watched.page.locator("#written")).to_be_hidden()
    watched.page.click("#submit")
    watched.submitted(1)
    assert Annotation.objects.get().trajectory == [0, -1]
