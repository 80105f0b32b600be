"""The threads in which a run executes code and grades answers, shared out so that no problem holds them all."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor

Work = Callable[[], None]


class Executing:
    """Work that has a `problem` waits outside of the threads while `most_of_one` of the same problem is under way: many
    answers of one problem may hang the grader, each for ten seconds and more.
    """

    def __init__(self, threads: int, most_of_one: int) -> None:
        self._pool = ThreadPoolExecutor(threads, "execution")
        self._most_of_one = most_of_one
        self._under_way: Counter[Hashable] = Counter()
        self._waiting: dict[Hashable, deque[Work]] = {}
        self._lock = threading.Lock()

    def submit(self, work: Work, problem: Hashable = None) -> None:
        """Do it in a thread, as soon as there is room."""
        if problem is None:
            self._pool.submit(work)
            return
        with self._lock:
            if self._under_way[problem] >= self._most_of_one:
                self._waiting.setdefault(problem, deque()).append(work)
                return
            self._under_way[problem] += 1
        self._pool.submit(self._do, work, problem)

    def close(self) -> None:
        """Wait for what is under way, and leave the rest."""
        with self._lock:
            self._waiting.clear()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _do(self, work: Work, problem: Hashable) -> None:
        try:
            work()
        finally:
            following = self._next(problem)
            if following is not None:
                self._pool.submit(self._do, following, problem)

    def _next(self, problem: Hashable) -> Work | None:
        """What takes the place of the work that is done; without any, the place is free."""
        with self._lock:
            waiting = self._waiting.get(problem)
            if waiting:
                return waiting.popleft()
            self._waiting.pop(problem, None)
            self._under_way[problem] -= 1
            if not self._under_way[problem]:
                del self._under_way[problem]
            return None
