"""Who imports a file may change their mind about it, before and after: nothing that they have said is lost."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from labelsite.accounts.models import Role
from labelsite.jobs.models import Job
from labelsite.jobs.tasks import run_here
from tests.annotations.test_import_pages import content, start, upload
from tests.factories import make_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_folder")]


@pytest.fixture
def browser(client: Client) -> Client:
    client.force_login(make_user(Role.ADMIN))
    return client


def test_another_format_keeps_what_was_typed_also_past_one_that_reads_nothing(browser: Client):
    typed = {"campaign": "Typed", "section": "algebra", "begins_paused": "on"}
    preview_url = upload(browser, content())
    page = browser.get(preview_url, typed | {"format": "processbench"})
    assert {name: page.context["form"][name].value() for name in typed} == typed | {"begins_paused": True}
    assert re.search(r"begins-paused[^>]* checked", page.content.decode())
    unread = browser.get(preview_url, typed | {"format": "mr_gsm8k"}).content.decode()
    for name, value in typed.items():
        assert f'<input type="hidden" name="{name}" value="{value}">' in unread


def test_the_page_of_a_refused_import_knows_the_format_and_leads_back_to_the_preview(browser: Client):
    preview_url = upload(browser, content())
    page = browser.post(preview_url + "start/", {"format": "", "campaign": "Mistyped"}).content.decode()
    assert "looks like: ProcessBench" in page and 'value="processbench" selected' in page
    assert f'<form method="get" action="{preview_url}"' in page
    response: Any = browser.get(preview_url + "start/")
    assert (response.status_code, response.url) == (302, preview_url)


def test_an_import_that_failed_leads_back_to_its_file_while_that_is_there(browser: Client):
    start(browser, upload(browser, content() + b"no line\n"), "New & odd", section="algebra")
    job = Job.objects.get()
    address = reverse("jobs:detail", args=[job.pk])
    link = re.compile(r'href="([^"]+)">Choose another format or campaign<')
    assert not link.search(browser.get(address).content.decode())
    run_here(job)
    found = link.search(browser.get(address).content.decode())
    assert found
    page = browser.get(unescape(found[1]))
    assert page.context["form"]["campaign"].value() == "New & odd"
    assert page.context["form"]["section"].value() == "algebra"
    watching = Client()
    watching.force_login(make_user(Role.REVIEWER))
    assert not link.search(watching.get(address).content.decode())
    browser.post(reverse("annotations:import_discard", args=[job.spec["upload"]]))
    assert not link.search(browser.get(address).content.decode())
