"""What makes eight hours bearable: keys shown where they work, nothing moves, honest times, focus in sight."""

from __future__ import annotations

import pytest

from labelsite.accounts.keymap import ACTIONS
from labelsite.annotations.models import Annotation
from labelsite.campaigns.models import Exposure, Protocol
from tests.browser.annotator_page import Watched
from tests.browser.scenes import blind_campaign
from tests.factories import (
    make_campaign,
    make_estimate_run,
    make_estimates,
    make_solution,
    make_task,
    make_user,
)

pytestmark = pytest.mark.django_db(transaction=True)
OWN_KEYS = dict(zip(ACTIONS, "ABCDEFGHIJKLMNOPQRSTUVWXYZ", strict=False))
SHOWN = "() => [...document.querySelectorAll('kbd')].map(key => key.textContent)"
TOPS = "() => [...document.querySelectorAll('#steps > .step')].map(row => row.getBoundingClientRect().top + scrollY)"
SHIFTS = """() => new Promise(resolve => new PerformanceObserver(list => resolve(
    list.getEntries().reduce((sum, entry) => sum + entry.value, 0))).observe({type: 'layout-shift', buffered: true})
    || setTimeout(() => resolve(0), 300))"""
COVERED = """() => { const seen = document.activeElement, box = seen.getBoundingClientRect();
    if (!seen.closest('#steps')) return false;
    const top = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
    const bar = document.querySelector('#actions').offsetTop;
    return !(seen.contains(top) || top?.contains(seen)) || box.bottom > bar; }"""


# A new Timer's own time begins at 0; somebody does something at 50 s, and the page is looked at again at 100 s.
SPENT = """async (names) => {
  const { Timer } = await import('/static/annotate/timer.js');
  return names.map((name) => {
    let now = 0;
    const timer = new Timer(() => now);
    now = 50000;
    document.querySelector('h1').dispatchEvent(new Event(name, { bubbles: name !== 'scroll' }));
    now = 100000;
    return timer.lap();
  });
}"""


def test_every_key_is_shown_on_its_control_also_when_remapped(watched: Watched) -> None:
    annotator = make_user(preferences={"keys": OWN_KEYS})
    shown: set[str] = set()
    watched.log_in(annotator.username)
    for protocol in Protocol.values:
        watched.annotate(blind_campaign(annotator, name=protocol, protocol=protocol, tasks=1))
        shown |= set(watched.page.evaluate(SHOWN))
    watched.press("C C C C C C C C C C C C S I L")
    campaign = make_campaign(members=[annotator], estimate_run=make_estimate_run())
    make_task(campaign, make_solution(["Only step."]))
    watched.annotate(campaign)
    watched.press(f"{OWN_KEYS['good']} {OWN_KEYS['submit']}")
    watched.submitted(1)
    # The server has it; the page tells when the answer is there.
    watched.page.wait_for_selector(":is(#toast, #passing) kbd")
    shown |= set(watched.page.evaluate(SHOWN))
    missing = {action for action, key in OWN_KEYS.items() if key not in shown}
    assert not missing


def test_nothing_moves_when_the_page_opens_nor_when_a_step_is_rated(watched: Watched) -> None:
    annotator = make_user()
    campaign = blind_campaign(annotator, name="Shop problems", alternatives=False)
    watched.log_in(annotator.username)
    watched.go("/")
    watched.page.wait_for_selector("text=Label Shop problems")
    assert watched.page.evaluate(SHIFTS) < 0.01
    watched.annotate(campaign)
    assert watched.page.evaluate(SHIFTS) < 0.01
    before = watched.page.evaluate(TOPS)
    watched.press("3 2 3")
    watched.saved()
    assert watched.page.evaluate(TOPS) == before


def test_what_has_the_focus_is_never_behind_the_action_bar(watched: Watched) -> None:
    annotator = make_user()
    campaign = make_campaign(members=[annotator], protocol=Protocol.INDEX_ONLY)
    make_task(campaign, make_solution([f"Step {number}: " + "so it goes on. " * 20 for number in range(12)]))
    watched.annotate(campaign, annotator)
    seen = 0
    for _ in range(30):
        watched.press("Tab")
        assert not watched.page.evaluate(COVERED)
        seen += watched.page.evaluate("Boolean(document.activeElement.closest('#steps'))")
    assert seen == 12


def test_idle_time_is_not_counted_as_work(watched: Watched) -> None:
    annotator = make_user()
    campaign = make_campaign(members=[annotator])
    make_task(campaign, make_solution(["One.", "Two."]))
    watched.log_in(annotator.username)
    watched.page.clock.install()
    watched.annotate(campaign)
    watched.press("3")
    # Ten minutes away from the desk: one of them may still have been thought.
    watched.page.clock.fast_forward(600_000)
    watched.press("3 Enter")
    watched.submitted(1)
    annotation = Annotation.objects.get()
    second = annotation.ratings.get(step__position=1)
    assert 59_000 <= second.milliseconds <= 90_000
    assert second.milliseconds <= annotation.total_time_ms <= 120_000


