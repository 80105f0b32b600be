"""The database server is killed under a running job, and comes back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psycopg

from labelsite.embedded.supervisor import hold_servers
from tests.data import ROOT
from tests.embedded.conftest import var
from tests.waiting import wait_until

__all__ = ["var"]

CODE = "import pathlib, sys, time; pathlib.Path(sys.argv[1], 'begun').write_text('yes'); time.sleep(4)"


def test_a_job_outlives_the_death_of_the_database_server_and_is_loaded_once(var: Path):
    hold = hold_servers(var, ["postgres"])
    environment = {
        **os.environ,
        "VAR": str(var),
        "DATABASE_URL": hold.urls["postgres"],
        "BROKER_URL": "memory://",
        "KEEP_CONNECTIONS": "0",
        "DJANGO_SETTINGS_MODULE": "labelsite.settings",
    }

    def manage(*arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )

    def answer(question: str) -> object:
        with psycopg.connect(hold.urls["postgres"]) as connection:
            row = connection.execute(question).fetchone()
            return row and row[0]

    assert manage("migrate", "-v0").communicate() is not None
    make = f"from tests.jobs.work import make_job; print(make_job({CODE!r}).pk)"
    job = int(manage("shell", "--no-imports", "-c", make).communicate()[0])
    worker = manage("run_job", str(job))
    wait_until(lambda: list(var.glob(f"jobs/{job}-*/out/begun")), what="the child's start")
    postmaster = int((var / "postgres" / "postmaster.pid").read_text().split()[0])
    os.kill(postmaster, signal.SIGKILL)
    said, _ = worker.communicate(timeout=90)
    assert answer(f"SELECT state FROM jobs_job WHERE id = {job}") == "done", said
    assert answer(f"SELECT attempt FROM jobs_job WHERE id = {job}") == 1
    assert answer("SELECT count(*) FROM jobs_worker WHERE name LIKE 'row of%'") == 1
    hold.release()
