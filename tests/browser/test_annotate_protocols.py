"""The other two protocols in a real browser, by keyboard alone."""

from __future__ import annotations

import pytest

from labelsite.annotations.models import Annotation
from labelsite.campaigns.models import Protocol
from labelsite.problems.models import Step
from tests.browser.annotator_page import Watched
from tests.factories import make_campaign, make_solution, make_task, make_user

pytestmark = pytest.mark.django_db(transaction=True)


def test_index_only_takes_one_mark_or_the_word_that_there_is_none(watched: Watched) -> None:
    annotator = make_user()
    campaign = make_campaign(members=[annotator], protocol=Protocol.INDEX_ONLY, asks_reason=True)
    for _ in range(2):
        make_task(campaign, make_solution(["One.", "Two.", "Three."]))
    watched.log_in(annotator.username)
    watched.go("/")
    watched.label(campaign)
    watched.press("Enter")
    assert "Mark the first wrong step" in watched.state()
    watched.press("j j x k x Enter")
    assert "what is wrong" in watched.state()
    watched.page.keyboard.type("It should be four.")
    watched.press("Escape Enter")
    watched.submitted(1)
    first = Annotation.objects.get()
    assert (first.trajectory, first.finish_reason, first.reason) == (
        [1, -1],
        "found_error",
        "It should be four.",
    )
    watched.press("c Enter")
    watched.submitted(2)
    assert Annotation.objects.latest("id").trajectory == [1, 1, 1]
    watched.log_out()


def test_every_option_is_rated_and_a_step_of_ones_own_may_end_it(watched: Watched) -> None:
    annotator = make_user()
    campaign = make_campaign(members=[annotator], protocol=Protocol.EVERY_OPTION)
    solution = make_solution([["Start.", "Other start."], ["Bad.", "Worse."], "Not reached."])
    make_task(campaign, solution)
    watched.log_in(annotator.username)
    watched.go("/")
    watched.label(campaign)
    assert watched.page.is_visible("text=Other start.")
    watched.press("3 2 1")
    assert "Rate every option of step 2" in watched.state()
    watched.press("1 w")
    watched.page.keyboard.type("So $2 + 2 = 4$.")
    watched.press("Tab Enter Tab Space")
    watched.page.wait_for_selector(".own .katex")
    watched.press("Escape Enter")
    watched.submitted(1)
    annotation = Annotation.objects.get()
    assert (annotation.finish_reason, annotation.trajectory) == ("solution", [1, 1])
    assert annotation.ratings.count() == 5
    own = Step.objects.get(source="human")
    assert (own.text, own.position, own.option) == ("So $2 + 2 = 4$.", 1, 2)
    watched.go(f"/annotate/annotation/{annotation.pk}/")
    watched.ready()
    assert watched.page.is_checked("#write-reached")
    watched.press("Enter")
    watched.page.wait_for_selector("text=Everything is labelled")
    again = Annotation.objects.get(is_live=True)
    assert (again.revision, again.finish_reason, again.trajectory) == (2, "solution", [1, 1])
    watched.log_out()


def test_giving_up_amid_a_position_keeps_what_was_rated_as_a_whole(watched: Watched) -> None:
    annotator = make_user()
    campaign = make_campaign(members=[annotator], protocol=Protocol.EVERY_OPTION)
    make_task(campaign, make_solution([["Start.", "Other start."], ["Next.", "Other next."]]))
    watched.annotate(campaign, annotator)
    watched.press("3 2 3 g")
    watched.page.keyboard.type("I am stuck")
    watched.press("Enter")
    watched.submitted(1)
    annotation = Annotation.objects.get()
    assert (annotation.trajectory, annotation.ratings.count()) == ([1], 2)


def test_every_option_ends_at_the_last_step_when_the_chosen_ones_hold(watched: Watched) -> None:
    annotator = make_user()
    campaign = make_campaign(members=[annotator], protocol=Protocol.EVERY_OPTION)
    make_task(campaign, make_solution([["Start.", "Other start."], "End."]))
    watched.annotate(campaign, annotator)
    watched.press("3 1 2 Enter")
    watched.submitted(1)
    assert Annotation.objects.get().trajectory == [1, 0]


@pytest.mark.parametrize("protocol", [Protocol.FIRST_MISTAKE, Protocol.EVERY_OPTION])
def test_space_scrolls_where_nothing_is_marked(watched: Watched, protocol: Protocol) -> None:
    annotator = make_user()
    campaign = make_campaign(members=[annotator], protocol=protocol)
    make_task(campaign, make_solution(["So it goes on. " * 40] * 12))
    watched.annotate(campaign, annotator)
    watched.press("Space")
    # Scrolling is smooth, and takes its time.
    watched.page.wait_for_timeout(500)
    assert watched.page.evaluate("scrollY") > 0


def test_the_key_for_a_wrong_step_marks_it_where_only_the_index_is_asked(watched: Watched) -> None:
    annotator = make_user()
    campaign = make_campaign(members=[annotator], protocol=Protocol.INDEX_ONLY)
    make_task(campaign, make_solution(["One.", "Two."]))
    watched.annotate(campaign, annotator)
    watched.press("j 1 2 3")
    assert watched.ratings() == ["", "-1"]


def test_a_key_that_does_nothing_takes_no_time_from_the_step(watched: Watched) -> None:
    annotator = make_user()
    campaign = make_campaign(members=[annotator])
    make_task(campaign, make_solution(["One."]))
    watched.log_in(annotator.username)
    watched.page.clock.install()
    watched.annotate(campaign)
    watched.page.clock.fast_forward(30_000)
    watched.press("4 x c 3 Enter")
    watched.submitted(1)
    assert Annotation.objects.get().ratings.get().milliseconds >= 30_000
