"""The main job as three people do it: import, annotate, search, compare, freeze, train, score, and a new order.

Nothing here is made up for the test: the site is the one that `make demo` starts, with its own PostgreSQL,
broker, workers and poller, and the input is real.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.annotator_page import Watched
from tests.browser.whole_site import JOB_SECONDS, Site, pocket_samples, running_site
from tests.data import real_data

PATIENCE = JOB_SECONDS * 1000


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, chromium_browser: Browser) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("site")) as running:
        yield running


def log_in(chromium_browser: Browser, site: Site, name: str) -> Watched:
    person = Watched(chromium_browser.new_context(viewport={"width": 1280, "height": 900}), site.address)
    person.go("/login/")
    person.page.wait_for_selector("input[name=username]:focus")
    person.page.keyboard.type(name)
    person.press("Tab")
    person.page.keyboard.type(site.passwords[name])
    person.press("Enter")
    person.page.wait_for_url(site.address + "/")
    return person


def import_file(admin: Watched, path: Path, campaign: str) -> None:
    """Upload, look at the preview, import, and wait for the job that does it."""
    admin.go("/import/")
    admin.page.set_input_files("input[type=file]", path)
    admin.page.click("text=Upload and preview")
    expect(admin.page.get_by_role("heading", name=re.compile(r"^Line 1\b")).first).to_be_visible()
    admin.page.fill("input[name=campaign]", campaign)
    expect(admin.page.locator("#import-campaign")).to_contain_text(f"“{campaign}”")
    admin.page.click("text=Import the whole file")
    job_is_done(admin.page)


def job_is_done(page: Page) -> None:
    """Wait, as a person would, until the page's badge of the running work says that it is done."""
    expect(page.locator(".badge.good", has_text="done").first).to_be_visible(timeout=PATIENCE)


def campaign_id(admin: Watched, name: str) -> int:
    admin.go("/campaigns/")
    link = admin.page.get_by_role("link", name=name, exact=True).first.get_attribute("href")
    found = re.search(r"/campaigns/(\d+)/", link or "")
    assert found, f"no link to the campaign {name}"
    return int(found.group(1))


def queue_of(page: Page) -> tuple[list[str], list[str]]:
    """The first ten solutions of the queue before and after the scores, as the page of the scores shows them: each with
    its problem, its answer and its length, and without what is said of how it moved."""
    rows = page.locator("#scores table tbody tr")
    # Another job puts the queue in order, after the scores are there.
    expect(rows).to_have_count(10, timeout=PATIENCE)
    before = rows.locator("td:nth-child(2)").all_inner_texts()
    problems, solutions = (
        rows.locator(f"td:nth-child(3) {part}").all_inner_texts() for part in ("a", ".muted")
    )
    after = [f"{problem} {solution}" for problem, solution in zip(problems, solutions, strict=True)]
    return [" ".join(text.split()) for text in before], [" ".join(text.split()) for text in after]


def test_three_people_walk_the_whole_loop(chromium_browser: Browser, site: Site, tmp_path: Path) -> None:
    admin = log_in(chromium_browser, site, "admin")
    # Real solutions, with people's labels, come in from a file.
    import_file(admin, real_data("processbench/gsm8k.jsonl"), "GSM8K")
    gsm8k = campaign_id(admin, "GSM8K")
    admin.go(f"/campaigns/{gsm8k}/members/")
    admin.page.get_by_label("annotator", exact=True).check()
    admin.page.click("text=Save members")

    # The annotator judges three of them, by keyboard alone.
    annotator = log_in(chromium_browser, site, "annotator")
    annotator.go(f"/annotate/{gsm8k}/")
    for keys in ("1", "3 1", "2 3 1"):
        annotator.ready()
        before = annotator.page.inner_text("main")
        annotator.press(keys)
        annotator.saved()
        annotator.press("Enter")
        annotator.page.wait_for_function(
            "text => document.querySelector('main').innerText !== text", arg=before
        )
    annotator.go("/my-day/")
    judged = annotator.page.locator(".figure", has_text="solutions in all").locator("strong")
    expect(judged).to_have_text("3")

    # Rollouts judge solutions of pocket problems, step by step.
    import_file(admin, pocket_samples(tmp_path), "Pocket")
    pocket = campaign_id(admin, "Pocket")
    admin.go(f"/campaigns/{pocket}/comparison/estimate/")
    admin.page.fill("input[name=rollouts]", "4")
    admin.page.click("button:has-text('Start')")
    job_is_done(admin.page)

    # The reviewer compares them with the checker, whose word came with the file and is no person's.
    reviewer = log_in(chromium_browser, site, "reviewer")
    reviewer.go(f"/campaigns/{pocket}/comparison/")
    expect(reviewer.page.locator("main")).to_contain_text("same first mistake")
    expect(reviewer.page.locator("main")).to_contain_text("the gold answers stand in for people")

    # Both kinds of labels are frozen together, and a model learns from them.
    admin.go("/snapshots/")
    admin.page.select_option("select[name=campaign]", label="Pocket")
    admin.page.select_option("select[name=labels]", "mixed")
    admin.page.fill("input[name=name]", "Pocket, mixed")
    admin.page.click("button:has-text('Freeze')")
    expect(admin.page.locator("main")).to_contain_text("Pocket, mixed")
    admin.go("/training/start/")
    admin.page.fill("input[name=steps]", "5")
    admin.page.click("button:has-text('Start')")
    job_is_done(admin.page)

    # Its scores bring what convinces but is wrong to the head of the queue.
    admin.go("/training/checkpoints/1/")
    admin.page.select_option("select[name=campaign]", label="Pocket")
    admin.page.click("text=Score this campaign")
    job_is_done(admin.page)
    before, after = queue_of(admin.page)
    assert after != before
    expect(admin.page.locator("#scores tbody tr").first.locator(".badge.bad")).to_have_text("wrong")

    for person in (admin, annotator, reviewer):
        assert not person.errors and not person.breaches and not person.outside
