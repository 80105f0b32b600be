from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest
from django.db import connection

from labelsite.jobs.models import Job
from tests.data import ROOT

Start = Callable[..., "subprocess.Popen[str]"]


def fresh(job: Job) -> Job:
    return Job.objects.get(pk=job.pk)


@pytest.fixture
def environment(transactional_db: None) -> dict[str, str]:
    """What a worker process needs to use this test's database."""
    url = urlsplit(os.environ["DATABASE_URL"])
    return {
        **os.environ,
        "DATABASE_URL": url._replace(path=f"/{connection.settings_dict['NAME']}").geturl(),
        "KEEP_CONNECTIONS": "0",
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "BROKER_URL": "memory://",
    }


@pytest.fixture
def start(environment: dict[str, str]) -> Iterator[Start]:
    """Starts processes of the site on the test's database, and kills them after the test."""
    started: list[subprocess.Popen[str]] = []

    def start_process(*arguments: str, **variables: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            env={**environment, **variables},
            stdout=subprocess.DEVNULL,
            start_new_session=True,
            text=True,
        )
        started.append(process)
        return process

    yield start_process
    for process in started:
        process.kill()
        process.wait()
