"""`make demo` without its campaigns: the real launcher, web server, workers and poller."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from tests.data import ROOT
from tests.embedded.conftest import processes_of
from tests.ports import free_port
from tests.waiting import wait_until

StartDemo = Callable[..., "subprocess.Popen[str]"]


def environment(var: Path) -> dict[str, str]:
    """Ours, without what the tests set for themselves."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ("DATABASE_URL", "BROKER_URL", "SECRET_KEY") and not name.startswith("MISSTEP_TEST")
    }
    own = {"VAR": str(var), "DJANGO_SETTINGS_MODULE": "labelsite.settings", "PYTHONUNBUFFERED": "1"}
    return {**kept, **own}


def parent(line: str) -> int:
    status = Path(f"/proc/{line.split()[0]}/stat").read_text()
    return int(status.rpartition(")")[2].split()[1])


def answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/login/", timeout=5) as page:
            return bool(page.status == 200)
    except OSError:
        return False


@pytest.fixture
def start_demo() -> Iterator[StartDemo]:
    started: list[subprocess.Popen[str]] = []

    def start(var: Path, port: int) -> subprocess.Popen[str]:
        demo = subprocess.Popen(
            [sys.executable, "-m", "labelsite.embedded.demo", "--empty"],
            cwd=ROOT,
            env={**environment(var), "PORT": str(port)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        started.append(demo)
        return demo

    yield start
    for demo in started:
        demo.kill()
        demo.communicate()


def read_until(demo: subprocess.Popen[str], words: str) -> str:
    """What the demo says up to a line with `words`; fails when it ends before that."""
    assert demo.stdout is not None
    said = ""
    for line in demo.stdout:
        said += line
        if words in line:
            return said
    raise AssertionError(f"the demo ended before it said {words!r}:\n{said}")


def test_it_starts_answers_stops_and_starts_again_with_the_same_passwords(var, start_demo):
    port = free_port()
    demo = start_demo(var, port)
    first = read_until(demo, "Ctrl-C stops")
    assert answers(port)
    with psycopg.connect(f"postgresql://postgres@/misstep?host={var}/run") as connection:
        wait_until(
            lambda: connection.execute("SELECT count(*) FROM jobs_worker").fetchone() == (3,),
            40,
            "the first word of two workers and the poller",
        )
        connection.rollback()
    demo.send_signal(signal.SIGINT)
    assert demo.wait(60) == 0
    assert processes_of(var) == []
    kept = var / "passwords.json"
    assert stat.S_IMODE(kept.stat().st_mode) == stat.S_IMODE((var / "secret_key").stat().st_mode) == 0o600
    for name, password in json.loads(kept.read_text()).items():
        assert re.search(f"{name} +password {re.escape(password)}\n", first)

    started = time.monotonic()
    demo = start_demo(var, port)
    second = read_until(demo, "Ctrl-C stops")
    # Ten seconds on an idle machine; the rest is for one that runs other tests beside this one.
    assert time.monotonic() - started < 30
    assert second.partition("Misstep is at")[2] == first.partition("Misstep is at")[2]

    # A command beside it uses its servers, and leaves them running.
    command = [sys.executable, "manage.py", "showmigrations", "jobs"]
    beside = subprocess.run(
        command, cwd=ROOT, env=environment(var), capture_output=True, text=True, check=False
    )
    assert "[X] 0001_initial" in beside.stdout

    # A program that dies is started again.
    (web,) = [line for line in processes_of(var) if "gunicorn" in line and parent(line) == demo.pid]
    os.kill(int(web.split()[0]), signal.SIGKILL)
    wait_until(lambda: "gunicorn" in " ".join(processes_of(var)) and answers(port), 40, "the new web server")

    # Killed without a chance to tidy up, it still leaves nothing behind.
    demo.kill()
    wait_until(lambda: processes_of(var) == [], 40, "the end of everything")


def test_a_taken_port_and_a_taken_folder_are_one_clear_line_each(var, start_demo):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        demo = start_demo(var, port)
        said, _ = demo.communicate(timeout=60)
    assert demo.returncode == 1
    assert f"make demo: port {port} is not free (Address already in use); choose another with PORT=" in said
    assert "Traceback" not in said and processes_of(var) == []

    demo = start_demo(var, free_port())
    read_until(demo, "[2/6]")
    second = start_demo(var, free_port())
    said, _ = second.communicate(timeout=60)
    assert second.returncode == 1
    assert f"make demo: a demo already runs on {var}; stop it" in said
    # The first is stopped in the middle of its start.
    demo.send_signal(signal.SIGTERM)
    demo.communicate(timeout=60)
    assert processes_of(var) == []


def test_a_port_that_is_no_number_is_named():
    done = subprocess.run(
        [sys.executable, "-m", "labelsite.embedded.demo"],
        cwd=ROOT,
        env={**os.environ, "PORT": "http"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == "make demo: PORT is 'http', expected a number from 1 to 65535\n"
