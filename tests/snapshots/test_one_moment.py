"""A campaign that a job freezes while people go on: all files are of one moment, and the job keeps its lease."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.db.models import F

from labelsite.annotations.models import Annotation
from labelsite.campaigns.models import Campaign
from labelsite.jobs.models import Job, JobState
from labelsite.snapshots import evidence
from labelsite.snapshots.freezing import start_freeze
from labelsite.snapshots.models import Snapshot
from labelsite.snapshots.services import ANNOTATIONS_FILE, folder_of
from labelsite.snapshots.tasks import run_freeze
from ml.snapshot import read_snapshot
from ml.targets import LabelRule
from tests.factories import make_annotation, make_campaign, make_task, make_user
from tests.jobs.conftest import fresh
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def campaign() -> Campaign:
    """Three tasks, of which the last has no label yet."""
    campaign = make_campaign("Arithmetic")
    person = make_user(username="ann")
    for task in [make_task(campaign) for _ in range(3)][:2]:
        make_annotation(task, person, [1, -1])
    return campaign


@pytest.fixture
def between_chunks(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Does something on another connection once the first of several chunks is read."""

    def arrange(act: Callable[[], object]) -> None:
        read_chunk, acts = evidence._read_chunk, [act]

        def elsewhere() -> None:
            try:
                acts.pop()()
            finally:
                connection.close()

        def read_and_act(*arguments) -> Iterator[evidence.Evidence]:
            yield from read_chunk(*arguments)
            if acts:
                with ThreadPoolExecutor(1) as pool:
                    pool.submit(elsewhere).result()

        monkeypatch.setattr(evidence, "CHUNK", 1)
        monkeypatch.setattr(evidence, "_read_chunk", read_and_act)

    return arrange


def frozen_by_a_job(campaign: Campaign) -> Job:
    job = start_freeze(campaign, "human", LabelRule(), "N", None)
    run_freeze(job.pk)
    return fresh(job)


def test_a_rating_that_is_committed_between_two_chunks_is_in_none_of_the_files(campaign, between_chunks):
    last, late = campaign.tasks.order_by("pk").last(), make_user(username="late")
    between_chunks(lambda: make_annotation(last, late, [-1]))
    job = frozen_by_a_job(campaign)
    assert job.state == JobState.DONE, job.error
    assert Annotation.objects.filter(annotator=late).exists()
    snapshot = Snapshot.objects.get()
    folder = folder_of(snapshot)
    annotations = [json.loads(line) for line in (folder / ANNOTATIONS_FILE).read_text().splitlines()]
    assert len(list(read_snapshot(folder))) == len(annotations) == 2
    assert snapshot.manifest["counts"]["rows"] == 2
    assert job.result == {"snapshot": snapshot.pk, "name": "N", "sha256": snapshot.sha256}


def test_the_jobs_lease_is_renewed_while_the_one_moment_lasts(campaign, between_chunks, settings):
    settings.JOB_HEARTBEAT_SECONDS = 0

    def see_two_renewals() -> None:
        for _renewal in range(2):
            seen = Job.objects.get().heartbeat_at
            wait_until(lambda seen=seen: Job.objects.get().heartbeat_at != seen, what="a renewal")

    between_chunks(see_two_renewals)
    assert frozen_by_a_job(campaign).state == JobState.DONE


def test_a_job_that_was_given_away_meanwhile_leaves_no_row(campaign, between_chunks):
    between_chunks(lambda: Job.objects.update(attempt=F("attempt") + 1))
    frozen_by_a_job(campaign)
    assert not Snapshot.objects.exists()
