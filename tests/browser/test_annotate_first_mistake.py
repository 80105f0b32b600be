"""The first-mistake protocol in a real browser, by keyboard alone."""

from __future__ import annotations

import gzip

import pytest

from labelsite.annotations.models import Annotation
from tests.browser.annotator_page import Watched
from tests.factories import make_campaign, make_solution, make_task, make_user

pytestmark = pytest.mark.django_db(transaction=True)
TEN = [f"Step number {n}: so $x_{n} = {n}$." for n in range(1, 11)]
PLACE_OF_12 = """(selector) => {
  const node = document.querySelector(selector).firstChild;
  const range = new Range();
  range.setStart(node, 10);
  range.setEnd(node, 12);
  const box = range.getBoundingClientRect();
  return [box.x + box.width / 2, box.y + box.height / 2];
}"""


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
    # From here on the server gives out no task any more: only the answer to the submission is waited for.
    watched.page.route("**/next/", lambda route: None)
    watched.press("Enter")
    watched.page.wait_for_selector("text=And the next?")
    # The page's requests are told by another process, and a busy machine may tell of them late.
    watched.submitted(1)
    for _ in range(100):
        if any(url.endswith("/submit/") for url in submits):
            break
        watched.page.wait_for_timeout(50)
    assert sorted(url.rsplit("/", 2)[1] for url in submits) in (["submit"], ["next", "submit"])
    annotation = Annotation.objects.get(task=first)
    assert (annotation.trajectory, annotation.finish_reason) == ([1, 1, 1, 1, 1, -1], "found_error")


def test_alternatives_are_rated_after_the_mistake_with_a_key_for_cannot_say(watched: Watched) -> None:
    annotator = make_user()
    campaign = make_campaign(members=[annotator])
    make_task(campaign, make_solution(["Right.", ["Wrong.", "Better.", "Odd."], "Never read."]))
    watched.annotate(campaign, annotator)
    watched.press("+ -")
    assert "Alternative 1 of step 2" in watched.state()
    watched.press("Enter")
    assert not Annotation.objects.exists()
    watched.press("3 4 Enter")
    watched.submitted(1)
    rows = Annotation.objects.get().ratings.order_by("step__position", "step__option")
    assert list(rows.values_list("rating", "flagged")) == [(1, None), (-1, None), (1, None), (None, True)]
    watched.page.wait_for_selector("text=Everything is labelled")


def test_an_earlier_rating_is_corrected_in_place_and_time_and_notes_are_kept(watched: Watched) -> None:
    annotator = make_user()
    campaign = make_campaign(members=[annotator])
    make_task(campaign, make_solution(TEN[:3]))
    watched.annotate(campaign, annotator)
    watched.page.wait_for_timeout(120)
    watched.press("3 3 3 k k 2 ArrowUp ArrowUp /")
    watched.page.keyboard.type("Check this")
    watched.press("Enter Enter")
    watched.submitted(1)
    annotation = Annotation.objects.get()
    assert annotation.trajectory == [0, 1, 1]
    first = annotation.ratings.get(step__position=0)
    assert first.note == "Check this" and first.milliseconds >= 100
    assert annotation.total_time_ms >= first.milliseconds


@pytest.mark.parametrize(
    ("window", "key"), [("help", "?"), ("note", "/"), ("find", "f"), ("calculator", "q")]
)
def test_a_key_right_behind_the_closing_of_a_window_counts(watched: Watched, window: str, key: str) -> None:
    annotator = make_user()
    campaign = make_campaign(members=[annotator])
    make_task(campaign, make_solution(TEN[:1]))
    watched.annotate(campaign, annotator)
    watched.press(f"3 {key}")
    watched.page.wait_for_selector(f"#{window}-dialog[open]")
    # Both in one frame, as on a slow machine: the focus still stands inside the window.
    stayed = watched.page.evaluate(
        """(id) => {
            const dialog = document.getElementById(id);
            dialog.close();
            const focused = document.activeElement;
            focused.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true, cancelable: true }));
            return dialog.contains(focused);
        }""",
        f"{window}-dialog",
    )
    assert stayed
    watched.submitted(1)


