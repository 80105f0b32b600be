"""What is refused of the environment: addresses that are missing, and leases that could not be kept."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from labelsite.annotations.page import HEARTBEAT_SECONDS
from labelsite.environment import job_lease, require_address
from tests.data import ROOT

WEB = ["-c", "import labelsite.wsgi"]
WORKER = ["-m", "celery", "-A", "labelsite", "worker", "-P", "solo"]
SOME = {"DATABASE_URL": "postgresql:///nowhere?host=/nowhere", "BROKER_URL": "memory://"}


@pytest.mark.parametrize(
    ("process", "missing"), [(WEB, "DATABASE_URL"), (WORKER, "DATABASE_URL"), (WORKER, "BROKER_URL")]
)
def test_a_web_server_or_worker_without_an_address_ends_and_says_what_to_set(
    process: list[str], missing: str, tmp_path: Path
) -> None:
    given = {name: value for name, value in SOME.items() if name != missing}
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME")}
    ended = subprocess.run(
        [sys.executable, *process],
        cwd=ROOT,
        env={**kept, **given, "DJANGO_SETTINGS_MODULE": "labelsite.settings", "VAR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    last = ended.stderr.strip().splitlines()[-1]
    assert ended.returncode != 0 and f"{missing} is not set, expected the address of" in last
    assert "make demo" in last


def test_an_address_that_is_set_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROKER_URL", "memory://")
    require_address("BROKER_URL")


@pytest.mark.parametrize(("lease", "heartbeat"), [("60", "29"), ("30", "60"), ("2", "1"), ("2", "0")])
def test_a_heartbeat_that_could_not_keep_a_job_s_lease_is_refused(
    lease: str, heartbeat: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOB_LEASE_SECONDS", lease)
    monkeypatch.setenv("JOB_HEARTBEAT_SECONDS", heartbeat)
    shortest = 2 * int(heartbeat) + 3
    expected = f"JOB_LEASE_SECONDS is {lease}, expected at least {shortest}, twice JOB_HEARTBEAT_SECONDS"
    with pytest.raises(ImproperlyConfigured, match=expected):
        job_lease()


def test_a_lease_of_two_heartbeats_and_the_time_to_notice_a_lost_one_is_enough(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("JOB_LEASE_SECONDS", "60")
    monkeypatch.setenv("JOB_HEARTBEAT_SECONDS", "28")
    assert job_lease() == (60, 28)


def test_a_task_s_lease_outlives_one_lost_heartbeat_of_the_page(tmp_path: Path) -> None:
    shortest = 2 * HEARTBEAT_SECONDS
    for seconds in (shortest - 1, shortest):
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        done = subprocess.run(
            [sys.executable, "-c", "import labelsite.settings"],
            cwd=ROOT,
            env={**kept, "VAR": str(tmp_path), "LEASE_SECONDS": str(seconds)},
            capture_output=True,
            text=True,
            check=False,
        )
        refusal = f"LEASE_SECONDS is '{seconds}', expected a whole number of at least {shortest}"
        assert (done.returncode != 0) == (refusal in done.stderr) == (seconds < shortest), done.stderr
