"""What turns the direction of the text around it stands on every page by its name, so that no "12" looks like "21"."""

from __future__ import annotations

import re

import pytest

from labelsite.problems.models import Step
from tests.browser.annotator_page import Watched
from tests.factories import make_campaign, make_solution, make_task, make_user

pytestmark = pytest.mark.django_db(transaction=True)

TURNING = re.compile("[\u061c\u070f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
STEPS = [
    "So **a\u202e12** and `b\u206712` it is.",
    'It is $c\\char"202E 12$, $\\text{d\u202b12}$ and $e\u202e^12$, but \\[\\frac{1\u200f-2}{\u202e3}\\].',
    "No formula: $\\nothing{\u202e12}$.",
    "```python\nprint(12)  # \u202e12\n```",
]
ALL_TEXT = "() => [...document.querySelectorAll('main')].map((one) => one.textContent).join()"


def test_a_sign_that_turns_text_is_named_in_formatted_steps_formulas_code_and_output(
    watched: Watched,
) -> None:
    annotator, reviewer = make_user(), make_user("reviewer")
    campaign = make_campaign(members=[annotator])
    task = make_task(campaign, make_solution(STEPS, problem="What is \u202e12?"))
    Step.objects.filter(position=3).update(output="\u202e12", verdict="ok")
    watched.annotate(campaign, annotator)
    page = watched.page
    page.wait_for_selector("#steps .formula-error")
    page.wait_for_function("document.querySelectorAll('#steps .katex').length >= 4")
    steps = page.locator("#steps > .step")
    assert "a⟨U+202E⟩12 and b⟨U+2067⟩12" in steps.nth(0).inner_text()
    assert page.locator("#problem").inner_text() == "What is ⟨U+202E⟩12?"
    assert steps.nth(1).locator(".katex-html").all_text_contents()[0].startswith("c⟨U+202E⟩")
    assert "$\\nothing{⟨U+202E⟩12}$" in steps.nth(2).inner_text()
    assert "# ⟨U+202E⟩12" in steps.nth(3).locator("pre").inner_text()
    assert steps.nth(3).locator("samp").inner_text() == "⟨U+202E⟩12"
    assert not TURNING.search(page.evaluate(ALL_TEXT))
    page.context.clear_cookies()
    watched.log_in(reviewer.username)
    watched.go(f"/campaigns/{campaign.pk}/comparison/tasks/{task.pk}/")
    page.wait_for_selector(".formula-error")
    page.wait_for_function("document.querySelectorAll('.katex').length >= 4")
    told = page.evaluate(ALL_TEXT)
    assert "a⟨U+202E⟩12" in told and not TURNING.search(told)
