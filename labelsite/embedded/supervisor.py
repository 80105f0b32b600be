"""How a process gets the embedded servers: it asks their keeper, starting one where none runs.

`ensure()` is called before Django opens a connection. A command beside a running demo uses the demo's
servers; without one it starts them, and the keeper stops them when the last user has ended.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labelsite.embedded.errors import EmbeddedError, one_line
from labelsite.embedded.folders import log_file, private_folder
from labelsite.embedded.keeper import control_socket
from labelsite.embedded.process import is_alive
from labelsite.environment import ROOT, var_folder

VARIABLES = {"postgres": "DATABASE_URL", "valkey": "BROKER_URL"}
RELEASE_SECONDS = 60.0


@dataclass
class Hold:
    """One use of the embedded servers; they stay up at least until `release` or the end of this process."""

    connection: socket.socket
    urls: dict[str, str]
    keeper: int

    def release(self) -> None:
        """Give the servers up; when nobody else uses them, return only after they have stopped."""
        try:
            self.connection.settimeout(RELEASE_SECONDS)
            others = _ask(self.connection, {"leave": []})["others"]
        except (OSError, EmbeddedError):
            others = 0
        self.connection.close()
        deadline = time.monotonic() + RELEASE_SECONDS
        while not others and is_alive(self.keeper) and time.monotonic() < deadline:
            time.sleep(0.02)

    def is_lost(self) -> bool:
        """Whether the keeper has gone (killed, perhaps), and its servers with it."""
        return not is_alive(self.keeper)


_holds: list[Hold] = []


def ensure() -> Hold | None:
    """Start or join the embedded servers for whatever has no address; put the addresses into the environment.

    Returns None when both DATABASE_URL and BROKER_URL are set: then nothing embedded is touched. Raises
    EmbeddedError, one line that says what to do, when a server cannot be started.
    """
    missing = [name for name, variable in VARIABLES.items() if not os.environ.get(variable)]
    if not missing:
        return None
    hold = hold_servers(var_folder(), missing)
    for name, url in hold.urls.items():
        os.environ[VARIABLES[name]] = url
    # Kept for the life of the process: the keeper counts this connection.
    _holds.append(hold)
    return hold


def hold_servers(var: Path, names: Iterable[str], durable: bool = True, timeout: float = 90.0) -> Hold:
    """Join the keeper of `var`, or start it, and wait until the named servers answer."""
    run = private_folder(var / "run")
    deadline = time.monotonic() + timeout
    with open(run / "start.lock", "wb") as lock:
        # One at a time: of two processes that both find no keeper, only the first may start one.
        fcntl.flock(lock, fcntl.LOCK_EX)
        connection = _connect(var)
        keeper = None if connection else _start_keeper(var, durable)
        while connection is None:
            if keeper is not None and keeper.poll() is not None:
                words = log_file(var, "keeper").read_text(errors="replace")
                raise EmbeddedError(f"the embedded servers do not start: {one_line(words)}")
            if time.monotonic() > deadline:
                raise EmbeddedError("the embedded servers do not answer; see keeper.log in the log folder")
            time.sleep(0.02)
            connection = _connect(var)
    connection.settimeout(max(1.0, deadline - time.monotonic()))
    try:
        answer = _ask(connection, {"need": list(names)})
    except OSError:
        # The keeper was about to stop when we knocked; its successor will answer.
        connection.close()
        if time.monotonic() > deadline:
            raise EmbeddedError(
                "the embedded servers do not answer; see keeper.log in the log folder"
            ) from None
        return hold_servers(var, names, durable, deadline - time.monotonic())
    connection.settimeout(None)
    return Hold(connection, dict(answer["urls"]), int(answer["keeper"]))


def _connect(var: Path) -> socket.socket | None:
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(str(control_socket(var)))
    except OSError:
        connection.close()
        return None
    return connection


def _start_keeper(var: Path, durable: bool) -> subprocess.Popen[bytes]:
    """Start the keeper in a session of its own, so that Ctrl-C reaches its users first."""
    kept = {
        name: value for name, value in os.environ.items() if name in ("PATH", "XDG_RUNTIME_DIR", "TMPDIR")
    }
    with open(log_file(var, "keeper"), "ab") as log:
        return subprocess.Popen(
            [
                sys.executable,
                "-m",
                "labelsite.embedded.keeper",
                str(var),
                *([] if durable else ["--forgetful"]),
            ],
            cwd=ROOT,
            env={**kept, "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _ask(connection: socket.socket, request: dict[str, list[str]]) -> dict[str, Any]:
    """Send one request, return the answer. Raises EmbeddedError for a refusal, OSError for a lost keeper."""
    connection.sendall(json.dumps(request).encode())
    received = b""
    while not received.endswith(b"\n"):
        part = connection.recv(65536)
        if not part:
            raise ConnectionResetError("the keeper has ended")
        received += part
    answer = json.loads(received)
    if "error" in answer:
        raise EmbeddedError(answer["error"])
    return answer