def test_what_was_read_before_a_reload_counts_once_for_the_step(watched: Watched) -> None:
    annotator = make_user()
    campaign = make_campaign(members=[annotator])
    make_task(campaign, make_solution(["One.", "Two."]))
    watched.log_in(annotator.username)
    watched.page.clock.install()
    watched.annotate(campaign)
    watched.page.clock.fast_forward(30_000)
    watched.reload()
    watched.press("3 3 Enter")
    watched.submitted(1)
    annotation = Annotation.objects.get()
    first, second = annotation.ratings.order_by("step__position").values_list("milliseconds", flat=True)
    assert 30_000 <= first <= 45_000 and second < 15_000
    assert first + second <= annotation.total_time_ms <= 50_000


def test_the_guideline_is_formatted_with_formulas_set_code_left_alone_and_nothing_run(
    watched: Watched,
) -> None:
    annotator = make_user()
    watched.annotate(blind_campaign(annotator), annotator)
    guideline = watched.page.locator("#guideline .guideline-text")
    guideline.locator(".katex").wait_for()
    assert guideline.locator("h3").inner_text() == "In this campaign"
    assert [guideline.locator(tag).inner_text() for tag in ("strong", "em", "code")] == [
        "fair",
        "calm",
        "$x$",
    ]
    assert guideline.locator("li").count() == 2 and guideline.locator(".katex").count() == 1
    assert "<script>alert(1)</script>" in guideline.inner_text()
    assert guideline.locator("a").get_attribute("target") == "_blank"


def test_on_a_phone_the_guidelines_key_goes_down_to_it_and_back(watched: Watched) -> None:
    annotator = make_user()
    watched.page.set_viewport_size({"width": 390, "height": 844})
    watched.annotate(blind_campaign(annotator), annotator)
    top = "Math.round(document.getElementById('guideline').getBoundingClientRect().top)"
    before = watched.page.evaluate(top)
    assert before > 844
    watched.press("i")
    assert 0 <= watched.page.evaluate(top) < 844
    watched.press("i")
    assert watched.page.evaluate(top) == before


def test_the_list_of_keys_begins_with_its_first_key_also_on_a_low_screen(watched: Watched) -> None:
    annotator = make_user()
    watched.page.set_viewport_size({"width": 390, "height": 500})
    watched.annotate(blind_campaign(annotator), annotator)
    watched.press("?")
    watched.page.wait_for_selector("#help-dialog[open]")
    first = "document.querySelector('#help-keys dt').getBoundingClientRect().top"
    assert 0 <= watched.page.evaluate(first) < 500


def test_a_phones_buttons_are_made_for_thumbs(watched: Watched) -> None:
    annotator = make_user()
    watched.page.set_viewport_size({"width": 390, "height": 844})
    watched.annotate(blind_campaign(annotator), annotator)
    sizes = watched.page.eval_on_selector_all(
        "#actions button, #actions summary",
        "all => all.map(one => one.getBoundingClientRect()).filter(box => box.width)"
        ".map(box => [box.width, box.height])",
    )
    assert len(sizes) >= 6 and min(min(size) for size in sizes) >= 44


def test_who_works_with_a_screen_reader_is_seen_to_work(watched: Watched) -> None:
    annotator = make_user()
    campaign = make_campaign(members=[annotator])
    make_task(campaign)
    watched.annotate(campaign, annotator)
    # It gives the page none of the keys: only what they lead to.
    assert watched.page.evaluate(SPENT, ["click", "focusin", "input", "scroll"]) == [100000] * 4
    assert watched.page.evaluate(SPENT, ["load"]) == [60000]


def test_letters_work_also_while_the_keyboard_writes_another_script(watched: Watched) -> None:
    annotator = make_user()
    campaign = make_campaign(members=[annotator])
    make_task(campaign, make_solution(["One.", "Two.", "Three."]))
    watched.annotate(campaign, annotator)
    pressed = "key => document.body.dispatchEvent(new KeyboardEvent('keydown', { bubbles: true, ...key }))"
    watched.press("3 3")
    assert "Step 3" in watched.state()
    for number, key in ((2, "ㅏ"), (1, "л")):
        watched.page.evaluate(pressed, {"key": key, "code": "KeyK"})
        assert f"Step {number}" in watched.state()
    # On another Latin keyboard a letter is the one that it writes, wherever it stands.
    for key in "é", "t":
        watched.page.evaluate(pressed, {"key": key, "code": "KeyJ"})
    assert "Step 1" in watched.state()


def test_one_is_told_of_as_one(watched: Watched) -> None:
    annotator = make_user()
    solution = make_solution(["One.", "Two."], problem="There are 12 boxes.")
    run = make_estimates(solution, [1, 1], visits=1)
    campaign = make_campaign(members=[annotator], exposure=Exposure.BEFORE, estimate_run=run)
    make_task(campaign, solution)
    watched.annotate(campaign, annotator)
    assert watched.page.locator(".gauge .muted").all_inner_texts() == ["1 visit", "1 visit"]
    watched.press("f")
    watched.page.keyboard.type("boxes")
    watched.page.keyboard.press("Enter")
    watched.page.locator("#announcer", has_text="“boxes” stands 1 time in this task.").wait_for(
        state="attached"
    )
