"""An upload is imported once, however many tabs and presses ask for it."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from labelsite.accounts.models import User
from labelsite.annotations import uploads
from labelsite.jobs.models import Job, JobState
from labelsite.jobs.tasks import run_here
from tests.annotations.test_import_pages import admin, browser, content, start, upload

__all__ = ["admin", "browser"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_folder")]


def test_a_second_tab_comes_to_the_import_that_has_begun(browser: Client):
    preview_url = upload(browser, content())
    start(browser, preview_url, "New one")
    job = Job.objects.get()
    address = reverse("jobs:detail", args=[job.pk])
    assert start(browser, preview_url, "New one").url == browser.get(preview_url).url == address
    asked = browser.get(preview_url, {"campaign": "New"}, headers={"HX-Request": "true"})
    assert asked["HX-Redirect"] == address
    # What the import reads is not thrown away under it, with the word that nothing was imported.
    assert browser.post(preview_url + "discard/").url == address
    run_here(job)
    job.refresh_from_db()
    assert job.state == JobState.DONE
    assert start(browser, preview_url, "Another").url == address
    assert Job.objects.count() == 1 and "has begun already" in browser.get(address).content.decode()


@pytest.mark.django_db(transaction=True)
def test_of_two_presses_in_one_moment_one_begins_the_import(admin: User):
    kept, together = uploads.keep("one.jsonl", [content()]), threading.Barrier(4)

    def press() -> int:
        try:
            together.wait()
            return uploads.start_import(kept, "processbench", "New one", admin).pk
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as people:
        begun = [each.result() for each in [people.submit(press) for _ in range(4)]]
    assert set(begun) == {Job.objects.get().pk}


def test_after_an_import_that_failed_the_file_waits_for_another(browser: Client):
    preview_url = upload(browser, content())
    start(browser, preview_url, "New one")
    Job.objects.update(state=JobState.FAILED, finished_at=timezone.now())
    assert browser.get(preview_url).status_code == 200
    start(browser, preview_url, "New one")
    assert Job.objects.count() == 2
