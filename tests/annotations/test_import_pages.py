"""Importing from the browser: upload, preview, job; for admins only, and with nothing served back."""

from __future__ import annotations

import inspect
import json
import os
import re
import time
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import translation

from labelsite.accounts.models import Role, User
from labelsite.annotations import uploads
from labelsite.annotations.preview import RULES
from labelsite.campaigns.models import Campaign, Task
from labelsite.jobs.models import Job, JobState
from labelsite.jobs.tasks import run_here
from ml.formats import label_rules
from tests.annotations.test_import import processbench_line
from tests.factories import make_campaign, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_folder")]
URL = "/import/"


@pytest.fixture
def admin() -> User:
    return make_user(Role.ADMIN)


@pytest.fixture
def browser(admin: User, client: Client) -> Client:
    client.force_login(admin)
    return client


def content(lines: int = 12) -> bytes:
    return "".join(processbench_line(index, index % 3 - 1) + "\n" for index in range(lines)).encode()


def upload(browser: Client, body: bytes, name: str = "solutions.jsonl") -> str:
    response: Any = browser.post(URL, {"file": SimpleUploadedFile(name, body)})
    assert response.status_code == 302, response.content
    return str(response.url)


def start(browser: Client, preview_url: str, campaign: str, **more: str) -> Any:
    """What the page sends for a campaign of which it has said that it is new."""
    said = {"format": "processbench", "campaign": campaign, "new_campaign": campaign, **more}
    return browser.post(preview_url + "start/", said)


def test_upload_preview_and_import_end_in_tasks(browser: Client):
    preview_url = upload(browser, content())
    page = browser.get(preview_url).content.decode()
    assert "looks like: ProcessBench" in page
    assert page.count("<article") == 10
    assert '<span class="math">We add one.</span>' in page
    assert 'value="solutions"' in page
    response: Any = start(browser, preview_url, "New one")
    job = Job.objects.get()
    assert response.url == reverse("jobs:detail", args=[job.pk])
    run_here(job)
    job.refresh_from_db()
    assert job.result
    assert (job.state, job.result["new_solutions"]) == (JobState.DONE, 12)
    assert job.result["campaign_id"] == Campaign.objects.get(name="New one").pk
    assert "Open the campaign" in browser.get(response.url).content.decode()
    assert Task.objects.filter(campaign__name="New one").count() == 12
    assert list(uploads._folder().iterdir()) == []


def test_a_refused_file_ends_in_a_failed_job_that_names_the_line(browser: Client):
    body = content() + b'{"broken": \n'
    preview_url = upload(browser, body)
    assert "Lines that cannot be read" not in browser.get(preview_url).content.decode()
    start(browser, preview_url, "New one")
    job = Job.objects.get()
    run_here(job)
    job.refresh_from_db()
    assert job.state == JobState.FAILED
    assert job.error.startswith("solutions.jsonl:13: broken JSON")
    assert not Campaign.objects.exists() and not Task.objects.exists()


def test_the_format_can_be_corrected_and_errors_are_shown(browser: Client):
    preview_url = upload(browser, content())
    page = browser.get(preview_url + "?format=mr_gsm8k").content.decode()
    assert "Lines that cannot be read" in page
    assert page.count("<li><code>solutions.jsonl:") == 1
    assert "a line of the format processbench" in page
    assert "Import the whole file" not in page


@pytest.mark.parametrize(
    ("line", "english", "korean"),
    [
        ('{"id": 1, ', "found broken JSON (", "발견: 깨진 JSON("),
        ('{"problem": "x"}', "no key `steps` (keys: problem), expected a `steps`", "예상: `steps` 키"),
        (
            '{"problem": "x", "steps": []}',
            "`steps` = [], expected a list of at least 1",
            "텍스트가 1개 이상인 목록",
        ),
        ("7", "found a JSON number, expected one JSON object a line", "예상: 한 줄에 JSON 객체 하나"),
    ],
)
def test_what_is_wrong_with_a_line_is_told_in_the_reader_s_language(browser: Client, line, english, korean):
    preview_url = upload(browser, line.encode()) + "?format=records"
    assert english in browser.get(preview_url).content.decode()
    page = browser.get(preview_url, headers={"accept-language": "ko"}).content.decode()
    assert korean in page and "expected" not in page


def test_text_of_a_file_is_escaped(browser: Client):
    line = json.loads(processbench_line(1))
    line["problem"] = line["steps"][0] = line["generator"] = '<script>alert("x")</script>'
    page = browser.get(upload(browser, json.dumps(line).encode(), "<b>.jsonl")).content.decode()
    assert "<script>alert" not in page and "<b>.jsonl" not in page
    assert "&lt;script&gt;alert" in page


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"[1, 2]\n", b"\x1f\x8bnot gzip"])
def test_a_file_that_is_nothing_gets_a_page_that_says_so(browser: Client, body: bytes):
    page = browser.get(upload(browser, body))
    assert page.status_code == 200
    assert "Lines that cannot be read" in page.content.decode()


def test_no_worker_is_running_is_said(browser: Client):
    assert "No worker is running" in browser.get(URL).content.decode()
    assert "No worker is running" in browser.get(upload(browser, content())).content.decode()


def test_an_upload_can_be_discarded(browser: Client):
    preview_url = upload(browser, content())
    browser.post(preview_url + "discard/")
    assert list(uploads._folder().iterdir()) == []
    assert browser.get(preview_url).status_code == 404


def test_an_upload_lies_under_an_id_and_is_readable_by_the_owner_only(browser: Client):
    upload(browser, content(), "../../escape.jsonl")
    names = sorted(path.name for path in uploads._folder().iterdir())
    assert len(names) == 2 and all(re.fullmatch(r"[0-9a-f-]{36}\.(data|json)", name) for name in names)
    assert (uploads._folder() / names[0]).stat().st_mode & 0o077 == 0


