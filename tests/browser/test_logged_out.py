"""A tab that stays open while its reader is logged out, and logs in again in another one."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone

from labelsite.jobs.models import JobState
from tests.browser.annotator_page import Watched
from tests.factories import PASSWORD, make_job, make_user

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("own_folder")]


def test_a_page_that_watches_work_says_so_and_goes_on_after_a_login(watched: Watched) -> None:
    soon = timezone.now() + timedelta(minutes=5)
    job = make_job(state=JobState.RUNNING, expires_at=soon, started_at=timezone.now(), attempt=1)
    admin = make_user("admin").username
    watched.log_in(admin)
    watched.go(f"/jobs/{job.pk}/")
    watched.page.context.clear_cookies(name=settings.SESSION_COOKIE_NAME)
    watched.page.wait_for_selector("text=You are logged out")
    assert watched.page.locator("#job").count() == 1 and watched.page.locator("[name=password]").count() == 0
    watched.log_in(admin)
    watched.page.wait_for_selector("#logged-out", state="hidden")


def test_a_form_that_was_open_before_another_login_is_taken(watched: Watched) -> None:
    name = make_user().username
    watched.log_in_by_keyboard(name)
    watched.go("/settings/")
    watched.page.fill("[name=name]", "for a script")
    chosen = watched.page.context.new_page()
    chosen.goto(f"{watched.base}/settings/")
    other = watched.page.context.new_page()
    other.goto(f"{watched.base}/settings/")
    other.click("text=Log out")
    other.fill("[name=username]", name)
    other.fill("[name=password]", PASSWORD)
    other.press("[name=password]", "Enter")
    other.wait_for_url(f"{watched.base}/")
    # What is sent without a button, too: by a script, and at a choice.
    with chosen.expect_response("**/theme/") as answer:
        chosen.click("[data-theme-switch] button")
    assert answer.value.status == 302
    chosen.select_option("#language", "ko")
    chosen.wait_for_selector("html[lang=ko]")
    watched.page.press("[name=name]", "Enter")
    watched.page.wait_for_selector("td:has-text('for a script'), li:has-text('for a script')")
