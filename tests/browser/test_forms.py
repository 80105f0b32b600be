"""Forms hide no setting that counts and no field that is refused, and their buttons can be reached."""

from __future__ import annotations

import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from playwright.sync_api import Locator, expect

from tests.browser.annotator_page import Watched
from tests.factories import make_campaign, make_solution, make_task, make_user
from tests.training.test_pages import make_snapshot

pytestmark = pytest.mark.django_db(transaction=True)
IN_WINDOW = """one => { const box = one.getBoundingClientRect();
    return box.top >= 0 && box.bottom <= innerHeight && box.height > 0; }"""


@pytest.fixture
def admin(watched: Watched) -> Watched:
    watched.log_in(make_user("admin").username)
    return watched


@pytest.fixture
def training(admin: Watched) -> Watched:
    make_snapshot()
    admin.go("/training/start/")
    admin.page.wait_for_load_state("networkidle")
    return admin


def fold_of(watched: Watched, name: str) -> Locator:
    return watched.page.locator("details", has=watched.page.locator(f"[name={name}]"))


def test_back_on_the_form_of_a_training_its_folded_settings_are_open_and_in_the_plan(
    training: Watched,
) -> None:
    page = training.page
    for name in ("lora", "neutral"):
        fold_of(training, name).evaluate("fold => { fold.open = true; }")
    page.fill("[name=lora]", "8")
    page.select_option("[name=neutral]", "drop")
    page.wait_for_load_state("networkidle")
    training.go("/training/")
    with page.expect_request(lambda request: "lora=8" in request.url and "neutral=drop" in request.url):
        page.go_back()
    assert page.input_value("[name=lora]") == "8"
    for name in ("lora", "neutral"):
        expect(fold_of(training, name)).to_have_attribute("open", "")


def test_an_untouched_form_keeps_its_folds_closed_and_asks_for_nothing(training: Watched) -> None:
    asked: list[str] = []
    training.page.on("request", lambda request: asked.append(request.url))
    training.page.reload()
    training.page.wait_for_timeout(500)
    assert training.page.locator("details[open]").count() == 0
    assert not [url for url in asked if "objective=" in url]


def test_a_start_that_a_folded_field_stops_shows_that_field(training: Watched) -> None:
    page, fold = training.page, fold_of(training, "threshold")
    fold.evaluate("fold => { fold.open = true; }")
    page.fill("[name=threshold]", "7")
    fold.evaluate("fold => { fold.open = false; }")
    page.click("main form[hx-get] button.primary")
    expect(fold).to_have_attribute("open", "")
    expect(page.locator("[name=threshold]")).to_be_focused()


@pytest.fixture
def preview(admin: Watched) -> Watched:
    """A page with ten solutions of many steps, and the form that imports them."""
    lines = [
        json.dumps({
            "id": f"p{number}", "generator": "g", "problem": f"{number} + 1 = ?",
            "steps": ["So it goes on. " * 20] * 8, "label": -1, "final_answer_correct": True,
        })
        for number in range(10)
    ]  # fmt: skip
    admin.go("/import/")
    file = SimpleUploadedFile("solutions.jsonl", "\n".join(lines).encode())
    upload = {"name": file.name, "mimeType": "application/json", "buffer": file.read()}
    admin.page.set_input_files("input[type=file]", upload)  # type: ignore[arg-type]
    admin.page.click("main form button.primary")
    admin.page.wait_for_selector("#id_campaign")
    return admin


def test_who_ticks_a_box_while_the_page_asks_about_a_name_keeps_the_tick(preview: Watched) -> None:
    page = preview.page
    page.fill("#id_campaign", "Evening sums")
    expect(page.locator("#import-campaign")).to_contain_text("“Evening sums”")
    with page.expect_response(lambda response: "campaign=Evening" in response.url):
        page.locator("#begins-paused").click()  # Leaving the field asks once more.
    page.wait_for_load_state("networkidle")
    expect(page.locator("#begins-paused")).to_be_checked()


def test_who_chooses_another_format_keeps_the_names_and_the_tick_that_were_put_in(preview: Watched) -> None:
    page = preview.page
    page.fill("#id_campaign", "Evening sums")
    expect(page.locator("#import-campaign")).to_contain_text("“Evening sums”")
    page.locator("#begins-paused").click()
    page.fill("#id_section", "algebra")
    # The first cannot read the file, so that the page has no form of the import for a while.
    for form, shown in (("mr_gsm8k", "[type=hidden][name=campaign]"), ("processbench", "#id_campaign")):
        page.select_option("#id_preview_format", form)
        page.wait_for_url(f"**format={form}**")
        expect(page.locator(shown)).to_have_value("Evening sums")
        expect(page.locator("[name=section]")).to_have_value("algebra")
    expect(page.locator("#begins-paused")).to_be_checked()


