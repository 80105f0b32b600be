"""The form that starts a search, as people meet it: folded, filled in, refused, and while the cost is measured."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Browser, Page, Route, expect

from labelsite.autolabels.models import EstimateRun
from labelsite.campaigns.models import Campaign
from tests.browser.annotator_page import Watched
from tests.browser.looks import look, window
from tests.factories import make_campaign, make_problem, make_solution, make_task, make_user

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("own_folder")]
LOOKS = [
    (1280, "light", "en"),
    (1280, "dark", "ko"),
    (390, "light", "ko"),
    (390, "dark", "en"),
]
NUMBER = "[name=candidates]"
# The panel asks every two seconds, and the page may still be at work for axe.
PANEL_MS = 20_000


@pytest.fixture
def shop() -> Campaign:
    campaign = make_campaign("Shop problems")
    for number in range(12):
        make_task(campaign, make_solution(problem=make_problem(f"{number} + 2 =", answer=None)))
    for _ in range(40):
        make_task(campaign, make_solution())
    return campaign


def address_of(campaign: Campaign) -> str:
    return reverse("comparison:estimate", args=[campaign.pk])


@pytest.mark.parametrize(("width", "theme", "language"), LOOKS)
def test_the_form_can_be_read_by_everybody_in_each_of_its_states(
    chromium_browser: Browser, live_server: Any, shop: Campaign, width: int, theme: Any, language: str
) -> None:
    watched = window(chromium_browser, live_server.url, width, theme, language)
    watched.log_in(make_user("admin").username)
    page = watched.page
    watched.go(address_of(shop))
    look(watched, "search-form")
    page.locator("#search details").evaluate("fold => { fold.open = true; }")
    page.fill(NUMBER, "4")
    page.click("#search .primary")
    expect(page.locator(".errorlist")).to_be_visible()
    # What is refused is no search, so there is no cost to measure until it is mended.
    expect(page.locator("#budget .notice.bad:not([data-outdated])")).to_be_visible()
    expect(page.locator("[name=measure]")).to_have_count(0)
    look(watched, "search-form-refused")
    page.fill(NUMBER, "")
    page.locator(NUMBER).blur()
    expect(page.locator("[name=measure]")).to_be_visible(timeout=PANEL_MS)
    page.wait_for_load_state("networkidle")
    page.click("[name=measure]")
    expect(page.locator("#budget progress, #budget .badge").first).to_be_visible(timeout=PANEL_MS)
    look(watched, "search-form-measuring")
    # As if a worker had done it: the panel is asking every two seconds.
    cost = {"tokens": 48_713, "model_calls": 380, "seconds": 42.0}
    EstimateRun.objects.update(cost=cost, loaded_at=timezone.now())
    expect(page.locator("#budget")).to_contain_text("240,000", timeout=PANEL_MS)
    look(watched, "search-form-measured")
    watched.settle()
    watched.page.context.close()
    assert EstimateRun.objects.get().is_pilot


@pytest.fixture
def measuring(watched: Watched, shop: Campaign) -> Page:
    """The form with its fold open, beside a panel that asks for itself every two seconds."""
    watched.log_in(make_user("admin").username)
    watched.go(address_of(shop))
    watched.page.click("[name=measure]")
    expect(watched.page.locator("#budget[hx-trigger]")).to_be_visible(timeout=PANEL_MS)
    watched.page.locator("#search details").evaluate("fold => { fold.open = true; }")
    return watched.page


def is_of_form(route: Route) -> bool:
    return route.request.headers.get("hx-trigger") == "search"


def test_what_the_form_asks_is_told_also_where_the_panel_would_ask_for_itself_meanwhile(
    measuring: Page,
) -> None:
    held: list[Route] = []
    measuring.route("**/*", lambda route: held.append(route) if is_of_form(route) else route.continue_())
    measuring.select_option("[name=reference]", "self-consistency")
    measuring.wait_for_timeout(3_000)
    held.pop().continue_()
    expect(measuring.locator("#budget .facts .number").first).to_have_text("52", timeout=PANEL_MS)
    measuring.unroute_all(behavior="ignoreErrors")


def test_a_panel_that_is_not_of_what_the_form_says_tells_so_until_it_is(measuring: Page) -> None:
    measuring.route("**/*", lambda route: route.abort() if is_of_form(route) else route.continue_())
    measuring.select_option("[name=reference]", "self-consistency")
    expect(measuring.locator("#budget")).to_contain_text("not of what the form says now")
    outdated = measuring.locator("#budget [data-outdated]")
    expect(outdated).to_be_visible()
    measuring.wait_for_timeout(3_000)
    expect(outdated).to_be_visible()
    measuring.unroute_all(behavior="ignoreErrors")
    measuring.select_option("[name=reference]", index=0)
    expect(outdated).to_be_hidden(timeout=PANEL_MS)


def test_the_fold_opens_what_it_hides_when_the_browser_brings_it_back(
    watched: Watched, shop: Campaign
) -> None:
    watched.log_in(make_user("admin").username)
    page = watched.page
    watched.go(address_of(shop))
    page.locator("#search details").evaluate("fold => { fold.open = true; }")
    with page.expect_request(lambda request: "reference=self-consistency" in request.url):
        page.select_option("[name=reference]", "self-consistency")
    expect(page.locator("#budget .facts .number").first).to_have_text("52", timeout=PANEL_MS)
    watched.go("/autolabels/")
    page.go_back()
    expect(page.locator("#search details")).to_have_attribute("open", "")
