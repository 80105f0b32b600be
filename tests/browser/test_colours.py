"""Whatever stands on a coloured ground can be read on it: each tint of a step and each shade of a heatmap."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from playwright.sync_api import Browser

from tests.browser.annotator_page import Watched
from tests.browser.looks import look

STYLES = "".join(Path(settings.STATICFILES_DIRS[0], name).read_text() for name in ("app.css", "plots.css"))
PAGE = "<html lang=en><title>A page</title><style>{}</style><main><h1>A page</h1>{}</main>"
STEP = """<table class=opinions><tr><td class="step-text tint-{}"><div class=math>A step
<span class=formula-error>x^^2</span></div><samp class=output>4</samp>
<ul class=step-notes><li>a note</li></ul></table>"""
HEAT = """<svg class=plot><rect class="heat heat-{0}" width=36 height=36 />
<text class="heat-number{1}">12</text></svg>"""
# The contrast of each number with its cell, which lies in the colour of its shade on the page's surface.
CONTRASTS = """all => all.map(drawing => {
  const numbers = (colour) => colour.match(/[\\d.]+/g).slice(0, 3).map(Number);
  const [cell, number] = [...drawing.children].map((one) => getComputedStyle(one));
  const ground = numbers(getComputedStyle(document.querySelector("td")).backgroundColor);
  const seen = numbers(cell.fill).map((part, at) => part * cell.fillOpacity + ground[at] * (1 - cell.fillOpacity));
  const light = (colour) => colour.map((part) => part / 255)
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
    .reduce((sum, part, at) => sum + part * [0.2126, 0.7152, 0.0722][at], 0);
  const [low, high] = [light(seen), light(numbers(number.fill))].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
})"""


@pytest.fixture(params=["light", "dark"])
def drawn(chromium_browser: Browser, request: pytest.FixtureRequest) -> Any:
    context = chromium_browser.new_context(color_scheme=request.param)
    yield Watched(context, "about:")
    context.close()


def test_what_stands_beside_a_step_can_be_read_on_every_tint(drawn: Watched) -> None:
    drawn.page.set_content(PAGE.format(STYLES, "".join(STEP.format(tint) for tint in range(10))))
    look(drawn, "tints")


def test_the_number_in_a_cell_can_be_read_on_every_shade(drawn: Watched) -> None:
    cells = [HEAT.format(shade, " heat-number-light" if shade > 4 else "") for shade in range(1, 9)]
    surface = '<table><tr><td style="background: var(--surface)">0</table>'
    drawn.page.set_content(PAGE.format(STYLES, surface + "".join(cells)))
    found = drawn.page.locator("svg").evaluate_all(CONTRASTS)
    assert min(found) >= 4.5, [round(contrast, 2) for contrast in found]