def test_leaving_a_task_asks_why_and_cannot_happen_with_one_key(watched: Watched) -> None:
    annotator = make_user()
    campaign = make_campaign(members=[annotator])
    make_task(campaign, make_solution(TEN)), make_task(campaign, make_solution(TEN))
    watched.annotate(campaign, annotator)
    watched.press("3 1 b Escape g Enter")
    assert not Annotation.objects.exists()
    watched.page.keyboard.type("I am stuck")
    watched.press("Enter")
    watched.submitted(1)
    annotation = Annotation.objects.get()
    assert (annotation.finish_reason, annotation.reason, annotation.trajectory) == (
        "give_up",
        "I am stuck",
        [1],
    )
    watched.press("b")
    watched.page.keyboard.type("The picture is missing")
    watched.press("Enter")
    watched.submitted(2)
    assert Annotation.objects.latest("id").finish_reason == "bad_problem"


def test_from_login_to_logout_without_a_mouse_and_with_keys_of_ones_own(watched: Watched) -> None:
    annotator = make_user(preferences={"keys": {"good": "f", "find": "3", "submit": "n"}})
    campaign = make_campaign(members=[annotator])
    make_task(campaign, make_solution(["Only step."]))
    watched.log_in_by_keyboard(annotator.username)
    watched.label(campaign)
    step = campaign.tasks.get().solution.step_rows.get()
    assert watched.page.inner_text(f"#option-{step.pk} .rate.good kbd") == "f"
    watched.press("f n")
    watched.submitted(1)
    watched.log_out()


def test_a_broken_formula_in_one_step_leaves_the_others_whole(watched: Watched) -> None:
    annotator = make_user()
    campaign = make_campaign(members=[annotator])
    loop = "\\\\def\\\\a{\\\\a\\\\a}\\\\a".replace("\\\\", "\\")
    steps = [
        "Fine: $x^2$.",
        f"Loop: ${loop}$ and $\\frac{{1}}{{$",
        "\\(y_1\\) <img src=x onerror=alert(1)>",
        "It costs $5 and $6.",
    ]
    make_task(campaign, make_solution(steps))
    watched.annotate(campaign, annotator)
    page = watched.page
    assert page.locator("#steps .katex").count() == 2
    assert page.locator("#steps .formula-error").count() == 1
    assert page.locator("#steps img").count() == 0
    assert "<img src=x onerror=alert(1)>" in page.inner_text("#steps")
    assert "It costs $5 and $6." in page.inner_text("#steps")
    assert page.locator("#steps math").count() == 2


def test_a_formula_built_to_freeze_the_page_is_shown_as_its_source_and_the_keys_go_on(
    watched: Watched,
) -> None:
    """Within KaTeX's own limits the bomb takes ten seconds and makes 600,000 nodes; it gets a worker and a clock."""
    annotator = make_user()
    campaign = make_campaign(members=[annotator])
    bomb = "\\def\\b{" + "x^2" * 1000 + "}" + "\\b" * 190
    deep = "\\sqrt{" * 500 + "}" * 500
    steps = [f"Bomb: ${bomb}$.", f"Deep: ${deep}$", "Fine: $x^2$.", "\\(" * 8000]
    make_task(campaign, make_solution(steps))
    watched.annotate(campaign, annotator)
    watched.press("3 3")
    assert "Step 3 of 4" in watched.state()
    page = watched.page
    page.wait_for_selector("#steps .step:nth-child(3) .katex math", state="attached")
    page.wait_for_selector("#steps .step:nth-child(1) .formula-error")
    page.wait_for_selector("#steps .step:nth-child(2) .formula-error")
    assert page.text_content("#steps .step:nth-child(1) .math") == steps[0]
    assert page.inner_text("#steps .step:nth-child(4) .math") == steps[3]
    watched.press("3 3 Enter")
    watched.submitted(1)


