"""A page that watches work replaces a part of itself again and again, under the hands of whoever uses it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from labelsite.jobs.models import JobState
from labelsite.training.services import score_campaign, start_training
from tests.browser.annotator_page import Watched
from tests.factories import make_campaign, make_job, make_task, make_user
from tests.training.test_pages import make_checkpoint, make_snapshot

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("own_folder")]


def test_the_focus_and_the_place_in_the_log_outlast_what_is_fetched_anew(watched: Watched) -> None:
    soon = timezone.now() + timedelta(minutes=5)
    job = make_job(state=JobState.RUNNING, expires_at=soon, started_at=timezone.now(), attempt=1)
    job.attempt_folder.mkdir(parents=True)
    (job.attempt_folder / "log.txt").write_text("a line\n" * 300)
    watched.log_in(make_user("admin").username)
    page = watched.page
    page.goto(f"{watched.base}/jobs/{job.pk}/")
    page.evaluate(
        "document.querySelector('#job').dataset.old = 'yes'; document.querySelector('pre').scrollTop = 4"
    )
    # What was read when an answer failed is no place to go back to.
    page.evaluate(
        """const [job, log] = [document.querySelector("#job"), document.querySelector("pre")];
        const swap = (name, detail) => job.dispatchEvent(new CustomEvent(name, { bubbles: true, detail }));
        swap("htmx:beforeSwap", { elt: job, target: job, shouldSwap: false });
        log.scrollTop = 400;
        swap("htmx:afterSwap", {});"""
    )
    page.locator("button.danger").focus()
    page.wait_for_selector("#job:not([data-old])")
    assert page.evaluate("document.activeElement.textContent") == "Cancel"
    assert page.evaluate("document.querySelector('pre').scrollTop") == 400


def test_what_is_pressed_or_marked_is_not_taken_away_under_the_hand(watched: Watched) -> None:
    soon = timezone.now() + timedelta(minutes=5)
    job = make_job(state=JobState.RUNNING, expires_at=soon, started_at=timezone.now(), attempt=1)
    job.attempt_folder.mkdir(parents=True)
    (job.attempt_folder / "log.txt").write_text("a line\n" * 3)
    watched.log_in(make_user("admin").username)
    page = watched.page
    page.goto(f"{watched.base}/jobs/{job.pk}/")
    asked = f"**/jobs/{job.pk}/"

    def let_it_ask() -> None:
        page.evaluate("document.querySelector('#job').dataset.old = 'yes'")
        for _ in range(2):
            with page.expect_response(asked):
                pass
        page.wait_for_timeout(100)

    page.locator("pre").select_text()
    let_it_ask()
    assert page.evaluate("getSelection().toString()").strip() == "a line\na line\na line"
    page.evaluate("getSelection().removeAllRanges()")
    page.wait_for_selector("#job:not([data-old])")
    page.locator("button.danger").hover()
    page.mouse.down()
    let_it_ask()
    with page.expect_navigation():
        page.mouse.up()


@pytest.mark.parametrize("moves", [True, False])
def test_what_was_chosen_and_unfolded_outlasts_it_too(watched: Watched, moves: bool) -> None:
    """Also where a browser cannot move an element without taking the focus from it."""
    if not moves:
        watched.page.add_init_script("delete Element.prototype.moveBefore")
    chosen = [make_campaign(name) for name in ("First", "Second")][1]
    make_task(chosen)
    checkpoint = make_checkpoint(start_training(make_snapshot(), "mixed"))
    score_campaign(checkpoint, chosen, make_user("admin"))
    watched.log_in(make_user("admin").username)
    page = watched.page
    page.goto(f"{watched.base}/training/checkpoints/{checkpoint.pk}/")
    page.select_option("#evaluate-campaign", str(chosen.pk))
    page.click("details summary")
    page.focus("#evaluate-campaign")
    page.evaluate("document.querySelector('#checkpoint').dataset.old = 'yes'")
    page.wait_for_selector("#checkpoint:not([data-old])")
    assert page.input_value("#evaluate-campaign") == str(chosen.pk)
    assert page.evaluate("document.querySelector('#checkpoint details').open")
    assert page.evaluate("document.activeElement.id") == "evaluate-campaign"


@pytest.mark.parametrize("is_away", [True, False])
def test_a_page_whose_answers_fail_to_come_says_so_until_they_come_again(
    watched: Watched, is_away: bool
) -> None:
    soon = timezone.now() + timedelta(minutes=5)
    job = make_job(state=JobState.RUNNING, expires_at=soon, started_at=timezone.now(), attempt=1)
    watched.log_in(make_user("admin").username)
    page = watched.page
    page.goto(f"{watched.base}/jobs/{job.pk}/")
    asked = f"**/jobs/{job.pk}/"
    page.route(asked, lambda route: route.abort() if is_away else route.fulfill(status=502, body="gone"))
    page.wait_for_selector("text=could not be renewed")
    assert "gone" not in page.inner_text("#job")
    page.unroute(asked)
    page.wait_for_selector("#not-renewed", state="hidden")
    watched.errors.clear()