def test_an_upload_that_is_too_large_leaves_nothing(browser: Client, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(uploads, "LARGEST_BYTES", 100)
    response: Any = browser.post(URL, {"file": SimpleUploadedFile("big.jsonl", content())})
    assert response.status_code == 400
    assert list(uploads._folder().iterdir()) == []


@pytest.mark.parametrize(
    ("language", "words"), [("en", "expected a smaller one"), ("ko", "더 작은 파일로 하거나")]
)
def test_a_refused_upload_is_told_in_the_pages_language(
    browser: Client, monkeypatch: pytest.MonkeyPatch, language: str, words: str
):
    monkeypatch.setattr(uploads, "LARGEST_BYTES", 100)
    browser.cookies["django_language"] = language
    response: Any = browser.post(URL, {"file": SimpleUploadedFile("big.jsonl", content())})
    assert words in response.content.decode()


def test_uploads_that_nobody_imported_are_forgotten(browser: Client):
    upload(browser, content())
    for path in uploads._folder().iterdir():
        os.utime(path, (0, time.time() - uploads.FORGOTTEN_AFTER_SECONDS - 1))
    uploads.forget_old()
    assert list(uploads._folder().iterdir()) == []


@pytest.mark.parametrize("role", [Role.ANNOTATOR, Role.REVIEWER])
def test_only_admins_import(browser: Client, role: str):
    preview_url = upload(browser, content())
    outsider = Client()
    outsider.force_login(make_user(role))
    for method, url in [
        ("get", URL),
        ("post", URL),
        ("get", preview_url),
        ("post", preview_url + "start/"),
        ("post", preview_url + "discard/"),
    ]:
        assert getattr(outsider, method)(url).status_code == 403
    assert Client().get(URL).status_code == 302
    assert not Job.objects.exists()


def test_a_second_admin_may_go_on_with_an_upload(browser: Client):
    preview_url = upload(browser, content())
    colleague = Client()
    colleague.force_login(make_user(Role.ADMIN))
    assert colleague.get(preview_url).status_code == 200


def test_the_preview_says_whether_the_name_makes_a_new_campaign(browser: Client):
    make_campaign("GSM8K test")
    preview_url = upload(browser, content(), "GSM8K tset.jsonl")
    page = browser.get(preview_url).content.decode()
    assert "This makes a new campaign" in page and "Did you mean “GSM8K test”?" in page
    known = browser.get(preview_url, {"campaign": "GSM8K test"}, headers={"HX-Request": "true"})
    text = known.content.decode()
    assert "<html" not in text and "This makes a new campaign" not in text
    assert reverse("campaigns:settings", args=[Campaign.objects.get().pk]) in text


def test_a_name_that_nobody_was_told_is_new_makes_no_campaign(browser: Client):
    preview_url = upload(browser, content())
    said = {"format": "processbench", "campaign": "Mistyped", "new_campaign": "solutions"}
    page = browser.post(preview_url + "start/", said)
    assert page.status_code == 400 and not Job.objects.exists()
    text = page.content.decode()
    assert "Import again to make it" in text and 'name="new_campaign" value="Mistyped"' in text
    assert browser.post(preview_url + "start/", said | {"new_campaign": "Mistyped"}).status_code == 302


def test_a_campaign_that_is_there_needs_no_such_word(browser: Client):
    campaign = make_campaign("There")
    said = {"format": "processbench", "campaign": "There", "begins_paused": "on"}
    browser.post(upload(browser, content()) + "start/", said)
    run_here(Job.objects.get())
    campaign.refresh_from_db()
    assert campaign.tasks.count() == 12 and not campaign.is_paused


@pytest.mark.parametrize(("more", "is_paused"), [({}, False), ({"begins_paused": "on"}, True)])
def test_a_new_campaign_may_begin_paused_and_its_job_leads_to_its_settings(browser: Client, more, is_paused):
    start(browser, upload(browser, content()), "New one", **more)
    job = Job.objects.get()
    run_here(job)
    campaign = Campaign.objects.get()
    assert (campaign.is_paused, campaign.is_for_everyone) == (is_paused, True)
    page = browser.get(reverse("jobs:detail", args=[job.pk])).content.decode()
    assert f'href="{reverse("campaigns:settings", args=[campaign.pk])}"' in page


@pytest.mark.parametrize("language", ["en", "ko"])
def test_a_label_rule_and_an_end_are_told_in_words(browser: Client, language: str):
    look = {"annotator": "kim", "ratings": [-1, 1]}
    line = {"problem": "1 + 1?", "steps": ["one", "two"], "annotations": [look]}
    preview_url = upload(browser, json.dumps(line).encode())
    page = browser.get(preview_url + "?format=annotated", headers={"accept-language": language})
    told = page.content.decode()
    assert "rated_after" not in told and "found_error" not in told
    with translation.override(language):
        assert translation.gettext("steps after the first mistake are rated") in told
        assert translation.gettext("found the first mistake") in told


def test_every_label_rule_has_words():
    said = re.findall(r'return "(\w+)"|else "(\w+)"|"(\w+)" if', inspect.getsource(label_rules))
    named = {name for names in said for name in names if name}
    assert named == set(RULES)


def test_the_lines_to_look_at_stand_before_the_button_that_imports_them(browser: Client):
    page = browser.get(upload(browser, content())).content.decode()
    assert page.index("Line 1") < page.index("Import the whole file")
    assert f'<a href="{URL}" aria-current="page">' in page
