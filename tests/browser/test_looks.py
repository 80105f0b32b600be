"""The strict reader itself: it finds what is wrong with a page, and nothing with one that is right."""

import pytest
from playwright.sync_api import Browser

from tests.browser.annotator_page import Watched
from tests.browser.looks import look

PAGE = "<html lang=en><title>A page</title><main><h1>A page</h1>{}</main>"


@pytest.mark.parametrize(
    "fault", ["<img src='data:,'>", "<p style='color: #ccc'>Pale", "<p style='width: 3000px'>Wide"]
)
def test_a_fault_of_a_page_is_found(chromium_browser: Browser, fault: str) -> None:
    context = chromium_browser.new_context()
    watched = Watched(context, "about:")
    watched.page.set_content(PAGE.format("<p>Right."))
    look(watched, "right")
    watched.page.set_content(PAGE.format(fault))
    with pytest.raises(AssertionError, match=r"image-alt|color-contrast|is \d+ wide on a screen"):
        look(watched, "wrong")
    context.close()
