"""How the pages stand: no accessibility fault, no sideways scrolling, nothing from outside, in both languages.

Set MISSTEP_SCREENSHOTS to a folder to get a picture of every page that is looked at here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser

from labelsite.annotations.models import Annotation
from labelsite.campaigns.models import Protocol
from tests.browser.annotator_page import Watched
from tests.browser.looks import look, window
from tests.browser.scenes import assisted_campaign, blind_campaign
from tests.factories import make_campaign, make_solution, make_task, make_user

pytestmark = pytest.mark.django_db(transaction=True)

# Two of the four are enough to find a fault; the other two are for pictures.
LOOKS = [(1280, "light", "en"), (390, "dark", "ko")]
if os.environ.get("MISSTEP_SCREENSHOTS"):
    LOOKS += [(390, "light", "en"), (1280, "dark", "ko")]


@pytest.fixture(params=LOOKS, ids=str)
def watched(request: Any, chromium_browser: Browser, live_server: Any) -> Iterator[Watched]:
    width, theme, language = request.param
    page = window(chromium_browser, live_server.url, width, theme, language)
    yield page
    page.page.context.close()


def test_pages_of_an_annotator_look_right(watched: Watched) -> None:
    annotator = make_user()
    blind = blind_campaign(annotator, name="Shop problems")
    assisted = assisted_campaign(annotator, name="Shop problems, assisted", alternatives=False)
    index = blind_campaign(annotator, name="Only the index", protocol=Protocol.INDEX_ONLY, alternatives=False)
    every = blind_campaign(annotator, name="Every option", protocol=Protocol.EVERY_OPTION)
    watched.go("/login/")
    look(watched, "login")
    watched.log_in_by_keyboard(annotator.username)
    watched.page.wait_for_load_state("networkidle")
    look(watched, "home")
    watched.annotate(blind)
    look(watched, "annotate-start")
    watched.press("3 3 2 3 1")
    look(watched, "annotate-mistake")
    watched.press("?")
    look(watched, "annotate-keys")
    watched.press("Escape 3 1 4 Enter")
    watched.submitted(1)
    look(watched, "annotate-next")
    watched.annotate(assisted)
    watched.press("3 3")
    look(watched, "annotate-assisted")
    watched.annotate(index)
    watched.press("j j x")
    look(watched, "annotate-index")
    watched.annotate(every)
    watched.press("3 3 3 3 1 1 1 1")
    look(watched, "annotate-every")
    annotation = Annotation.objects.get()
    watched.go(f"/annotate/annotation/{annotation.pk}/second-look/")
    look(watched, "second-look-covered")
    watched.page.click("main form button")
    look(watched, "second-look")
    watched.go("/my-day/")
    look(watched, "my-day")
    watched.go("/settings/")
    look(watched, "settings")


@pytest.mark.parametrize("width", [390, 1280])
def test_sixty_steps_wide_formulas_and_endless_words_fit_and_a_wide_formula_scrolls_by_keyboard(
    chromium_browser: Browser, live_server: Any, width: int
) -> None:
    wide = "$$" + " + ".join(f"\\frac{{x_{{{n}}}^2}}{{{n}+1}}" for n in range(40)) + " = 7$$"
    steps = [
        "So we go on and compute it again. " * 150,
        wide,
        "مرحبا بالعالم: $2+2=4$ 😀",
        "W" * 900,
        "$1+1$",
    ]
    annotator = make_user()
    campaign = make_campaign(members=[annotator])
    make_task(campaign, make_solution([*steps, *(f"Step {n}." for n in range(55))]))
    watched = window(chromium_browser, live_server.url, width, "light", "en")
    watched.annotate(campaign, annotator)
    look(watched, "annotate-endless")
    watched.page.locator("#steps .katex-display").focus()
    watched.press("ArrowRight ArrowRight")
    watched.page.wait_for_timeout(300)
    assert watched.page.locator("#steps .katex-display").evaluate("one => one.scrollLeft") > 0
    watched.page.context.close()
