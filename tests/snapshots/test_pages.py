"""Snapshots in the browser: freezing, looking, downloading, and who may."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from labelsite.accounts.models import Role
from labelsite.campaigns.archive import set_archived
from labelsite.campaigns.models import Campaign
from labelsite.jobs.models import Job, JobState
from labelsite.jobs.tasks import run_here
from labelsite.snapshots import freezing
from labelsite.snapshots.models import Snapshot
from labelsite.snapshots.services import freeze
from ml import formats
from ml.targets import LabelRule
from tests.factories import (
    make_annotation,
    make_campaign,
    make_estimates,
    make_solution,
    make_task,
    make_user,
)

pytestmark = pytest.mark.django_db
URL = "/snapshots/"
RULE = {"neutral": "positive", "target": "hard", "mixture": "people_override"}


@pytest.fixture
def browser(client: Client) -> Client:
    client.force_login(make_user(Role.ADMIN))
    return client


@pytest.fixture
def campaign() -> Campaign:
    campaign = make_campaign("Sums")
    solution = make_solution(["one", "two", ["three", "three better"]], problem="What is 1 + 2?", answer="3")
    annotation = make_annotation(make_task(campaign, solution), make_user(username="ann"), [1, 0, -1])
    annotation.ratings.create(step=solution.step_rows.get(position=2, option=1), rating=1)
    return campaign


def lines(browser: Client, url: str) -> list[dict]:
    response: Any = browser.get(url)
    assert response.status_code == 200
    body = b"".join(response.streaming_content) if response.streaming else response.content
    return [json.loads(line) for line in body.decode().splitlines()]


def test_freezing_from_the_page_leads_to_the_snapshot(browser: Client, campaign: Campaign):
    response: Any = browser.post(URL, {"campaign": campaign.pk, "labels": "human", "name": "First", **RULE})
    snapshot = Snapshot.objects.get()
    assert response.url == f"{URL}{snapshot.pk}/"
    page = browser.get(response.url).content.decode()
    assert snapshot.sha256 in page and "First" in page and "labelled steps" in page
    assert "First" in browser.get(URL).content.decode()


@pytest.mark.parametrize("at_once", [0, 2_000])
def test_solutions_without_labels_are_kept_where_the_box_is_ticked(
    browser: Client, campaign: Campaign, monkeypatch: pytest.MonkeyPatch, at_once: int
):
    monkeypatch.setattr(freezing, "TASKS_AT_ONCE", at_once)
    make_task(campaign, make_solution(["one", "two"], is_correct=False))
    wanted = {"campaign": campaign.pk, "labels": "human", **RULE, "keep_unlabelled": "on"}
    browser.post(URL, wanted)
    if not at_once:
        run_here(Job.objects.get())
    snapshot = Snapshot.objects.get()
    page = browser.get(f"{URL}{snapshot.pk}/").content.decode()
    assert "solutions without labels, kept for their known answer" in page
    assert snapshot.manifest["counts"]["solutions_kept_without_labels"] == 1


def test_a_campaign_that_was_put_away_is_not_frozen_as_another_one(browser: Client, campaign: Campaign):
    away = make_campaign("Away")
    set_archived(away, True)
    assert "Freeze a snapshot" not in browser.get(f"/campaigns/{away.pk}/").content.decode()
    assert "Freeze a snapshot" in browser.get(f"/campaigns/{campaign.pk}/").content.decode()
    asked: list[Any] = [browser.get(URL, {"campaign": wanted}) for wanted in (away.pk, "no number")]
    asked.append(browser.post(URL, {"campaign": away.pk, "labels": "human", **RULE}))
    for page in asked:
        assert '<option value="">choose one</option>' in page.content.decode()
        assert "archived or gone" in page.content.decode()
    plain = browser.get(URL, {"campaign": campaign.pk}).content.decode()
    assert f'<option value="{campaign.pk}" selected>Sums</option>' in plain and "choose one" not in plain
    assert not Snapshot.objects.exists()


def test_nothing_to_freeze_is_said_on_the_page(browser: Client, campaign: Campaign):
    response: Any = browser.post(URL, {"campaign": campaign.pk, "labels": "automatic", **RULE})
    assert response.status_code == 400
    assert "no loaded estimates" in response.content.decode()


@pytest.mark.parametrize("at_once", [0, 2_000])
def test_an_empty_snapshot_is_refused_in_the_reader_s_language_also_by_a_worker(
    browser: Client, monkeypatch: pytest.MonkeyPatch, at_once: int
):
    monkeypatch.setattr(freezing, "TASKS_AT_ONCE", at_once)
    empty = make_task(make_campaign("Sums")).campaign
    told = {"accept-language": "ko"}
    response: Any = browser.post(URL, {"campaign": empty.pk, "labels": "human", **RULE}, headers=told)
    if not at_once:
        run_here(Job.objects.get())
        assert Job.objects.get().error.startswith("campaign Sums has nothing to freeze: people's labels are")
        response = browser.get(response.url, headers=told)
    page = response.content.decode()
    assert "사람의 라벨" in page and "아무도 판정하지 않은 풀이: 1" in page
    assert "nothing to freeze" not in page


def test_a_large_campaign_is_frozen_by_a_job(
    browser: Client, campaign: Campaign, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(freezing, "TASKS_AT_ONCE", 0)
    response: Any = browser.post(URL, {"campaign": campaign.pk, "labels": "human", **RULE})
    job = Job.objects.get()
    assert response.url == f"/jobs/{job.pk}/"
    run_here(job)
    job.refresh_from_db()
    assert job.state == JobState.DONE
    assert job.result and job.result["snapshot"] == Snapshot.objects.get().pk


def test_the_download_as_prm800k_reads_back_as_the_same_labels(
    browser: Client, campaign: Campaign, tmp_path: Path
):
    snapshot = freeze(campaign, "human")
    (record,) = lines(browser, f"{URL}{snapshot.pk}/prm800k.jsonl")
    assert record["labeler"] == "ann"
    assert record["question"]["pre_generated_steps"] == ["one", "two", "three"]
    path = tmp_path / "prm800k.jsonl"
    path.write_text(json.dumps(record))
    (labelled,) = formats.read(path, "prm800k")
    assert labelled.annotation is not None and labelled.annotation.first_mistake == 2
    assert [rating.rating for rating in labelled.annotation.ratings] == [1, 0, -1, 1]


def test_stepwise_rows_hold_the_trajectory_and_each_rated_alternative(browser: Client, campaign: Campaign):
    url = f"{URL}{freeze(campaign, 'human').pk}/stepwise.jsonl"
    whole = {
        "prompt": "What is 1 + 2?",
        "completions": ["one", "two", "three"],
        "labels": [True, True, False],
    }
    better = {**whole, "completions": ["one", "two", "three better"], "labels": [True, True, True]}
    assert lines(browser, url) == [whole, better]
    assert lines(browser, f"{url}?alternatives=skip") == [whole]
    assert lines(browser, f"{url}?neutral=negative&alternatives=skip")[0]["labels"] == [True, False, False]
    assert lines(browser, f"{url}?neutral=drop&alternatives=skip")[0] == {
        "prompt": "What is 1 + 2?",
        "completions": ["one", "two\nthree"],
        "labels": [True, False],
    }
    assert browser.get(f"{url}?neutral=maybe").status_code == 400


def test_soft_labels_stay_numbers(browser: Client, campaign: Campaign):
    task = make_task(campaign)
    campaign.estimate_run = make_estimates(task.solution, [0.75, 0.25])
    campaign.save()
    snapshot = freeze(campaign, "automatic", LabelRule(target="soft"))
    assert [row["labels"] for row in lines(browser, f"{URL}{snapshot.pk}/stepwise.jsonl")] == [[0.75, 0.25]]
    (record,) = lines(browser, f"{URL}{snapshot.pk}/prm800k.jsonl")
    assert record["labeler"] == "misstep:automatic"


def test_parts_and_manifest_are_what_lies_on_disk(browser: Client, campaign: Campaign):
    snapshot = freeze(campaign, "human")
    (row,) = lines(browser, f"{URL}{snapshot.pk}/parts/0/")
    assert row["human"]["ratings"] == [1, 0, -1]
    response = browser.get(f"{URL}{snapshot.pk}/manifest.json")
    assert json.loads(response.content)["sha256"] == snapshot.sha256
    assert browser.get(f"{URL}{snapshot.pk}/parts/1/").status_code == 404


def test_labels_of_excluded_people_are_in_no_download(browser: Client, campaign: Campaign):
    make_annotation(make_task(campaign), make_user(username="gone", labels_excluded=True))
    snapshot = freeze(campaign, "human")
    assert [row["labeler"] for row in lines(browser, f"{URL}{snapshot.pk}/annotations.jsonl")] == ["ann"]


def test_downloads_are_never_shown_by_a_browser(browser: Client, campaign: Campaign):
    make_estimates(campaign.tasks.get().solution, [1.0, 1.0, 1.0])
    snapshot = freeze(campaign, "mixed", name='A "quoted" <name>')
    for name in ("manifest.json", "parts/0/", "annotations.jsonl", "prm800k.jsonl", "stepwise.jsonl"):
        response = browser.get(f"{URL}{snapshot.pk}/{name}")
        assert response.headers["Content-Disposition"].startswith('attachment; filename="a-quoted-name-')
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in response.headers["Content-Security-Policy"]


def test_names_are_escaped(browser: Client, campaign: Campaign):
    snapshot = freeze(campaign, "human", name="<script>alert(1)</script>")
    for url in (URL, f"{URL}{snapshot.pk}/"):
        assert "<script>alert(1)" not in browser.get(url).content.decode()


def test_reviewers_look_admins_freeze_and_annotators_see_nothing(campaign: Campaign):
    snapshot = freeze(campaign, "human")
    urls = [
        URL,
        *(f"{URL}{snapshot.pk}/{name}" for name in ("", "manifest.json", "parts/0/", "prm800k.jsonl")),
    ]
    expected = {Role.ADMIN: 200, Role.REVIEWER: 200, Role.ANNOTATOR: 403}
    for role, status in expected.items():
        client = Client()
        client.force_login(make_user(role))
        assert {client.get(url).status_code for url in urls} == {status}
        freezing_status = client.post(URL, {"campaign": campaign.pk, "labels": "human", **RULE}).status_code
        assert freezing_status == (302 if role == Role.ADMIN else 403)
    assert {Client().get(url).status_code for url in urls} == {302}


def test_lists_take_a_fixed_number_of_queries(
    browser: Client, campaign: Campaign, django_assert_max_num_queries
):
    for _ in range(12):
        freeze(campaign, "human")
    with django_assert_max_num_queries(6):
        browser.get(URL)


@pytest.mark.parametrize("at_once", [0, 2_000])
def test_a_snapshot_that_nobody_named_is_named_in_the_language_of_whoever_freezes_it(
    browser: Client, campaign: Campaign, monkeypatch: pytest.MonkeyPatch, at_once: int
):
    monkeypatch.setattr(freezing, "TASKS_AT_ONCE", at_once)
    asked = {"campaign": campaign.pk, "labels": "human", "name": "", **RULE}
    browser.post(URL, asked, headers={"accept-language": "ko"})
    if not at_once:
        # The worker that freezes a large campaign knows nobody's language.
        run_here(Job.objects.get())
        assert Job.objects.get().title == "Sums 고정"
    assert Snapshot.objects.get().name.startswith("Sums · 사람의 라벨 · 20")


def test_the_name_of_a_long_campaign_is_cut_before_what_tells_its_snapshots_apart(
    browser: Client, campaign: Campaign
):
    Campaign.objects.update(name="n" * 120)
    browser.post(URL, {"campaign": campaign.pk, "labels": "human", "name": "", **RULE})
    name = Snapshot.objects.get().name
    assert len(name) == 110 and "n · people's labels · 20" in name


def test_a_refused_freeze_and_a_snapshots_rule_are_said_in_the_readers_language(
    browser: Client, campaign: Campaign
):
    asked = {"campaign": campaign.pk, "labels": "automatic", "name": "", **RULE}
    page = browser.post(URL, asked, headers={"accept-language": "ko"})
    assert "캠페인 Sums에 불러온 추정치가 없습니다" in page.content.decode()
    snapshot = freeze(campaign, "human", LabelRule(neutral="drop"))
    page = browser.get(f"{URL}{snapshot.pk}/", headers={"accept-language": "ko"})
    said = dict(page.context["rule"])
    assert said["중립 단계의 취급"] == "라벨 없음" and said["라벨"] == "사람의 라벨"
    english = browser.get(f"{URL}{snapshot.pk}/").context["rule"]
    assert not [name for name, value in english if "_" in name or "_" in str(value)]


def test_a_snapshot_leads_an_admin_to_training_with_it_and_a_reviewer_does_not_see_that(
    browser: Client, campaign: Campaign
):
    snapshot = freeze(campaign, "human")
    link = f"/training/start/?snapshot={snapshot.pk}"
    page = browser.get(f"{URL}{snapshot.pk}/").content.decode()
    assert f'href="{link}"' in page and "Save as PRM800K" in page
    assert browser.get(link).context["form"].initial["snapshot"] == snapshot
    browser.force_login(make_user(Role.REVIEWER))
    assert link not in browser.get(f"{URL}{snapshot.pk}/").content.decode()