def test_a_clicked_number_lights_up_wherever_it_stands(watched: Watched) -> None:
    annotator = make_user()
    campaign = make_campaign(members=[annotator])
    make_task(
        campaign,
        make_solution(
            ["We have 12 boxes.", "So $12 \\cdot 2 = 24$.", "Not 112."], problem="There are 12 boxes."
        ),
    )
    watched.annotate(campaign, annotator)
    box = watched.page.evaluate(PLACE_OF_12, "#problem .math p")
    announcer = watched.page.locator("#announcer")
    for _ in range(2):
        watched.page.mouse.click(*box)
        assert watched.page.evaluate("CSS.highlights.get('lit').size") == 3
        assert "stands 3 times" in (announcer.text_content() or "")
        # The same again turns it off, which says nothing of how often it stands there.
        watched.page.mouse.click(*box)
        assert not watched.page.evaluate("CSS.highlights.has('lit')")
        assert "0 times" not in (announcer.text_content() or "")
    watched.page.mouse.click(*box)
    watched.press("Escape")
    assert not watched.page.evaluate("CSS.highlights.has('lit')")
    # What the switch draws anew is lit by one click again, though the same word was lit before.
    watched.page.mouse.click(*box)
    watched.page.click("text=As written")
    assert not watched.page.evaluate("CSS.highlights.has('lit')")
    watched.page.mouse.click(*watched.page.evaluate(PLACE_OF_12, "#problem .as-written"))
    assert watched.page.evaluate("CSS.highlights.get('lit').size") == 3


def test_the_calculator_knows_what_an_annotator_needs(watched: Watched) -> None:
    annotator = make_user()
    campaign = make_campaign(members=[annotator])
    make_task(campaign)
    watched.annotate(campaign, annotator)
    watched.press("q")
    sums = {
        "-2^2": "-4",
        "(3+4)^2/sqrt(2)": "≈ 34.6482322781",
        "2^3^2": "512",
        "17 % 5": "2",
        "15%": "0.15",
        "5!": "120",
        "0.1+0.2": "0.3",
        "2pi": "≈ 6.28318530718",
        "1,200 * 3": "3600",
        "constructor": "…",
        "1/0": "…",
    }
    for text, expected in sums.items():
        watched.page.fill("#calculator-input", text)
        assert watched.page.inner_text("#calculator-output") == expected, text


def test_the_first_page_weighs_less_than_200_kilobytes_and_asks_nobody_else(watched: Watched) -> None:
    annotator = make_user()
    campaign = make_campaign(members=[annotator])
    make_task(campaign, make_solution(TEN))
    watched.log_in(annotator.username)
    watched.go("/")
    foreseen = hrefs(
        watched, "link[rel=prefetch], link[rel=modulepreload], link[rel=stylesheet], link[rel=icon]"
    )
    # A first visit finds nothing in the browser's cache.
    devtools = watched.page.context.new_cdp_session(watched.page)
    devtools.send("Network.enable")
    devtools.send("Network.setCacheDisabled", {"cacheDisabled": True})
    asked: list = []
    watched.page.on("request", lambda request: asked.append(request))
    watched.annotate(campaign)
    watched.page.wait_for_load_state("networkidle")
    # Fonts are compressed by themselves already; everything else is as it leaves collectstatic.
    weights = {
        request.url: len(body) if request.url.endswith(".woff2") else len(gzip.compress(body))
        for request in asked
        for body in [request.response().body()]
    }
    site = watched.page.url.split("/annotate/")[0] + "/"
    assert [url for url in weights if not url.startswith(site)] == []
    assert len(weights) > 10 and sum(weights.values()) < 200_000, weights
    # No module is found only when another has come, and the page before has asked for all that stays the same.
    late = {url for url in weights if url.endswith(".js")} - hrefs(watched, "link[rel=modulepreload]")
    assert {url.rpartition("/")[2] for url in late} == {"math-worker.js", "katex.min.js"}
    assert {url for url in weights if "/static/" in url and "KaTeX_Size" not in url} <= foreseen


def hrefs(watched: Watched, links: str) -> set[str]:
    return set(watched.page.eval_on_selector_all(links, "links => links.map(link => link.href)"))
