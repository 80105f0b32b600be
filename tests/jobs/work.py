"""Celery tasks that the tests of jobs enqueue: real ones, that real worker processes run."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from celery import shared_task
from django.utils import timezone

from labelsite.jobs import services
from labelsite.jobs.lease import Lease
from labelsite.jobs.models import Job, Worker

TASK = "tests.jobs.work.run_and_load"
DJANGO_TASK = "tests.jobs.work.run_slowly_in_django"


def python(code: str) -> dict[str, Any]:
    """The spec of a child process that runs `code` instead of a verb."""
    return {"command": [sys.executable, "-c", code, "{out}"]}


def make_job(code: str = "", task_name: str = TASK, **fields: Any) -> Job:
    fields.setdefault("kind", "django" if task_name == DJANGO_TASK else "ml")
    return services.enqueue(verb="test", spec=python(code), task_name=task_name, title="a test", **fields)


def load(job: Job, folder: Path, guard: Callable[[], None]) -> dict[str, Any]:
    """Adds one row each time it runs; a slow load waits until the test has seen it."""
    Worker.objects.create(name=f"row of attempt {job.attempt}", queues="", seen_at=timezone.now())
    return {"loaded_by": job.attempt, "files": sorted(path.name for path in folder.iterdir())}


def rows_loaded() -> list[str]:
    return list(Worker.objects.filter(name__startswith="row of").values_list("name", flat=True))


@shared_task
def run_and_load(job_id: int) -> None:
    services.perform(job_id, TASK, load=load)


@shared_task
def run_slowly_in_django(job_id: int) -> None:
    services.perform(job_id, DJANGO_TASK, work=_slow_work)


def _slow_work(job: Job, lease: Lease) -> dict[str, Any]:
    Worker.objects.create(name=f"row of attempt {job.attempt}", queues="", seen_at=timezone.now())
    for step in range(100):
        lease.report(step, 100, "steps")
        time.sleep(0.1)
    return {"steps": 100}
