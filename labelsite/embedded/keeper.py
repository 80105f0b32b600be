"""The process that owns the embedded servers: `python -m labelsite.embedded.keeper VAR`.

Every user of the servers holds one connection to the keeper's socket. The kernel closes it however the user
ends, so counting connections cannot go wrong, not even by kill -9. When the last one is gone the keeper stops
the servers and ends. A server that dies while it is needed is started again.
"""

from __future__ import annotations

import fcntl
import json
import os
import selectors
import signal
import socket
import sys
import time
from pathlib import Path

from labelsite.embedded.errors import EmbeddedError
from labelsite.embedded.folders import private_folder, socket_folder
from labelsite.embedded.postgres import EmbeddedPostgres
from labelsite.embedded.valkey import EmbeddedValkey

# How long a keeper that nobody has called yet waits before it gives up.
FIRST_CALL_SECONDS = 20.0
HEALTH_CHECK_SECONDS = 0.5


def control_socket(var: Path) -> Path:
    """The address at which the keeper of `var` answers."""
    return socket_folder(var) / "keeper.sock"


class Keeper:
    """Starts the servers that its users ask for, and stops them after the last user."""

    def __init__(self, var: Path, durable: bool = True) -> None:
        self.var = var
        self.servers: dict[str, EmbeddedPostgres | EmbeddedValkey] = {
            "postgres": EmbeddedPostgres(var, durable),
            "valkey": EmbeddedValkey(var),
        }
        self.wanted: set[str] = set()
        self.users = 0
        self.stopping = False
        self.selector = selectors.DefaultSelector()

    def run(self) -> None:
        """Serve until the last user has gone or a signal asks to stop."""
        lock = open(private_folder(self.var / "run") / "keeper.lock", "wb")  # noqa: SIM115
        # Wait until an earlier keeper of this folder, which may still be stopping its servers, has ended.
        fcntl.flock(lock, fcntl.LOCK_EX)
        address = control_socket(self.var)
        address.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(address))
        listener.listen(128)
        self.selector.register(listener, selectors.EVENT_READ)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._ask_to_stop)
        try:
            self._serve(listener)
        finally:
            # Newcomers must find a closed door, not a server that is about to stop.
            address.unlink(missing_ok=True)
            listener.close()
            for server in self.servers.values():
                server.stop()
            lock.close()

    def _ask_to_stop(self, number: int, frame: object) -> None:
        self.stopping = True

    def _serve(self, listener: socket.socket) -> None:
        give_up_at = time.monotonic() + FIRST_CALL_SECONDS
        had_users = False
        while not self.stopping:
            for key, _ in self.selector.select(HEALTH_CHECK_SECONDS):
                if key.fileobj is listener:
                    self._greet(listener)
                else:
                    self._hear(key.fileobj)  # type: ignore[arg-type]
            had_users = had_users or self.users > 0
            if self.users == 0 and (had_users or time.monotonic() > give_up_at):
                return
            self._revive()

    def _greet(self, listener: socket.socket) -> None:
        user, _ = listener.accept()
        user.settimeout(5)
        self.selector.register(user, selectors.EVENT_READ)
        self.users += 1

    def _hear(self, user: socket.socket) -> None:
        """Answer one request, or note that a user has left."""
        try:
            request = user.recv(4096)
            if request:
                user.sendall(json.dumps(self._answer(json.loads(request))).encode() + b"\n")
                return
        except (OSError, ValueError):
            pass
        self.selector.unregister(user)
        user.close()
        self.users -= 1

    def _answer(self, request: dict[str, list[str]]) -> dict[str, object]:
        """Start what is asked for: {"need": [names]} gives {"urls": {name: url}} or {"error": text}."""
        if "leave" in request:
            return {"others": self.users - 1}
        try:
            for name in request["need"]:
                self.servers[name].start()
                self.wanted.add(name)
        except EmbeddedError as refusal:
            return {"error": str(refusal)}
        return {"urls": {name: self.servers[name].url for name in request["need"]}, "keeper": os.getpid()}

    def _revive(self) -> None:
        for name in self.wanted:
            if not self.servers[name].is_running():
                print(f"{name} ended by itself; starting it again", file=sys.stderr, flush=True)
                try:
                    self.servers[name].start()
                except EmbeddedError as refusal:
                    print(f"{name}: {refusal}", file=sys.stderr, flush=True)


def main(arguments: list[str]) -> int:
    """`VAR [--forgetful]`; the second form is for tests, whose data nobody will miss."""
    Keeper(Path(arguments[0]), durable="--forgetful" not in arguments[1:]).run()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
