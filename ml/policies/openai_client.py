"""Requests to an OpenAI-compatible server: what may pass is tried again, what stays is told in one line."""

from __future__ import annotations

import datetime
import email.utils
import http.client
import json
import math
import os
import random
import socket
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from typing import Any, TypeVar

from ml.errors import MisstepError, ServerAway
from ml.policies.address import proxy_of
from ml.policies.deadline import Deadline
from ml.policies.silence import Silence, failed_lookup, may_be_found_later

TRIES = 6
_WORTH_RETRYING = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
# With these a server may say how long it wants to be left alone; longer than this is not waited at a time.
_ASKS_TO_WAIT = frozenset({429, 503})
LONGEST_WAIT = 120.0
# How much of an answer a message shows.
_SHOWN = 500

Read = TypeVar("Read")


class OddAnswer(ValueError):
    """An answer that is not what was asked for; the next try may bring another."""


class Refused(MisstepError):
    """The server does not take this request, and would not take it a second time. said: its own words."""

    def __init__(self, message: str, status: int, said: str) -> None:
        self.status, self.said = status, said
        super().__init__(message)


class Client:
    """A server at an address, asked with the key of MISSTEP_POLICY_KEY where there is one.

    timeout: seconds until a request's whole answer must be there. has_answered: whether anything ever came from there.
    Until then a host that is not found is a mistyped one, unless its name has no dot: a container's is not there before
    the container is.
    """

    def __init__(
        self, address: str, is_local: bool, timeout: float, retry_seconds: float, has_answered: bool = False
    ) -> None:
        self.address, self.timeout, self.retry_seconds = address, timeout, retry_seconds
        self.has_answered = has_answered
        self._silence = Silence(address)
        self._on_first_answer: Callable[[], None] = lambda: None
        # A server on this machine is never asked by way of a proxy.
        self._proxy = None if is_local else proxy_of(address)
        self._handlers = [urllib.request.ProxyHandler({})] if is_local else []

    def on_first_answer(self, call: Callable[[], None]) -> None:
        """Call when anything comes from there; at once where it did already."""
        self._on_first_answer = call
        if self.has_answered:
            call()

    def get(self, path: str, read: Callable[[dict[str, Any]], Read]) -> Read:
        """What `read` makes of the answer; see `_send`."""
        return self._send(urllib.request.Request(f"{self.address}/{path}", headers=_headers()), read)

    def post(self, path: str, body: dict[str, Any], read: Callable[[dict[str, Any]], Read]) -> Read:
        """What `read` makes of the answer to `body`; see `_send`."""
        data = json.dumps(body).encode()
        return self._send(urllib.request.Request(f"{self.address}/{path}", data, _headers()), read)

    def _send(self, request: urllib.request.Request, read: Callable[[dict[str, Any]], Read]) -> Read:
        """Send, and again after a pause where the fault may pass; an answer that `read` calls odd is such a fault.

        The pause grows, and is as long as a server that is busy asks for (Retry-After), up to LONGEST_WAIT.
        Raises Refused for a status that says that the request itself is wrong, ServerAway where there was no answer
        at the last try either or one that asks for patience, and MisstepError for an odd one, and for a host that is
        not found where nothing was ever heard from: at once, or after all tries where the look-up itself failed. A
        proxy that is not found, and a host whose name has no dot, is an answer that did not come.
        """
        last, asked_pause, error_type = "", 0.0, MisstepError
        for attempt in range(TRIES):
            if attempt:
                pause = self.retry_seconds * 2 ** (attempt - 1) * random.uniform(0.5, 1.5)
                time.sleep(max(pause, min(asked_pause, LONGEST_WAIT)))
            asked_pause = 0.0
            try:
                return read(self._answer_to(request))
            except urllib.error.HTTPError as error:
                said = str(error.msg)
                last, error_type = f"HTTP {error.code}: {said[:_SHOWN]}", ServerAway
                if error.code not in _WORTH_RETRYING:
                    raise Refused(_message(request, last), error.code, said) from None
                if error.code in _ASKS_TO_WAIT:
                    asked_pause = _seconds_of(error.headers.get("Retry-After"))
            except OddAnswer as odd:
                last, error_type = str(odd), MisstepError
            # A connection that breaks in the middle of an answer is no OSError.
            except (OSError, ValueError, http.client.HTTPException) as error:
                last, error_type = self._without_answer(request, error)
                if error_type is ServerAway:
                    self._silence.tell(last, TRIES)
        raise error_type(_message(request, last))

    def _answer_to(self, request: urllib.request.Request) -> dict[str, Any]:
        """What the server answers within the time. Raises TimeoutError where it does not, HTTPError with the server's
        own words as its `msg` where it refuses, and whatever breaks on the way.
        """
        with Deadline(self.timeout) as deadline:
            opener = urllib.request.build_opener(deadline.handler(), *self._handlers)
            try:
                with opener.open(request, timeout=self.timeout) as response:
                    self._heard()
                    return _object(json.load(response))
            except urllib.error.HTTPError as error:
                self._heard()
                error.msg = _body_of(error)
                raise
            except (OSError, ValueError, http.client.HTTPException) as error:
                if deadline.has_passed:
                    raise TimeoutError(f"no whole answer within {self.timeout:g} s") from error
                raise

    def _without_answer(
        self, request: urllib.request.Request, error: Exception
    ) -> tuple[str, type[MisstepError]]:
        """What happened instead of an answer, and what it is if it stays so. Raises MisstepError for a host that there
        is not and will not be.
        """
        lookup = failed_lookup(error)
        if lookup is None:
            error_type = MisstepError if isinstance(error, ValueError) else ServerAway
            return f"{type(error).__name__}: {error}", error_type
        # By way of a proxy only the proxy's own name is looked up here.
        if self._proxy:
            return f"its proxy {self._proxy} is not found ({lookup.strerror})", ServerAway
        is_outage = self.has_answered or "." not in (urllib.parse.urlsplit(self.address).hostname or "")
        if not is_outage and not may_be_found_later(lookup):
            raise MisstepError(_unknown_host(request, lookup)) from None
        return f"its host is not found ({lookup.strerror})", ServerAway if is_outage else MisstepError

    def _heard(self) -> None:
        if not self.has_answered:
            self.has_answered = True
            self._on_first_answer()
        self._silence.end()


def _message(request: urllib.request.Request, last: str) -> str:
    return f"policy server {request.full_url}: {last}, expected an answer within {TRIES} tries"


def _unknown_host(request: urllib.request.Request, lookup: socket.gaierror) -> str:
    return (
        f"policy server {request.full_url}: there is no host of this name ({lookup.strerror}), expected a server's "
        "address: look for a slip in it"
    )


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


def _headers() -> dict[str, str]:
    key = os.environ.get("MISSTEP_POLICY_KEY")
    headers = {"Content-Type": "application/json"}
    return headers | ({"Authorization": f"Bearer {key}"} if key else {})


def _object(answer: Any) -> dict[str, Any]:
    if not isinstance(answer, dict):
        raise OddAnswer(f"answered {type(answer).__name__}")
    return answer


def _body_of(error: urllib.error.HTTPError) -> str:
    """What stands in a refusal; the connection may break there too, and the status says enough by then."""
    try:
        return error.read(8 * _SHOWN).decode("utf-8", "replace")
    except (OSError, ValueError, http.client.HTTPException) as broken:
        return f"({type(broken).__name__})"


def shown(answer: dict[str, Any]) -> str:
    """An odd answer for a message."""
    return json.dumps(answer)[:_SHOWN]
