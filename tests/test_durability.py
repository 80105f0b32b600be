"""Nothing starts on a database that may forget what it acknowledged; the tests' own server is such a one."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from django.db import connection
from django.test import override_settings

from labelsite.durability import durability, require_durability
from tests.data import ROOT
from tests.ports import free_port

STARTS = {
    "web": ["-m", "gunicorn", "--config", "python:labelsite.web", "labelsite.wsgi", "--workers", "1"],
    "worker": ["-m", "celery", "-A", "labelsite", "worker", "-P", "solo"],
    "poller": ["manage.py", "poll_jobs"],
    "job": ["manage.py", "run_job", "1"],
    "import": ["manage.py", "import_solutions", "file", "--format", "processbench", "--campaign", "C"],
    "execution": ["manage.py", "execute_steps", "--campaign", "C"],
    "demo": ["manage.py", "build_demo"],
}


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MISSTEP_TEST")}
    # Both addresses are set, so nothing embedded starts.
    return kept | {"DJANGO_SETTINGS_MODULE": "labelsite.settings", "BROKER_URL": "memory://", **more}


@pytest.mark.django_db
@pytest.mark.parametrize("server", STARTS)
def test_nothing_that_stores_labels_or_runs_jobs_starts_on_a_forgetful_database(
    server: str, tmp_path
) -> None:
    words = [*STARTS[server], *(["--bind", f"127.0.0.1:{free_port()}"] if server == "web" else [])]
    ended = subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env=environment(REQUIRE_DURABILITY="1", VAR=str(tmp_path)),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    said = ended.stderr + ended.stdout
    assert ended.returncode != 0
    assert "fsync, synchronous_commit, full_page_writes off, expected on" in said
    assert "REQUIRE_DURABILITY=0" in said


@pytest.mark.django_db(transaction=True)
def test_the_switch_lets_a_forgetful_database_pass() -> None:
    assert durability() == {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
    with override_settings(REQUIRE_DURABILITY=False):
        require_durability()


@pytest.mark.django_db(transaction=True)
def test_a_database_that_does_not_answer_stops_no_start(caplog, monkeypatch, settings) -> None:
    settings.REQUIRE_DURABILITY = True
    connection.close()
    monkeypatch.setitem(connection.settings_dict, "HOST", "/nowhere")
    require_durability()
    assert "does not answer" in caplog.text
