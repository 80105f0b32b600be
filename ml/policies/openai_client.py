"""Requests to the servers of a policy: what may pass is tried again, what stays is told in one line.

Several servers of the same model are one. Each problem has its own, whose prefix cache then knows its prefixes; where
that one is away or has its share of the requests already, another takes over.
"""

from __future__ import annotations

import hashlib
import json
import math
import random
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from ml.errors import MisstepError
from ml.policies.openai_connections import allow_open
from ml.policies.openai_endpoint import Endpoint, Failed
from ml.policies.openai_faults import Refused
from ml.policies.silence import Silence
from ml.said import Said

TRIES = 6
RETRY_SECONDS = 0.5
# A server that asks to be left alone longer than this is asked all the same.
LONGEST_WAIT = 120.0
# How much more than its even share of the requests a server may have under way, so that few problems change servers.
SPARE = 1.25
# A connection that nobody has used for so long is closed. Servers do so after five seconds and more.
IDLE_SECONDS = 10.0

Read = TypeVar("Read")


class Client:
    """The servers at some addresses.

    timeout: seconds until a request's whole answer must be there. concurrency: requests that come at once at most.
    has_answered: whether an earlier start of the run was served.
    """

    def __init__(
        self,
        addresses: Sequence[str],
        timeout: float,
        concurrency: int,
        has_answered: bool = False,
    ) -> None:
        self.concurrency = concurrency
        self.addresses = ",".join(addresses)
        others = (
            "the others are asked meanwhile" if len(addresses) > 1 else f"it is asked up to {TRIES} times"
        )
        self._endpoints = [
            Endpoint(address, timeout, has_answered, Silence(address, others)) for address in addresses
        ]
        self.has_answered = has_answered
        self._on_first_answer: Callable[[], None] = lambda: None
        self._lock = threading.Lock()
        self._closed_at = time.monotonic()
        # Each may have had the whole concurrency a moment ago, while the others were away.
        allow_open(concurrency * len(addresses))

    def on_first_answer(self, call: Callable[[], None]) -> None:
        """Call when anything comes from a server; at once where it did already."""
        self._on_first_answer = call
        if self.has_answered:
            call()

    def get(self, path: str, read: Callable[[dict[str, Any]], Read]) -> Read:
        """What `read` makes of the answer; see `_send`."""
        return self._send(path, None, read, "", TRIES)

    def post(
        self,
        path: str,
        body: dict[str, Any],
        read: Callable[[dict[str, Any]], Read],
        key: str = "",
        tries: int | None = None,
    ) -> Read:
        """What `read` makes of the answer to `body`; see `_send`. key: what has a server of its own."""
        return self._send(path, json.dumps(body).encode(), read, key, tries or TRIES)

    def _send(
        self, path: str, body: bytes | None, read: Callable[[dict[str, Any]], Read], key: str, tries: int
    ) -> Read:
        """Ask, and again after a pause where the fault may pass; an answer that `read` calls odd is such a fault.

        The pause grows, and a server that asks to be left alone (Retry-After, up to LONGEST_WAIT) is asked last in a
        try, and then not before that time is over; one that is waited for and fails again ends the try.
        Raises Refused for a status that says that the request itself is wrong; NoAnswer where there was no answer at
        the last try either, or one that says that the server broke; ServerAway where it asks for patience or its name
        is gone; OddlyAnswered for an odd one; and MisstepError for a host that is not found where nothing was ever
        heard from: at once, or after all tries where the look-up itself failed.
        """
        for attempt in range(tries):
            if attempt:
                time.sleep(RETRY_SECONDS * 2 ** (attempt - 1) * random.uniform(0.5, 1.5))
            failures: dict[Endpoint, Failed] = {}
            patience = 0.0
            self._close_idle()
            while not patience and (endpoint := self._take(key, failures)) is not None:
                patience = endpoint.patience
                time.sleep(patience)
                asked_at = time.monotonic()
                try:
                    answer = endpoint.ask(path, body, read)
                except Failed as failed:
                    self._give_back(endpoint, failed, asked_at)
                    failures[endpoint] = failed
                except Refused:
                    self._give_back(endpoint)
                    raise
                except BaseException:
                    self._give_back(endpoint, Failed("", MisstepError), asked_at)
                    raise
                else:
                    self._give_back(endpoint)
                    return answer
            # Of a server that asked for patience it is known that it is there.
            last, failure = max(reversed(failures.items()), key=lambda pair: pair[1].pause > 0)
        expected = Said("an answer within %(tries)s tries", tries=tries)
        raise failure.kind(last.message(path, str(failure), expected))

    def _close_idle(self) -> None:
        """What a server is no longer asked by, also where it is not asked at all."""
        with self._lock:
            is_time = time.monotonic() - self._closed_at >= IDLE_SECONDS / 2
            if is_time:
                self._closed_at = time.monotonic()
        if is_time:
            for endpoint in self._endpoints:
                endpoint.close_idle(IDLE_SECONDS)

    def _take(self, key: str, failures: dict[Endpoint, Failed]) -> Endpoint | None:
        """The server to ask next, None where each has failed: the key's own if it can, a resting one only at last,
        and of those that ask for patience the one that may be asked first.
        """
        if len(self._endpoints) == 1:
            return None if failures else self._endpoints[0]
        left = [endpoint for endpoint in self._endpoints if endpoint not in failures]
        if not left:
            return None
        left.sort(key=lambda endpoint: _rank(key, endpoint.address))
        with self._lock:
            up = [endpoint for endpoint in left if endpoint.is_up]
            count = sum(endpoint.is_up for endpoint in self._endpoints) or 1
            share = math.ceil(SPARE * self.concurrency / count)
            free = (endpoint for endpoint in up if endpoint.under_way < share)
            chosen = next(free, None) or min(
                up or left, key=lambda endpoint: (endpoint.patience, endpoint.under_way)
            )
            chosen.under_way += 1
            if chosen.failures:
                # Others do not follow before it is known what comes of this one.
                chosen.rests_until = math.inf
        return chosen

    def _give_back(self, endpoint: Endpoint, failed: Failed | None = None, asked_at: float = 0.0) -> None:
        """What came of asking it: an answer, a refusal too, shows that it is up."""
        with self._lock:
            endpoint.under_way = max(0, endpoint.under_way - 1)
            if failed is None:
                endpoint.recover()
            else:
                endpoint.rest(min(failed.pause, LONGEST_WAIT), asked_at)
            is_first = endpoint.has_answered and not self.has_answered
            self.has_answered |= endpoint.has_answered
        if is_first:
            self._on_first_answer()


def _rank(key: str, address: str) -> bytes:
    """Where a server stands in a key's order, the same in each start and whichever others there are."""
    return hashlib.blake2b(f"{address}\0{key}".encode("utf-8", "replace"), digest_size=8).digest()