@pytest.mark.parametrize("place", [0, 2_000])
def test_the_button_of_an_import_is_in_a_low_window_where_it_has_the_focus(
    preview: Watched, place: int
) -> None:
    page = preview.page
    page.set_viewport_size({"width": 1280, "height": 420})
    page.evaluate("place => scrollTo(0, place)", place)
    button = page.locator("aside button.primary")
    for _ in range(2):
        button.focus()
        page.wait_for_timeout(200)
        assert button.evaluate(IN_WINDOW)


def test_a_phone_reaches_the_import_below_its_ten_solutions_by_one_link(preview: Watched) -> None:
    page = preview.page
    page.set_viewport_size({"width": 390, "height": 844})
    link = page.locator("a[href='#import-all']")
    assert link.evaluate(IN_WINDOW)
    link.click()
    assert page.locator("#id_campaign").evaluate(IN_WINDOW)
    page.set_viewport_size({"width": 1280, "height": 900})
    assert not link.is_visible()


def test_a_refused_form_says_at_its_top_what_to_change_and_leads_there(admin: Watched) -> None:
    campaign, page = make_campaign(), admin.page
    admin.go(f"/campaigns/{campaign.pk}/settings/")
    page.fill("[name=gold_rate]", "5")
    page.click("main form button.primary")
    # The browser itself holds back what is out of bounds.
    assert page.locator("[name=gold_rate]").evaluate("field => field.validity.rangeOverflow")
    page.locator("main form.stack").evaluate("form => { form.noValidate = true; }")
    page.click("main form button.primary")
    refused = page.locator("[data-refused]")
    expect(refused).to_be_focused()
    assert refused.evaluate(IN_WINDOW)
    refused.get_by_role("link", name="Share of gold items").click()
    assert page.locator("[name=gold_rate]").evaluate(IN_WINDOW)


def test_a_decision_without_a_position_is_refused_in_sight(admin: Watched) -> None:
    campaign = make_campaign()
    task = make_task(campaign, make_solution(["A long step. " * 60] * 8))
    admin.go(f"/campaigns/{campaign.pk}/comparison/tasks/{task.pk}/")
    admin.page.fill("[name=note]", "both could be meant")
    admin.page.click("button:has-text('Keep this decision')")
    refused = admin.page.locator("[data-refused]")
    expect(refused).to_contain_text("Mark at least one step")
    expect(refused).to_be_focused()
    assert refused.evaluate(IN_WINDOW) and admin.page.input_value("[name=note]") == "both could be meant"


def test_a_second_press_while_the_answer_is_on_its_way_starts_nothing_twice(training: Watched) -> None:
    press_twice = """button => {
        const stopped = [];
        const note = event => { stopped.push(event.defaultPrevented); event.preventDefault(); };
        addEventListener("submit", note);
        button.click();
        button.click();
        removeEventListener("submit", note);
        return stopped; }"""
    change = "document.querySelector('[name=seed]').dispatchEvent(new Event('change', { bubbles: true }))"
    start = training.page.get_by_role("button", name="Start")
    # Back on the page, and after another choice, a press is meant.
    for again in ("dispatchEvent(new Event('pageshow'))", change):
        assert start.evaluate(press_twice) == [False, True]
        expect(start).to_have_attribute("aria-disabled", "true")
        training.page.evaluate(again)
        assert start.get_attribute("aria-disabled") is None


def test_keys_walk_past_what_is_sent_at_each_change(watched: Watched, transactional_db: None) -> None:
    user = make_user()
    watched.log_in(user.username)
    watched.go("/settings/")
    theme = watched.page.locator("#theme")
    theme.focus()
    for key in ("ArrowDown", "ArrowDown"):
        watched.page.keyboard.press(key)
    watched.page.wait_for_timeout(200)
    user.refresh_from_db()
    assert "theme" not in user.preferences
    with watched.page.expect_navigation():
        watched.page.keyboard.press("Enter")
    user.refresh_from_db()
    assert user.preferences["theme"] == "dark"
