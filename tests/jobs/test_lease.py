"""A runner's claim outlives the loss of one renewal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from django.db import OperationalError

from labelsite.jobs import lease as module
from labelsite.jobs.lease import Lease, claim
from tests.jobs.conftest import fresh
from tests.jobs.work import make_job
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
