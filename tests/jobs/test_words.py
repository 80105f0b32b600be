"""What a job's page tells: how far it is in proper words, what came of it in counts, and the way on."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone, translation

from labelsite.jobs.models import Job, JobState
from labelsite.jobs.wording import amount, figures
from tests.factories import make_campaign, make_estimate_run, make_job, make_user

IMPORT = {
    "format": "processbench", "dry_run": False, "campaign": "gsm8k", "new_tasks": 12, "solutions": 12,
    "broken_rules": 0, "new_solutions": 12, "new_annotations": 11,
}  # fmt: skip


@pytest.mark.parametrize(
    ("progress", "english", "korean"),
    [
        ({"done": 1, "total": None, "unit": "solutions"}, "1 solution", "풀이 1개"),
        ({"done": 240, "total": 240, "unit": "solutions"}, "240 / 240 solutions", "풀이 240 / 240개"),
        ({"done": 1, "total": 2, "unit": "problems"}, "1 / 2 problems", "문제 1 / 2개"),
        ({"done": 1234, "total": 56789, "unit": "steps"}, "1,234 / 56,789 steps", "단계 1,234 / 56,789개"),
        ({"done": 0, "total": 0, "unit": "lines"}, "0 lines", "0줄"),
        ({"done": 3, "total": None, "unit": "spoons"}, "3 spoons", "3 spoons"),
        ({"message": "waits"}, "", ""),
    ],
)
def test_progress_is_counted_in_words(progress: dict[str, Any], english: str, korean: str) -> None:
    assert amount(progress) == english
    with translation.override("ko"):
        assert amount(progress) == korean


def test_a_result_is_told_in_counts_without_paths_lists_flags_and_ids() -> None:
    result = {
        **IMPORT, "scores": "/srv/out/scores.jsonl", "before": [1, 2, 3], "campaign_id": 7,
        "verdicts": {"ok": 4, "program_error": 0},
    }  # fmt: skip
    assert figures(result) == [
        ("Solutions", 12),
        ("New solutions", 12),
        ("New tasks", 12),
        ("New annotations", 11),
        ("Steps whose code ran", 4),
    ]
    assert ("Annotations that break a label rule", 2) in figures({**result, "broken_rules": 2})


def page_of(client: Client, job: Job) -> str:
    client.force_login(make_user("admin"))
    return client.get(reverse("jobs:detail", args=[job.pk])).content.decode()


def done(**fields: Any) -> Job:
    job = make_job(**fields)
    Job.objects.filter(pk=job.pk).update(
        state=JobState.DONE,
        result=fields.get("result"),
        started_at=timezone.now() - timedelta(seconds=12),
        finished_at=timezone.now(),
    )
    return Job.objects.get(pk=job.pk)


@pytest.mark.django_db
def test_a_finished_import_leads_to_its_campaign_and_says_how_long_it_took(client: Client) -> None:
    campaign = make_campaign("gsm8k")
    page = page_of(client, done(verb="import", result={**IMPORT, "campaign_id": campaign.pk}))
    assert f'href="{reverse("campaigns:detail", args=[campaign.pk])}">Open the campaign</a>' in page
    assert "New tasks" in page and "(12 s)" in page
    for internal in ("dry_run", "broken_rules", "new_tasks", "False", "minutes"):
        assert internal not in page


@pytest.mark.django_db
def test_a_finished_search_leads_to_its_run(client: Client) -> None:
    job = done(verb="autolabel", result={"out": "/srv/out", "counts": {"items": 5, "steps": 30}})
    run = make_estimate_run()
    run.shards.create(number=0, size=5, job=job)
    page = page_of(client, job)
    assert f'href="{reverse("autolabels:run", args=[run.pk])}">Open the run</a>' in page
    assert "/srv/out" not in page and "&#x27;items&#x27;" not in page


@pytest.mark.django_db
def test_a_result_that_no_page_has_words_for_is_not_shown(client: Client) -> None:
    page = page_of(client, done(verb="test", result={"a": 7, "files": ["x"]}))
    assert "Result" not in page and json.dumps(["x"]) not in page
