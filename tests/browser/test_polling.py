"""A page that watches work replaces a part of itself again and again, under the hands of whoever uses it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from labelsite.jobs.models import JobState
from tests.browser.annotator_page import Watched
from tests.factories import make_job, make_user

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
