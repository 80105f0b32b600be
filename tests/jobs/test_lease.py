"""A runner's claim outlives the loss of one renewal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from django.db import OperationalError

from labelsite.jobs import lease as module
from labelsite.jobs import services
from labelsite.jobs.lease import Lease, claim
from labelsite.jobs.models import JobState
from tests.jobs.conftest import fresh
from tests.jobs.work import make_job, run_and_load
from tests.waiting import wait_until


@pytest.mark.django_db(transaction=True)
def test_a_renewal_that_failed_is_tried_again_at_the_next_tick_and_not_a_heartbeat_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "TICK_SECONDS", 0.02)
    writes: list[object] = []
    write = Lease._write

    def fail_once(lease: Lease, progress: Mapping[str, Any] | None) -> tuple[Any, ...] | None:
        writes.append(progress)
        if len(writes) == 1:
            raise OperationalError("the server restarts")
        return write(lease, progress)

    monkeypatch.setattr(Lease, "_write", fail_once)
    job = claim(make_job("").pk)
    assert job
    with Lease(job) as lease:
        wait_until(lambda: fresh(job).heartbeat_at != job.heartbeat_at, 5, "the second try")
        lease.check()
    assert len(writes) == 2


@pytest.mark.django_db(transaction=True)
def test_a_database_that_was_away_for_longer_than_a_lease_costs_the_job_no_attempt(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    monkeypatch.setattr(module, "TICK_SECONDS", 0.02)
    settings.JOB_LEASE_SECONDS = 0.1
    job = make_job("import time; time.sleep(60)")
    hand_back, tries = services._hand_back, []

    def fail(*_: object) -> None:
        raise OperationalError("the server is away")

    def fail_once(*given: Any) -> bool:
        tries.append(given)
        if len(tries) == 1:
            fail()
        return hand_back(*given)

    monkeypatch.setattr(Lease, "_renew", fail)
    monkeypatch.setattr(services, "_hand_back", fail_once)
    run_and_load(job.pk)
    ended = fresh(job)
    assert (ended.state, ended.attempt, ended.failure.code) == (JobState.QUEUED, 1, "database")
    assert ended.maximum_attempts == services.ATTEMPTS + 1
