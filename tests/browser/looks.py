"""Looks at a page as a strict reader would: axe, width, targets, and nothing refused or from outside."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from tests.browser.annotator_page import Watched

RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],
}
AXE = Axe().axe_script
# What passed stays in the page: to hand it over takes longer than to find it.
FAULTS = "rules => axe.run(rules).then(found => found.violations)"


def window(browser: Browser, address: str, width: int, theme: Any, language: str, name: str = "") -> Watched:
    """A page of this width, theme and language, which the names of its pictures say; whoever opens it closes it."""
    context = browser.new_context(
        viewport={"width": width, "height": 844 if width < 500 else 900},
        color_scheme=theme,
        has_touch=width < 500,
    )
    context.add_cookies([{"name": "django_language", "value": language, "url": address}])
    watched = Watched(context, address)
    watched.name = "-".join(filter(None, (name, str(width), theme, language)))  # type: ignore[attr-defined]
    return watched


def look(watched: Watched, name: str) -> None:
    """Takes the picture, runs axe, and checks that nothing sticks out sideways or was refused."""
    page = watched.page
    page.wait_for_timeout(150)
    if folder := os.environ.get("MISSTEP_SCREENSHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=f"{folder}/{name}-{watched.name}.png", full_page=True)  # type: ignore[attr-defined]
    width = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert width[0] <= width[1], f"{name} is {width[0]} wide on a screen of {width[1]}"
    page.evaluate(AXE)
    found = page.evaluate(FAULTS, RULES)
    faults = [
        (fault["id"], fault["nodes"][0]["html"][:160], fault["nodes"][0].get("failureSummary"))
        for fault in found
    ]
    assert not faults, f"{name}: {faults}"
    assert not watched.breaches and not watched.errors and not watched.outside
