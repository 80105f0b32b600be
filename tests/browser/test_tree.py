"""A search tree is walked with the arrow keys alone, and a tree of 2,000 steps opens where one looks first."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Route, expect

from labelsite.autolabels.models import SearchTree
from tests.autolabels.files import node, small_tree, tree_line
from tests.browser.annotator_page import Watched
from tests.factories import make_estimate_run, make_problem, make_user

pytestmark = pytest.mark.django_db(transaction=True)


def kept(data) -> SearchTree:
    return SearchTree.objects.create(
        run=make_estimate_run(method="rstar"),
        problem=make_problem(f"{len(data['nodes'])} + 2 ="),
        node_count=len(data["nodes"]),
        data=data,
    )


def large_tree(count: int):
    """Twelve branches at each of the first steps, then long single ways; one of them is right."""
    nodes = [node(0, None, "", visits=count)]
    for number in range(1, count):
        parent = (number - 1) // 12 if number < 200 else number - 180
        depth = nodes[parent]["depth"] + 1
        nodes.append(node(number, parent, f"step {number}", depth=depth, visits=count - number))
    nodes[-1].update(terminal="correct", final_answer="4", q_value=1.0)
    return tree_line(1, nodes)


def test_the_arrow_keys_walk_and_the_step_is_read_beside(watched: Watched):
    tree = kept(small_tree())
    watched.log_in(make_user("reviewer").username)
    watched.go(f"/autolabels/trees/{tree.pk}/")
    page = watched.page
    page.focus("#node-0")
    # The step itself: a step's continuations and the way to it stand below, in other elements.
    step = page.locator("#node-detail > .math")
    for key, words in [
        ("ArrowRight", "Add 2 and 2."),
        ("ArrowRight", "The answer is 4."),
        ("ArrowLeft", "Add 2 and 2."),
        ("ArrowDown", "Guess 5."),
        ("ArrowDown", "Divide by zero."),
        ("Home", "5 + 2 ="),
    ]:
        watched.page.keyboard.press(key)
        expect(step).to_have_text(re.compile(re.escape(words)))


def test_a_late_answer_does_not_take_the_place_of_the_step_chosen_since(watched: Watched):
    tree = kept(small_tree())
    watched.log_in(make_user("reviewer").username)
    watched.go(f"/autolabels/trees/{tree.pk}/")
    page = watched.page
    held: list[Route] = []
    page.route("**/nodes/1/", lambda route: held.append(route))
    with page.expect_request("**/nodes/1/"):
        page.focus("#node-1")
    page.keyboard.press("ArrowDown")
    step = page.locator("#node-detail > .math")
    expect(step).to_have_text("Guess 5.")
    for route in held:
        route.continue_()
    watched.settle()
    page.wait_for_timeout(300)
    expect(step).to_have_text("Guess 5.")


def test_space_folds_a_step_and_the_focus_stays_there(watched: Watched):
    tree = kept(small_tree())
    watched.log_in(make_user("reviewer").username)
    watched.go(f"/autolabels/trees/{tree.pk}/")
    watched.page.focus("#node-1")
    watched.page.keyboard.press(" ")
    expect(watched.page.locator("#node-2")).to_have_count(0)
    expect(watched.page.locator("#node-1")).to_be_focused()
    watched.page.keyboard.press(" ")
    expect(watched.page.locator("#node-2")).to_be_visible()


def test_back_leaves_the_tree_however_often_it_was_folded_and_comes_back_to_a_whole_page(
    watched: Watched,
) -> None:
    tree = kept(small_tree())
    watched.log_in(make_user("reviewer").username)
    watched.go("/autolabels/")
    watched.go(f"/autolabels/trees/{tree.pk}/")
    page = watched.page
    for is_folded in (True, False, True):
        page.focus("#node-1")
        page.keyboard.press(" ")
        expect(page.locator("#node-2")).to_have_count(0 if is_folded else 1)
        watched.settle()
    # What the browser has kept of a page may be gone; it then asks for it again.
    page.evaluate("sessionStorage.clear()")
    page.go_back()
    expect(page).to_have_url(f"{watched.base}/autolabels/")
    page.go_forward()
    expect(page.locator("#node-2")).to_have_count(0)
    expect(page.locator("h1")).to_be_visible()


@pytest.mark.parametrize("width", [1280, 390])
def test_two_thousand_steps_open_in_part_with_the_way_to_the_answer_in_sight(watched: Watched, width: int):
    tree = kept(large_tree(2000))
    watched.page.set_viewport_size({"width": width, "height": 900})
    watched.log_in(make_user("reviewer").username)
    watched.go(f"/autolabels/trees/{tree.pk}/")
    page = watched.page
    assert page.locator(".tree-node").count() <= 250
    expect(page.locator("#node-0")).to_be_in_viewport()
    # The way to the answer is one line; walking right along it reaches the answer.
    page.focus("#node-0")
    steps = page.locator(".tree-best").count()
    for _ in range(steps - 1):
        page.keyboard.press("ArrowRight")
    expect(page.locator(".tree-correct:focus")).to_be_in_viewport()
    expect(page.locator(".tree-selected")).to_have_class(re.compile("tree-correct"))
    page.keyboard.press("Home")
    page.keyboard.press("End")
    expect(page.locator(".tree-correct:focus")).to_be_in_viewport()
    # Tab leaves the tree, however many steps are drawn.
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('#tree-pane')") is None
    assert page.evaluate("document.documentElement.scrollWidth") == width
