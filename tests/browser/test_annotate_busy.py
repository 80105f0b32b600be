"""Where the next task is locked for a moment, the page says so and goes on by itself."""

from __future__ import annotations

import pytest
from playwright.sync_api import Request, Route

from labelsite.campaigns.models import Task
from tests.browser.annotator_page import Watched
from tests.browser.scenes import small_campaign
from tests.factories import make_campaign, make_solution, make_task, make_user
from tests.transactions import held

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_task_that_is_locked_for_a_moment_comes_without_a_reload(watched: Watched) -> None:
    annotator = make_user()
    campaign = make_campaign(members=[annotator])
    make_task(campaign, make_solution(["One.", "Two."], problem="The only problem?"))
    with held(lambda: list(Task.objects.select_for_update())):
        watched.log_in(annotator.username)
        watched.go(f"/annotate/{campaign.pk}/")
        watched.page.wait_for_selector("#nothing-text:has-text('at this very moment')")
        # There is no work that could be saved.
        assert not watched.page.is_visible("#save-state")
    watched.page.wait_for_selector("#problem:has-text('The only problem?')")
    assert watched.page.inner_text("#save-state") == "Saved"
    assert not watched.page.is_visible("#nothing")


def test_neither_the_page_nor_a_key_replaces_what_the_other_one_opens(watched: Watched) -> None:
    annotator = make_user()
    campaign = small_campaign(annotator, tasks=2)
    page = watched.page
    # Its three seconds between two questions go by in a fifth of that.
    page.add_init_script("const wait = setTimeout; setTimeout = (call, time) => wait(call, time / 5)")
    with held(lambda: campaign.tasks.select_for_update().latest("pk")):
        watched.annotate_two(campaign, annotator)
        watched.press("3 3 Enter")
        watched.submitted(1)
        page.wait_for_selector("#nothing-text:has-text('at this very moment')")
        # While the page asks again, a key opens nothing.
        nexts: list[Route] = []
        page.route("**/next/", lambda route: nexts.append(route))
        with page.expect_request("**/next/"):
            pass
        watched.press("u", while_busy=True)
        page.wait_for_timeout(300)
        assert not page.is_visible("#revising")
        with page.expect_response("**/next/"):
            nexts[0].continue_()
        page.unroute("**/next/")
        # While a key opens something, the page asks nothing.
        asked: list[Request] = []
        undos: list[Route] = []
        page.route("**/undo/", lambda route: undos.append(route))
        page.on("request", lambda request: asked.append(request) if request.url.endswith("/next/") else None)
        watched.press("u")
        page.wait_for_timeout(900)
        assert len(undos) == 1 and not asked
        undos[0].continue_()
        page.wait_for_selector("#revising:not([hidden])")
        page.wait_for_timeout(900)
        assert page.is_visible("#revising") and not asked
