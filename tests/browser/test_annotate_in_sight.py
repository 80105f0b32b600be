"""What an annotator needs stays on the screen: the problem, the current step, every answer; nothing lies on a step."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Route, expect

from labelsite.annotations.models import Annotation
from labelsite.campaigns.models import Campaign, Protocol
from labelsite.problems.models import Problem
from tests.browser.annotator_page import Watched
from tests.factories import make_campaign, make_estimate_run, make_solution, make_task, make_user

pytestmark = pytest.mark.django_db(transaction=True)
TALL = "A long step: " + "so it goes on and on. " * 110
BOX = """all => { const { top, bottom, left, right } = all[0].getBoundingClientRect();
    return [top, bottom, left, right]; }"""

# A frame hears of scrolling before it is drawn, and of sizes after it is laid out: both have happened after two.
SETTLED = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


def open_task(watched: Watched, steps: list[str], problem: str = "How much is it?", **fields: Any) -> None:
    annotator = make_user()
    campaign = make_campaign(members=[annotator], **fields)
    for number in range(2):
        make_task(campaign, make_solution(steps, problem=f"{problem} ({number})", answer="144"))
    watched.annotate(campaign, annotator)


def box(watched: Watched, selector: str) -> tuple[float, float, float, float]:
    top, bottom, left, right = watched.page.eval_on_selector_all(selector, BOX)
    return top, bottom, left, right


def test_the_problem_and_its_answer_are_still_on_the_screen_at_the_eighth_step(watched: Watched) -> None:
    open_task(watched, ["So it goes on. " * 40] * 12)
    watched.press("3 3 3 3 3 3 3")
    assert "Step 8" in watched.state() and watched.page.evaluate("scrollY") > 400
    assert box(watched, "#problem")[0] >= 0
    assert box(watched, "#answer-line")[1] <= box(watched, ".step.current")[0]


def test_a_task_that_is_begun_opens_at_the_step_in_hand_and_a_new_one_at_its_problem(
    watched: Watched,
) -> None:
    watched.page.set_viewport_size({"width": 390, "height": 844})
    open_task(watched, ["So it goes on. " * 20] * 6)
    assert watched.page.evaluate("scrollY") == 0
    watched.press("3 3 3")
    watched.saved()
    watched.page.goto("about:blank")
    watched.go(f"/annotate/{Campaign.objects.get().pk}/")
    watched.ready()
    assert "Step 4" in watched.state()
    top, bottom, *_ = box(watched, ".step.current")
    assert top >= 0 and bottom <= box(watched, "#actions")[0]
    watched.press("1 Enter")
    watched.submitted(1)
    assert watched.page.evaluate("scrollY") == 0


@pytest.mark.parametrize("height", [720, 900])
def test_the_current_step_is_never_behind_the_problem_nor_the_bar(watched: Watched, height: int) -> None:
    watched.page.set_viewport_size({"width": 1280, "height": height})
    steps = ["Short.", TALL, "Of some lines. " * 40] * 4
    open_task(watched, steps, problem="A problem of some lines. " * 20, protocol=Protocol.INDEX_ONLY)
    for key in ["j"] * 11 + ["k"] * 11:
        watched.press(key)
        top, bottom, *_ = box(watched, ".step.current")
        problem, bar = box(watched, ".problem")[1], box(watched, "#actions")[0]
        assert problem <= top < bar - 40
        assert bottom <= bar or bottom - top > bar - problem - 40


def test_a_long_problem_keeps_to_its_third_of_the_screen_and_is_scrolled_by_keyboard(
    watched: Watched,
) -> None:
    open_task(watched, ["So it goes on. " * 40] * 6, problem="It is a long story. " * 200)
    top, bottom, *_ = box(watched, ".problem")
    assert bottom - top <= 0.34 * 900 + 1
    assert box(watched, "#answer-line")[1] <= bottom
    assert watched.page.locator("#problem").get_attribute("tabindex") == "0"
    assert watched.page.locator("#problem").get_attribute("role") == "group"
    watched.press("3 3 k k")
    watched.page.focus("#problem")
    watched.press("PageDown")
    watched.page.wait_for_timeout(400)
    paged = watched.page.evaluate("document.getElementById('problem').scrollTop")
    assert paged > 50
    # Elsewhere the arrows go from step to step.
    watched.press("ArrowDown")
    watched.page.wait_for_timeout(400)
    assert watched.page.evaluate("document.getElementById('problem').scrollTop") > paged
    assert "Step 1" in watched.state()


@pytest.mark.parametrize(("width", "height"), [(1280, 600), (900, 900), (390, 844)])
def test_a_low_or_narrow_window_keeps_its_room_for_the_steps(
    watched: Watched, width: int, height: int
) -> None:
    watched.page.set_viewport_size({"width": width, "height": height})
    open_task(watched, ["So it goes on. " * 40] * 12)
    watched.press("3 3 3 3 3 3 3")
    assert box(watched, ".problem")[1] < 0


def test_the_problems_own_buttons_take_the_focus_where_they_stand(watched: Watched) -> None:
    open_task(watched, ["So it goes on. " * 40] * 12)
    watched.press("3 3 3 3 3 3 3")
    before = watched.page.evaluate("scrollY")
    watched.page.focus("#as-written")
    watched.page.wait_for_timeout(100)
    assert watched.page.evaluate("scrollY") == before


@pytest.mark.parametrize("width", [390, 800, 964, 1201, 1280])
def test_no_mistake_is_always_at_hand_and_says_when_it_is_chosen(watched: Watched, width: int) -> None:
    watched.page.set_viewport_size({"width": width, "height": 844})
    open_task(watched, ["So it goes on. " * 40] * 12, protocol=Protocol.INDEX_ONLY)
    button = watched.page.locator("[data-action=no_mistake]:visible")
    assert button.count() == 1
    for selector in ("[data-action=no_mistake]:visible", "#submit", "[data-action=undo]"):
        place = watched.page.locator(selector).bounding_box()
        assert place and place["x"] >= 0 and place["x"] + place["width"] <= width - 20
        assert place["y"] + place["height"] <= 844
    button.click()
    assert button.get_attribute("aria-pressed") == "true"
    watched.press("Enter")
    watched.submitted(1)
    assert Annotation.objects.get().finish_reason == "solution"


@pytest.mark.parametrize("width", [390, 1280])
def test_what_just_happened_is_told_in_the_bar_and_covers_no_step(watched: Watched, width: int) -> None:
    watched.page.set_viewport_size({"width": width, "height": 844})
    open_task(watched, ["One.", "Two."], estimate_run=make_estimate_run())
    bar = box(watched, "#actions")
    watched.press("3 3 Enter")
    watched.page.wait_for_selector("#passing:has-text('Submitted.')")
    top, bottom, left, right = box(watched, "#passing")
    assert bar[0] <= top and bottom <= bar[1] and left >= 0 and right <= width
    assert box(watched, "#actions") == bar
    assert watched.page.inner_text("#toast") == ""
    assert watched.page.is_visible("#passing a")
    assert watched.page.is_visible("#passing kbd") is (width > 768)
    watched.press("3")
    assert watched.page.inner_text("#passing") == ""
    assert watched.page.is_visible("#state")


def test_a_notice_of_a_lost_hold_stays_while_something_else_passes(watched: Watched) -> None:
    open_task(watched, ["One.", "Two."])
    watched.page.route("**/draft/", lambda route: route.fulfill(json={"version": 1, "held": False}))
    watched.press("3")
    watched.page.wait_for_selector("#toast button")
    watched.press("u u")
    watched.page.wait_for_selector("#passing:has-text('There is nothing to undo.')")
    assert watched.page.is_visible("#toast button")


def test_a_problem_of_one_line_takes_one_line(watched: Watched) -> None:
    open_task(watched, ["One.", "Two."])
    top, bottom, *_ = box(watched, "#problem")
    assert bottom - top < 36


def test_a_long_problem_beside_its_open_reference_solution_keeps_room_for_both(watched: Watched) -> None:
    open_task(watched, ["One."] * 3, problem="It is a long story. " * 200, shows_reference_solution=True)
    Problem.objects.update(reference_solution="So it is done. " * 300)
    watched.page.reload()
    watched.ready()
    watched.page.click("#reference-line summary")
    for selector in ("#problem", "#reference-line"):
        top, bottom, *_ = box(watched, selector)
        assert bottom - top >= 63


def test_nothing_of_the_problem_s_card_lies_on_the_notice_above_it(watched: Watched) -> None:
    open_task(watched, ["One.", "Two."])
    watched.press("3 3 Enter")
    watched.submitted(1)
    watched.press("u")
    watched.page.wait_for_selector("#revising:not([hidden])")
    shadow = watched.page.eval_on_selector(".problem", "one => getComputedStyle(one).boxShadow")
    lift, _blur, spread = (float(found) for found in re.findall(r"(-?[\d.]+)px", shadow)[-3:])
    gap = box(watched, ".problem")[0] - box(watched, "#revising")[1]
    assert spread - lift <= gap


def test_the_guideline_reaches_down_to_the_bar_however_far_the_page_is_scrolled(watched: Watched) -> None:
    annotator = make_user()
    campaign = make_campaign(members=[annotator], guideline="A long rule to follow.\n\n" * 30)
    make_task(campaign, make_solution([f"Step {number}: " + "so it goes on. " * 20 for number in range(12)]))
    make_task(campaign, make_solution(["Short."]))
    watched.annotate(campaign, annotator)
    beneath = (
        "document.getElementById('actions').getBoundingClientRect().top"
        " - document.getElementById('guideline').getBoundingClientRect().bottom"
    )
    for scrolled in (0, 60, 700):
        watched.page.evaluate(f"scrollTo({{top: {scrolled}, behavior: 'instant'}})")
        watched.page.evaluate(SETTLED)
        assert 12 <= watched.page.evaluate(beneath) <= 20, scrolled
    # Beside a task that is short, the panel does not make the page longer.
    watched.press("1 Enter")
    watched.submitted(1)
    height = "document.documentElement.scrollHeight"
    watched.page.evaluate(SETTLED)
    before = watched.page.evaluate(height)
    watched.page.evaluate("scrollTo({top: 5000, behavior: 'instant'})")
    watched.page.evaluate(SETTLED)
    assert watched.page.evaluate(height) == before


def without_details_content(route: Route) -> None:
    """The style as a browser of 2024 reads it, which knows no such part and leaves out what is said of it."""
    style = route.fetch()
    route.fulfill(response=style, body=style.text().replace("details-content", "part-of-the-future"))


@pytest.mark.parametrize("width", [390, 800, 1280])
def test_a_browser_that_cannot_spread_the_further_actions_keeps_them_behind_their_button(
    watched: Watched, width: int
) -> None:
    watched.page.set_viewport_size({"width": width, "height": 844})
    watched.page.route("**/annotate.*css", without_details_content)
    open_task(watched, ["One.", "Two."])
    actions = watched.page.locator(".more-list button")
    watched.page.click("#more > summary", timeout=3000)
    assert actions.count() == 7
    for action in [watched.page.locator(".more-list"), *actions.all()]:
        expect(action).to_be_in_viewport(ratio=1)
    watched.press("Escape")
    expect(actions.first).to_be_hidden()


def test_the_further_actions_lie_open_beside_each_other_where_there_is_room(watched: Watched) -> None:
    open_task(watched, ["One.", "Two."])
    tops = {
        place["y"] for one in watched.page.locator(".more-list button").all() if (place := one.bounding_box())
    }
    expect(watched.page.locator("#more > summary")).to_be_hidden()
    assert len(tops) == 1
