"""What the embedded servers have in common: a child process below `var` and a private folder for its socket."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from labelsite.embedded.folders import log_file, socket_folder
from labelsite.embedded.process import die_with_parent


class EmbeddedServer:
    """One server program that a subclass starts; `stop` may be called again and again.

    name: of its data folder and its log file. ways_to_stop: the signals to try in turn, the politest first.
    """

    name: str
    ways_to_stop: Sequence[signal.Signals]
    stop_seconds: float

    def __init__(self, var: Path) -> None:
        self.var = var
        self.data = var / self.name
        self.sockets = socket_folder(var)
        self.process: subprocess.Popen[bytes] | None = None

    def is_running(self) -> bool:
        """Whether the server that this object started is still alive."""
        return self.process is not None and self.process.poll() is None

    def stop(self, timeout: float | None = None) -> None:
        """Stop the server, more roughly after each `timeout` seconds that it needs longer."""
        if self.process is None:
            return
        for way in self.ways_to_stop:
            if self.process.poll() is not None:
                break
            self.process.send_signal(way)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout or self.stop_seconds)
        self.process = None

    def spawn(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        """Start `command` as our child, writing to the log; it never outlives us."""
        with open(log_file(self.var, self.name), "ab") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.environment(),
                start_new_session=True,
                preexec_fn=die_with_parent(self.ways_to_stop[0]),
            )
        return self.process

    def environment(self) -> dict[str, str]:
        """The server needs none of our variables, and secrets must not lie in another program's memory."""
        return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}

    def log_text(self) -> str:
        """The end of what the server wrote."""
        return log_file(self.var, self.name).read_text(errors="replace")[-4000:]
