"""A time by which a whole answer must be there. urllib's own timeout is of each read: a byte a second keeps it off."""

from __future__ import annotations

import http.client
import socket
import threading
import urllib.request
from functools import partial
from typing import Any


class Deadline:
    """Shuts the connection of one request down after so many seconds, whatever dribbles in; as a context."""

    def __init__(self, seconds: float) -> None:
        self.has_passed = False
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()
        self._timer = threading.Timer(seconds, self._pass)
        self._timer.daemon = True

    def __enter__(self) -> Deadline:
        self._timer.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._timer.cancel()

    def watch(self, connected: socket.socket | None) -> None:
        """Shut this connection down when the time has come."""
        with self._lock:
            self._socket = connected
        if self.has_passed:
            self._pass()

    def handler(self) -> urllib.request.BaseHandler:
        """For an opener, whose connections are then watched."""
        return _Handler(self)

    def _pass(self) -> None:
        self.has_passed = True
        with self._lock:
            connected = self._socket
        if connected is not None:
            try:
                # Of a secure connection too, the plain socket: whoever reads from it is woken by its end.
                socket.socket.shutdown(connected, socket.SHUT_RDWR)
            except OSError:
                # It has ended by itself.
                return


class _Watched(http.client.HTTPConnection):
    def __init__(self, *arguments: Any, deadline: Deadline, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._deadline = deadline

    def connect(self) -> None:
        super().connect()
        self._deadline.watch(self.sock)


class _WatchedSecurely(_Watched, http.client.HTTPSConnection):
    """Watched once its socket is wrapped: `super().connect()` above is the secure one's."""


class _Handler(urllib.request.HTTPSHandler, urllib.request.HTTPHandler):
    """As urllib's own two, in whose place an opener takes it, with connections that are watched."""

    def __init__(self, deadline: Deadline) -> None:
        super().__init__()
        self._deadline = deadline

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(partial(_Watched, deadline=self._deadline), req)

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(partial(_WatchedSecurely, deadline=self._deadline), req)
