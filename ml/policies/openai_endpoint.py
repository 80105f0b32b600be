"""One server of a policy, asked once: what came of it, and whether it is worth asking again."""

from __future__ import annotations

import datetime
import email.utils
import http.client
import json
import math
import os
import socket
import ssl
import time
import urllib.parse
from collections.abc import Callable
from typing import Any, TypeVar

from ml.errors import MisstepError, ServerAway
from ml.policies.address import proxy_of
from ml.policies.openai_connections import HIGHEST_GOOD, Connections, Reply
from ml.policies.openai_faults import SHOWN, Late, NoAnswer, OddAnswer, OddlyAnswered, Refused
from ml.policies.silence import Silence
from ml.said import Said

_WORTH_RETRYING = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
# With these a server may say how long it wants to be left alone. They speak of its load, never of one request.
_ASKS_TO_WAIT = frozenset({429, 503})
# A server that failed is left alone so long where there are others, twice as long after each further failure.
REST_SECONDS = 1.0
LONGEST_REST = 30.0
# By then every rest is the longest one; a float ends long before the failures of an outage do.
MOST_DOUBLINGS = 16

Read = TypeVar("Read")


class Failed(Exception):
    """One try without an answer that may pass. kind: what it is where it stays so. pause: as the server asks for."""

    def __init__(self, message: str, kind: type[MisstepError], pause: float = 0.0) -> None:
        self.kind, self.pause = kind, pause
        super().__init__(message)


