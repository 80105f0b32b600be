"""The web server's configuration, on real processes."""

from __future__ import annotations

import http.client
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.core.exceptions import ImproperlyConfigured

from labelsite import web
from tests.data import ROOT

APPLICATION = """
import os
def application(environ, start_response):
    start_response("200 OK", [("Content-Length", str(len(str(os.getpid()))))])
    return [str(os.getpid()).encode()]
"""


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """Two workers of the site's kind, each of which answers with its process id."""
    (tmp_path / "who.py").write_text(APPLICATION)
    with socket.socket() as listener:
        # The processes inherit a socket that listens already, so nobody has to wait for them.
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        command = [
            sys.executable,
            "-m",
            "gunicorn",
            "--config",
            "python:labelsite.web",
            "--workers",
            "2",
            "who",
        ]
        server = subprocess.Popen(
            [
                *command,
                "--chdir",
                str(tmp_path),
                "--bind",
                f"fd://{listener.fileno()}",
                "--log-level",
                "error",
            ],
            pass_fds=[listener.fileno()],
            env={"PYTHONPATH": str(ROOT), "PATH": ""},
        )
        yield listener.getsockname()[1]
        server.terminate()
        server.wait()


def ask(connection: http.client.HTTPConnection) -> str:
    connection.request("GET", "/")
    return connection.getresponse().read().decode()


def meet_both_workers(connect: Callable[[], http.client.HTTPConnection]) -> None:
    """Returns once the second worker has started, too; nothing stays open."""
    met: set[str] = set()
    while len(met) < 2:
        connection = connect()
        met.add(ask(connection))
        connection.close()


def test_connections_that_stay_open_are_shared_between_the_workers(port: int) -> None:
    def connect() -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    meet_both_workers(connect)
    crowd = [connect() for _ in range(24)]
    workers = Counter(ask(connection) for connection in crowd)
    assert len(workers) == 2 and min(workers.values()) >= 6
    for connection in crowd:
        connection.close()


def test_there_is_a_worker_for_each_core_that_the_process_may_use_and_no_crowd(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("WEB_CONCURRENCY", raising=False)
    # What jobs may use says nothing of the site.
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    for cores, workers in ((1, 1), (4, 4), (192, 16)):
        monkeypatch.setattr("os.sched_getaffinity", lambda _, cores=cores: set(range(cores)))
        assert web.worker_processes() == workers


def test_whoever_runs_the_site_decides_on_the_number_of_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEB_CONCURRENCY", "40")
    assert web.worker_processes() == 40
    monkeypatch.setenv("WEB_CONCURRENCY", "0")
    with pytest.raises(ImproperlyConfigured, match="WEB_CONCURRENCY is '0', expected a whole number of at"):
        web.worker_processes()


def test_more_workers_than_there_are_seats_start_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "loads", memoryview(bytearray(4 * (web.SEATS + 1))).cast("I"))
    workers = [SimpleNamespace() for _ in range(web.SEATS + 2)]
    for worker in workers:
        web.pre_fork(None, worker)  # type: ignore[arg-type]
    assert [worker.seat for worker in workers] == [*range(web.SEATS), web.SEATS, web.SEATS]
    web.child_exit(None, workers[3])  # type: ignore[arg-type]
    web.pre_fork(None, workers[-1])  # type: ignore[arg-type]
    assert workers[-1].seat == 3
