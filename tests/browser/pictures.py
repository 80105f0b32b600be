"""Makes the README's pictures anew from a running demo: python -m tests.browser.pictures http://127.0.0.1:8000 var.

It labels nothing: the two ratings on the annotator's picture stay a draft. The machine needs a Korean font, for the
name of the language.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from tests.data import ROOT

IMAGES = ROOT / "docs" / "images"
CAMPAIGN = "Pocket arithmetic, blind"


def signed_in(browser: Browser, address: str, name: str, password: str, height: int) -> Page:
    """The start page of this person of the demo."""
    page = browser.new_page(viewport={"width": 1280, "height": height}, color_scheme="light")
    page.goto(f"{address}/login/")
    page.fill("input[name=username]", name)
    page.fill("input[name=password]", password)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{address}/")
    return page


def picture_annotate(page: Page) -> None:
    page.get_by_text(f"Label {CAMPAIGN}").first.click()
    page.wait_for_selector("body[data-ready=yes]")
    while page.locator("#steps > .step:not([data-rating=''])").count():
        page.keyboard.press("u")  # The draft of the picture before.
    for key in "33":
        page.keyboard.press(key)
    page.evaluate("scrollTo({top: 0, behavior: 'instant'})")
    page.wait_for_selector("#save-state[data-state=saved]")
    page.wait_for_timeout(500)  # The button takes its colour in a moment.
    page.screenshot(path=IMAGES / "annotate.png")


def picture_comparison(page: Page) -> None:
    page.get_by_role("link", name=CAMPAIGN, exact=True).first.click()
    page.get_by_role("link", name="Comparison", exact=True).click()
    page.wait_for_load_state("networkidle")
    page.screenshot(path=IMAGES / "comparison.png")


def main(address: str, var: str) -> None:
    passwords = json.loads((Path(var) / "passwords.json").read_text())
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, chromium_sandbox=False)
        picture_annotate(signed_in(browser, address, "annotator", passwords["annotator"], 865))
        picture_comparison(signed_in(browser, address, "reviewer", passwords["reviewer"], 1280))
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
