"""A crowd of annotators in one thread: each person is one keep-alive HTTP connection and one request at a time.

The crowd shares the machine with what it measures, so it does as little as an HTTP client can: one selector for all
connections, and no thread per person. A latency runs from before a request is sent until its last byte has come.
"""

from __future__ import annotations

import heapq
import json
import selectors
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4


@dataclass
class Seen:
    """What the crowd saw: seconds per request, what was acknowledged, and answers other than 200."""

    next: list[float] = field(default_factory=list)
    submit: list[float] = field(default_factory=list)
    acknowledged: list[int] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


class Person:
    """One annotator, who asks for a task, judges it, and asks for the next."""

    def __init__(self, address: tuple[str, int], campaign: int, cookie: str, csrf: str) -> None:
        self.connection = socket.create_connection(address)
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.next_path = f"/annotate/{campaign}/next/"
        self.headers = (
            f"Host: {address[0]}:{address[1]}\r\nCookie: {cookie}\r\nX-CSRFToken: {csrf}\r\n"
            "Content-Type: application/json\r\n"
        )
        # The task in hand; without one the next request asks for it.
        self.task: dict[str, Any] | None = None
        self.is_done = False
        self._asked_at = 0.0
        self._answer = b""

    def ask(self) -> None:
        """Sends the next request: for a task, or with the judgement of the one in hand."""
        path, body = self.next_path, b"{}"
        if self.task:
            path, body = f"/annotate/task/{self.task['assignment']}/submit/", _judgement(self.task)
        head = f"POST {path} HTTP/1.1\r\n{self.headers}Content-Length: {len(body)}\r\n\r\n"
        self._answer = b""
        self._asked_at = time.perf_counter()
        self.connection.sendall(head.encode() + body)

    def hear(self, seen: Seen) -> bool:
        """Takes in what came. Once the answer is whole, notes it in `seen` and returns True."""
        part = self.connection.recv(65536)
        self._answer += part
        head, _, content = self._answer.partition(b"\r\n\r\n")
        if part and len(content) < _length(head):
            return False
        (seen.submit if self.task else seen.next).append(time.perf_counter() - self._asked_at)
        said = json.loads(content) if head.startswith(b"HTTP/1.1 200") else {}
        if not said:
            seen.failures.append(self._answer[:300].decode(errors="replace"))
        if "annotation" in said:
            seen.acknowledged.append(said["annotation"])
        self.is_done = not part or "nothing" in said
        self.task = said if "assignment" in said else None
        return True


def _length(head: bytes) -> float:
    """The content's length; without end while the head is not whole, as every answer names its length."""
    for line in head.split(b"\r\n")[1:]:
        if line.lower().startswith(b"content-length:"):
            return int(line[15:])
    return float("inf")


def _judgement(task: dict[str, Any]) -> bytes:
    ratings = [{"step": option["id"], "rating": 1, "milliseconds": 5} for option in task["options"]]
    judgement = {"finish_reason": "solution", "ratings": ratings, "total_time_ms": 30}
    return json.dumps({"token": task["token"], "key": str(uuid4()), "judgement": judgement}).encode()


def label(people: Sequence[Person], until: float, think: float) -> Seen:
    """Lets everybody label until `until` (by time.perf_counter), thinking for `think` seconds over each task.

    Whoever has a task when the time is up still submits it.
    """
    seen, waiting = Seen(), selectors.DefaultSelector()
    thinking: list[tuple[float, int]] = []
    for number, person in enumerate(people):
        waiting.register(person.connection, selectors.EVENT_READ, number)
        person.ask()
    asked = len(people)
    while asked or thinking:
        for key, _ in waiting.select(max(0.0, thinking[0][0] - time.perf_counter()) if thinking else None):
            person = people[key.data]
            if not person.hear(seen):
                continue
            if person.is_done or (person.task is None and time.perf_counter() >= until):
                waiting.unregister(person.connection)
                person.connection.close()
                asked -= 1
            elif person.task and think:
                heapq.heappush(thinking, (time.perf_counter() + think, key.data))
                asked -= 1
            else:
                person.ask()
        while thinking and thinking[0][0] <= time.perf_counter():
            people[heapq.heappop(thinking)[1]].ask()
            asked += 1
    return seen