class Endpoint:
    """A server at an address, asked with the key of MISSTEP_POLICY_KEY where there is one.

    has_answered: whether anything ever came from there. Until then a host that is not found is a mistyped one, unless
    its name has no dot: a container's is not there before the container is. silence: tells that it does not answer.
    """

    def __init__(self, address: str, timeout: float, has_answered: bool, silence: Silence) -> None:
        self.address, self.has_answered = address, has_answered
        self._host = urllib.parse.urlsplit(address).hostname or ""
        # A server on this machine is never asked by way of a proxy.
        self._proxy = None if self._host in ("localhost", "127.0.0.1", "::1") else proxy_of(address)
        self._connections = Connections(address, self._proxy, timeout)
        self._silence = silence
        # For whoever chooses among several, under its own lock.
        self.under_way = self.failures = 0
        self.rests_until = self.asked_until = 0.0
        self._failed_at = -math.inf

    @property
    def is_up(self) -> bool:
        """Whether to ask it rather than another: its last answer came, or it has been left alone long enough."""
        return not self.failures or time.monotonic() >= self.rests_until

    @property
    def patience(self) -> float:
        """How many seconds it still wants to be left alone, by its own word."""
        return max(0.0, self.asked_until - time.monotonic())

    def recover(self) -> None:
        """It has answered: no rest is left."""
        self.failures, self.asked_until = 0, 0.0

    def rest(self, pause: float, asked_at: float) -> None:
        """Leave it alone for a while after a failure, at least as long as it asks for.

        asked_at: when the request began. Those that were under way together fail together: that is one failure.
        """
        now = time.monotonic()
        if asked_at < self._failed_at:
            if pause:
                self.asked_until = max(self.asked_until, now + pause)
                self.rests_until = max(self.rests_until, now + pause)
            return
        own = min(LONGEST_REST, REST_SECONDS * 2 ** min(self.failures, MOST_DOUBLINGS))
        self.failures += 1
        self._failed_at = now
        self.asked_until = now + pause if pause else 0.0
        self.rests_until = now + max(own, pause)

    def close_idle(self, seconds: float) -> None:
        """Close its connections that nobody has used for so long."""
        self._connections.close_idle(seconds)

    def ask(self, path: str, body: bytes | None, read: Callable[[dict[str, Any]], Read]) -> Read:
        """What `read` makes of the answer; one that it calls odd has failed.

        Raises Refused for a status that says that the request itself is wrong, Failed where another try may bring an
        answer, and MisstepError for a host that there is not or that nobody vouches for, and never was heard from.
        """
        try:
            reply = self._connections.ask(path, body, _headers())
            self.has_answered = True
            self._silence.end()
            if reply.status > HIGHEST_GOOD:
                raise self._fault(path, reply)
            return read(_object(reply.body))
        except OddAnswer as odd:
            raise Failed(str(odd), OddlyAnswered) from None
        # A connection that breaks in the middle of an answer is no OSError.
        except (OSError, ValueError, http.client.HTTPException) as error:
            failed = self._without_answer(path, error)
            if issubclass(failed.kind, ServerAway):
                self._silence.tell(str(failed))
            raise failed from None

    def _fault(self, path: str, reply: Reply) -> Exception:
        """What a status that is none of success says."""
        said = reply.body.decode("utf-8", "replace")
        told = f"HTTP {reply.status}: {said[:SHOWN]}"
        if reply.status not in _WORTH_RETRYING:
            return Refused(self.message(path, told), reply.status, said)
        if reply.status in _ASKS_TO_WAIT:
            return Failed(told, ServerAway, _seconds_of(reply.headers.get("Retry-After")))
        return Failed(told, NoAnswer)

    def _without_answer(self, path: str, error: Exception) -> Failed:
        """What happened instead of an answer. Raises MisstepError for a host that there is not and will not be."""
        if isinstance(error, ssl.SSLCertVerificationError):
            told = f"its certificate is not trusted ({error.verify_message})"
            if not self.has_answered:
                raise MisstepError(
                    self.message(path, told, Said("one that SSL_CERT_FILE vouches for"))
                ) from None
            return Failed(told, ServerAway)
        if not isinstance(error, socket.gaierror):
            late = Late if isinstance(error, TimeoutError) else NoAnswer
            kind = OddlyAnswered if isinstance(error, ValueError) else late
            # A server's odd words may hold line ends.
            return Failed(f"{type(error).__name__}: {' '.join(str(error).split())}", kind)
        # By way of a proxy only the proxy's own name is looked up here.
        if self._proxy:
            return Failed(f"its proxy {self._proxy} is not found ({error.strerror})", ServerAway)
        is_outage = self.has_answered or "." not in self._host
        # EAI_AGAIN: nobody could be asked for the name, which says nothing of the name.
        if not is_outage and error.errno != socket.EAI_AGAIN:
            found = f"there is no host of this name ({error.strerror})"
            raise MisstepError(
                self.message(path, found, Said("a server's address: look for a slip in it"))
            ) from None
        told = f"its host is not found ({error.strerror})"
        return Failed(told, ServerAway if is_outage else MisstepError)

    def message(self, path: str, found: str, expected: str = "") -> str:
        """One line about a request to it."""
        told = Said("policy server %(server)s: %(found)s", server=f"{self.address}/{path}", found=found)
        return Said("%(found)s, expected %(expected)s", found=told, expected=expected) if expected else told


def _headers() -> dict[str, str]:
    key = os.environ.get("MISSTEP_POLICY_KEY")
    headers = {"Content-Type": "application/json", "User-Agent": "misstep"}
    return headers | ({"Authorization": f"Bearer {key}"} if key else {})


def _object(body: bytes) -> dict[str, Any]:
    answer = json.loads(body)
    if not isinstance(answer, dict):
        raise OddAnswer(f"answered {type(answer).__name__}")
    return answer


def _seconds_of(retry_after: str | None) -> float:
    """How long a Retry-After asks to wait, in seconds or up to a date; 0 where it says nothing that one can read."""
    if retry_after is None:
        return 0.0
    try:
        seconds = float(retry_after)
    except ValueError:
        try:
            until = email.utils.parsedate_to_datetime(retry_after)
        except ValueError:
            return 0.0
        # A date without a zone is in universal time.
        until = until if until.tzinfo else until.replace(tzinfo=datetime.UTC)
        seconds = (until - datetime.datetime.now(datetime.UTC)).total_seconds()
    return 0.0 if math.isnan(seconds) else max(0.0, seconds)
