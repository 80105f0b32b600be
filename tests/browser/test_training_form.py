"""The form that starts a training, as people meet it: folded, all open, and refused."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from labelsite.training.models import TrainingRun
from tests.browser.looks import look, window
from tests.browser.test_search_form import LOOKS
from tests.factories import make_user
from tests.training.test_pages import make_snapshot

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("own_folder")]
OPEN_ALL = "for (const fold of document.querySelectorAll('main details')) fold.open = true;"


@pytest.mark.parametrize(("width", "theme", "language"), LOOKS)
def test_the_form_can_be_read_by_everybody_in_each_of_its_states(
    chromium_browser: Browser, live_server: Any, width: int, theme: Any, language: str
) -> None:
    make_snapshot()
    watched = window(chromium_browser, live_server.url, width, theme, language)
    watched.log_in(make_user("admin").username)
    page = watched.page
    watched.go("/training/start/")
    look(watched, "training-form")
    page.evaluate(OPEN_ALL)
    look(watched, "training-form-open")
    page.fill("[name=least_margin]", "0.5")
    page.press("[name=least_margin]", "Tab")
    expect(page.locator("#plan .notice.bad:not([data-outdated])")).to_be_visible()
    page.click("main form[hx-get] button.primary")
    expect(page.locator(".errorlist")).to_be_visible()
    look(watched, "training-form-refused")
    page.select_option("[name=objective]", "preference")
    page.check("[name=no_final_pairs]")
    page.wait_for_load_state("networkidle")
    page.click("main form[hx-get] button.primary")
    page.wait_for_url("**/training/runs/**")
    look(watched, "training-form-run")
    watched.settle()
    watched.page.context.close()
    chosen = TrainingRun.objects.get().configuration
    assert (chosen["least_margin"], chosen["no_final_pairs"]) == (0.5, True)
