"""The whole product as `make demo` starts it, for tests that walk through it as people and scripts do."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.data import ROOT
from tests.ports import free_port

START_SECONDS = 120
JOB_SECONDS = 180
# What the surrounding test run set for itself, which a fresh start must not see.
OTHERS = ("DATABASE_URL", "BROKER_URL", "VAR", "DJANGO_SETTINGS_MODULE", "SECRET_KEY", "PORT")


@dataclass(frozen=True)
class Site:
    """A running site: where it answers, where it writes, and the passwords of its three people."""

    address: str
    var: Path
    passwords: dict[str, str]


@contextmanager
def running_site(var: Path) -> Iterator[Site]:
    """Start PostgreSQL, Valkey, gunicorn, both workers and the poller; stop them all as Ctrl-C does."""
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if name not in OTHERS}
    environment |= {"VAR": str(var), "PORT": str(port)}
    var.mkdir(parents=True, exist_ok=True)
    with open(var / "start.log", "w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "labelsite.embedded.demo", "--empty"],
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_until_it_answers(process, var / "start.log")
        passwords = json.loads((var / "passwords.json").read_text())
        yield Site(f"http://127.0.0.1:{port}", var, passwords)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def _wait_until_it_answers(process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while "Misstep is at" not in log.read_text():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.2)


def pocket_samples(folder: Path) -> Path:
    """A file of pocket solutions, sampled with the shipped policy by the command that scripts use."""
    path = folder / "pocket.jsonl"
    command = [sys.executable, "-m", "ml", "sample", "--problems", "pocket:12", "--policy", "pocket"]
    command += ["--style", "prose", "--n", "3", "--seed", "3", "--out", str(path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return path
