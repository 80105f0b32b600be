"""The web server and the workers start no embedded servers, so without an address they do not start at all."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from labelsite.environment import require_address
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
