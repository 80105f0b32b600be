"""The first-mistake protocol in a real browser, by keyboard alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from labelsite.annotations.models import Annotation
from tests.browser.annotator_page import Watched, chromium
from tests.factories import make_campaign, make_solution, make_task, make_user

pytestmark = pytest.mark.django_db(transaction=True)
TEN = [f"Step number {n}: so $x_{n} = {n}$." for n in range(1, 11)]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as launched:
        yield launched


@pytest.fixture
def watched(browser: Browser, live_server) -> Iterator[Watched]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield Watched(context, live_server.url)
    context.close()


def test_seven_keys_and_one_awaited_response_from_start_to_next_task(watched: Watched) -> None:
    annotator = make_user()
    campaign = make_campaign(members=[annotator])
    first = make_task(campaign, make_solution(TEN, problem="What is $x_{10}$?"))
    make_task(campaign, make_solution(["Another solution."], problem="And the next?"))
    watched.log_in(annotator.username)
    # The next task is leased and fetched while the person still reads this one.
    with watched.page.expect_response(lambda response: response.url.endswith("/next/")):
        watched.annotate(campaign)
    submits: list[str] = []
    watched.page.on("request", lambda request: submits.append(request.url))
    watched.press("3 3 3 3 3 1")
    assert "step 6" in watched.state()
    watched.saved()
    submits.clear()
    watched.press("Enter")
    watched.page.wait_for_selector("text=And the next?")
    awaited = [url for url in submits if url.endswith("/submit/")]
    assert len(awaited) == 1
    annotation = Annotation.objects.get(task=first)
    assert (annotation.trajectory, annotation.finish_reason) == ([1, 1, 1, 1, 1, -1], "found_error")
    assert not watched.errors and not watched.breaches and not watched.outside
