"""Connections to one server, kept open between requests: one more costs time, and over TLS far more than a request."""

from __future__ import annotations

import http.client
import resource
import select
import ssl
import threading
import time
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from functools import partial

from ml.policies.address import Proxy
from ml.policies.deadline import TimedResponse
from ml.policies.openai_faults import SHOWN

# What a process has open beside its connections: pipes to the sandbox, files.
OTHER_FILES = 512
# A server may close what nobody uses, and just as it is used again; then nothing of the request was done.
_CLOSED_MEANWHILE = (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError)
HIGHEST_GOOD = 299


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as it came; of a refusal only as much as is shown."""

    status: int
    headers: Message
    body: bytes


class Connections:
    """As many connections as there are requests under way at once; a request takes one that is idle.

    timeout: seconds until the whole answer to a request must be there.
    """

    def __init__(self, address: str, proxy: Proxy | None, timeout: float) -> None:
        self._parts = urllib.parse.urlsplit(address)
        self._proxy, self._timeout = proxy, timeout
        # With when each was used last, the oldest first.
        self._idle: list[tuple[http.client.HTTPConnection, float]] = []
        self._lock = threading.Lock()
        is_secure = self._parts.scheme == "https" or (proxy is not None and proxy.is_secure)
        # Once for all connections: it reads every certificate of the machine.
        self._trust = _trust() if is_secure else None

    def ask(self, path: str, body: bytes | None, headers: Mapping[str, str]) -> Reply:
        """The answer to a POST of `body`, or to a GET without one. Raises TimeoutError where it is not there in time,
        and whatever breaks on the way.
        """
        deadline = time.monotonic() + self._timeout
        try:
            if (kept := self._idle_one()) is not None:
                try:
                    return self._exchange(kept, path, body, headers, deadline)
                except _CLOSED_MEANWHILE:
                    pass
            return self._exchange(self._new(deadline), path, body, headers, deadline)
        except TimeoutError as error:
            raise TimeoutError(f"no whole answer within {self._timeout:g} s") from error

    def _exchange(
        self,
        connection: http.client.HTTPConnection,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str],
        deadline: float,
    ) -> Reply:
        target = f"{self._parts.path}/{path}"
        if self._is_relayed:
            assert self._proxy is not None
            target = f"{self._parts.scheme}://{self._parts.netloc}{target}"
            headers = {**headers, **self._proxy.headers}
        connection.response_class = partial(TimedResponse, deadline=deadline)  # type: ignore[assignment]
        is_kept = False
        try:
            if connection.sock is not None:
                connection.sock.settimeout(max(0.001, deadline - time.monotonic()))
            connection.request("GET" if body is None else "POST", target, body, dict(headers))
            response = connection.getresponse()
            is_good = response.status <= HIGHEST_GOOD
            read = response.read() if is_good else _read_refusal(response)
            # What was not read to its end would be taken for the start of the next answer.
            is_kept = response.isclosed() and not response.will_close
            return Reply(response.status, response.headers, read)
        finally:
            if is_kept:
                with self._lock:
                    self._idle.append((connection, time.monotonic()))
            else:
                connection.close()

    def close_idle(self, seconds: float) -> None:
        """Close those that nobody has used for so long: they are open files, on the server too."""
        last = time.monotonic() - seconds
        with self._lock:
            count = sum(used <= last for _, used in self._idle)
            old, self._idle = self._idle[:count], self._idle[count:]
        for connection, _ in old:
            connection.close()

    def _idle_one(self) -> http.client.HTTPConnection | None:
        """The one used last, which is the least likely to have been closed; those that were are thrown away."""
        while True:
            with self._lock:
                if not self._idle:
                    return None
                connection, _ = self._idle.pop()
            if not _is_closed(connection):
                return connection
            connection.close()

    def _new(self, deadline: float) -> http.client.HTTPConnection:
        host, port = self._parts.hostname or "", self._parts.port
        if self._proxy is not None:
            host, port = self._proxy.host, self._proxy.port
        left = max(0.001, deadline - time.monotonic())
        connection: http.client.HTTPConnection
        if self._trust is not None:
            connection = http.client.HTTPSConnection(host, port, timeout=left, context=self._trust)
        else:
            connection = http.client.HTTPConnection(host, port, timeout=left)
        if self._proxy is not None and not self._is_relayed:
            connection.set_tunnel(self._parts.hostname or "", self._parts.port, self._proxy.headers)
        return connection

    @property
    def _is_relayed(self) -> bool:
        """Whether a proxy reads the requests; one to a secure server only passes its bytes on."""
        return self._proxy is not None and self._parts.scheme == "http"


def allow_open(connections: int) -> None:
    """Raise this process's own limit of open files, as far as the machine lets it, so that so many fit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + OTHER_FILES
    wanted = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _trust() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


def _is_closed(connection: http.client.HTTPConnection) -> bool:
    """Whether there is something to read where nothing was asked for: the other side's end."""
    if connection.sock is None:
        return True
    # Not select.select, which knows no more than 1,024 files.
    watch = select.poll()
    watch.register(connection.sock, select.POLLIN)
    return bool(watch.poll(0))


def _read_refusal(response: http.client.HTTPResponse) -> bytes:
    """What stands in a refusal; the connection may break there too, and the status says enough by then."""
    try:
        return response.read(8 * SHOWN)
    except (OSError, ValueError, http.client.HTTPException) as broken:
        return f"({type(broken).__name__})".encode()
