"""Reload, another device, a killed server, a stolen lease, undo: work is never lost, and the page says what is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from playwright.sync_api import Browser, Route

from labelsite.accounts.models import User
from labelsite.annotations.models import Annotation
from labelsite.campaigns.models import Assignment, Campaign
from labelsite.campaigns.queue import release_expired_leases
from labelsite.campaigns.services import update_campaign
from tests.browser.annotator_page import Watched
from tests.browser.scenes import small_campaign
from tests.campaigns.leases import claim_next
from tests.factories import make_member, make_user
from tests.ports import free_port

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def campaign(annotator: User) -> Campaign:
    return small_campaign(annotator, steps=["One.", "Two.", "Three."])


def drafted(count: int, watched: Watched) -> None:
    """Waits until the database has a draft of `count` ratings."""
    for _ in range(100):
        if any(
            len(draft.get("ratings", {})) == count
            for draft in Assignment.objects.values_list("draft", flat=True)
        ):
            return
        watched.page.wait_for_timeout(50)
    raise AssertionError(
        f"no draft of {count} ratings in {list(Assignment.objects.values_list('draft', flat=True))}"
    )


def test_a_reload_shows_the_same_task_with_the_same_draft(watched, annotator, campaign) -> None:
    watched.annotate(campaign, annotator)
    watched.press("3 2")
    drafted(2, watched)
    watched.page.reload()
    watched.ready()
    assert watched.ratings() == ["1", "0", ""]
    assert "Step 3 of 3" in watched.state()


def test_another_device_shows_the_draft_and_the_first_one_learns_of_the_change(
    watched, annotator, campaign, chromium_browser: Browser
) -> None:
    watched.annotate(campaign, annotator)
    watched.press("3")
    drafted(1, watched)
    second = Watched(chromium_browser.new_context(), watched.base)
    second.annotate(campaign, annotator)
    assert second.ratings() == ["1", "", ""]
    second.press("2")
    drafted(2, second)
    watched.press("1")
    watched.page.wait_for_selector("text=changed on another device")
    assert watched.ratings() == ["1", "0", ""]
    second.page.context.close()


def test_one_undo_brings_back_this_side_of_a_task_that_another_device_changed_and_no_earlier_one(
    watched, annotator, chromium_browser: Browser
) -> None:
    campaign = small_campaign(annotator, tasks=1)
    update_campaign(campaign, {"asks_reason": True})
    watched.annotate(campaign, annotator)
    watched.press("3")
    drafted(1, watched)
    second = Watched(chromium_browser.new_context(), watched.base)
    second.annotate(campaign, annotator)
    second.press("2")
    drafted(2, second)
    second.page.context.close()
    watched.page.context.set_offline(True)
    watched.press("1")
    watched.page.fill("#error-reason", "A sign is lost.")
    watched.page.keyboard.press("Escape")
    watched.page.context.set_offline(False)
    watched.page.wait_for_selector("text=Undo brings yours back")
    assert watched.ratings() == ["1", "0"]
    watched.press("u")
    assert watched.ratings() == ["1", "-1"]
    assert watched.page.input_value("#error-reason") == "A sign is lost."
    watched.press("Enter")
    watched.submitted(1)
    found = Annotation.objects.get()
    assert (found.trajectory, found.reason) == ([1, -1], "A sign is lost.")


class Server:
    """The site as a process of its own, so that it can be killed."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        database = connection.settings_dict
        environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "DATABASE_URL": f"postgresql://{database['USER']}@/{database['NAME']}?host={database['HOST']}",
        }
        command = [sys.executable, "-m", "gunicorn", "--config", "python:labelsite.web", "labelsite.wsgi"]
        command += ["--workers", "1", "--bind", f"127.0.0.1:{self.port}", "--log-level", "error"]
        self.process = subprocess.Popen(command, env=environment, start_new_session=True)
        # A connection is accepted before the site is loaded; only an answer says that it is.
        for _ in range(300):
            try:
                with urllib.request.urlopen(f"{self.url}/login/", timeout=30):
                    return
            except OSError:
                time.sleep(0.1)
        raise AssertionError("the server did not start within 30 s")

    def kill(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def server(transactional_db: Any) -> Iterator[Server]:
    server = Server()
    yield server
    server.kill()


def test_a_killed_server_is_told_honestly_and_loses_nothing(
    server, annotator, campaign, chromium_browser
) -> None:
    context = chromium_browser.new_context()
    watched = Watched(context, server.url)
    watched.annotate(campaign, annotator)
    watched.press("3")
    drafted(1, watched)
    server.kill()
    watched.press("3")
    watched.page.wait_for_selector("#save-state[data-state=offline]")
    assert "kept in this browser" in watched.page.inner_text("#save-state")
    watched.press("3 Enter")
    watched.page.wait_for_timeout(300)
    assert not Annotation.objects.exists()
    server.start()
    watched.submitted(1)
    watched.page.wait_for_selector("text=Problem 1?")
    assert Annotation.objects.get().trajectory == [1, 1, 1]
    context.close()


def test_a_reload_while_the_server_was_away_brings_back_what_only_the_browser_had(
    server, annotator, campaign, chromium_browser
) -> None:
    context = chromium_browser.new_context()
    watched = Watched(context, server.url)
    watched.annotate(campaign, annotator)
    server.kill()
    watched.press("3 2")
    watched.page.wait_for_selector("#save-state[data-state=offline]")
    server.start()
    watched.page.reload()
    watched.ready()
    assert watched.ratings() == ["1", "0", ""]
    drafted(2, watched)
    context.close()


def test_a_draft_that_comes_through_while_the_page_is_left_stands_on_a_next_page_made_before_it(
    watched, annotator, campaign
) -> None:
    watched.annotate(campaign, annotator)
    held: list[Any] = []
    watched.page.route("**/draft/", lambda route: held.append(route))
    watched.press("3")
    for _ in range(100):
        if held:
            break
        watched.page.wait_for_timeout(50)
    watched.page.evaluate("dispatchEvent(new Event('beforeunload'))")
    held.pop().continue_()
    drafted(1, watched)
    watched.saved()
    # The next page is made as if the draft had not been stored yet, and its own save comes when it has been.
    stored = Assignment.objects.exclude(draft={}).values("pk", "draft", "draft_version").get()
    mine = Assignment.objects.filter(pk=stored["pk"])
    mine.update(draft={}, draft_version=stored["draft_version"] - 1)
    watched.page.reload()
    watched.ready()
    mine.update(draft=stored["draft"], draft_version=stored["draft_version"])
    assert watched.ratings() == ["1", "", ""]
    watched.page.unroute("**/draft/")
    watched.saved()


def test_a_stolen_lease_is_told_and_the_draft_stays(watched, annotator, campaign) -> None:
    watched.annotate_two(campaign, annotator)
    watched.press("3 3 3")
    drafted(3, watched)
    Assignment.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
    release_expired_leases()
    thief = make_user()
    make_member(campaign, thief)
    stolen = claim_next(campaign, thief)
    watched.press("Enter")
    watched.page.wait_for_selector("text=it was taken up elsewhere")
    assert not Annotation.objects.exists()
    lost = Assignment.objects.get(annotator=annotator, task=stolen.task)
    assert len(lost.draft["ratings"]) == 3
    watched.press("Enter")
    watched.page.wait_for_selector("text=Problem 1?")


def test_undo_goes_back_over_the_submission_until_the_next_one(watched, annotator, campaign) -> None:
    watched.annotate(campaign, annotator)
    watched.press("3 3 3 Enter")
    watched.page.wait_for_selector("text=Problem 1?")
    watched.press("2")
    drafted(1, watched)
    watched.press("u u")
    watched.page.wait_for_selector("#revising:not([hidden])")
    assert "Problem 0?" in watched.page.inner_text("#problem")
    assert watched.ratings() == ["1", "1", "1"]
    watched.press("k 1 Enter")
    watched.submitted(1)
    watched.page.wait_for_selector("text=Problem 1?")
    live = Annotation.objects.get(is_live=True)
    assert (live.revision, live.trajectory) == (2, [1, -1])
    assert Annotation.objects.get(is_live=False).trajectory == [1, 1, 1]


def test_half_an_emoji_in_a_note_is_left_out_and_holds_nothing_up(watched, annotator, campaign) -> None:
    watched.annotate(campaign, annotator)
    watched.press("3 k /")
    watched.page.evaluate("document.getElementById('note-text').value = 'Whole \\u{1f600}, half \\ud83d'")
    watched.press("Enter")
    watched.page.wait_for_selector(".step-note:not([hidden])")
    watched.saved()
    watched.press("j 3 3 Enter")
    watched.submitted(1)
    assert Annotation.objects.get().ratings.get(step__position=0).note == "Whole \U0001f600, half"
    drafts = Assignment.objects.get(task__annotations__isnull=False).draft["ratings"].values()
    assert "Whole \U0001f600, half " in [entry["note"] for entry in drafts]


def test_a_draft_that_arrives_after_its_submission_is_nothing_to_tell(
    watched: Watched, annotator: User
) -> None:
    page = watched.page
    watched.annotate(small_campaign(annotator, tasks=1), annotator)
    drafts: list[Route] = []
    nexts: list[Route] = []
    page.route("**/draft/", lambda route: drafts.append(route))
    page.route("**/next/", lambda route: nexts.append(route))
    with page.expect_response("**/submit/"):
        watched.press("3 3 Enter")
    page.wait_for_selector("#passing:has-text('Submitted')")
    # The task is still on the page, which waits for the next one.
    with page.expect_response("**/draft/") as refused:
        drafts[0].continue_()
    assert refused.value.status == 409
    page.wait_for_timeout(300)
    assert page.inner_text("#passing").startswith("Submitted")
    page.unroute("**/next/")
    for route in nexts:
        route.continue_()
    page.wait_for_selector("text=Everything is labelled")
    # The bar left with the last task; what was told in it is still told.
    assert page.inner_text("#toast").startswith("Submitted")
