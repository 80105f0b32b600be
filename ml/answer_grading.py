"""math-verify behind a wall clock: child processes, as many as there are cores, killed when they take too long.

A child that dies, or that a busy machine keeps from answering in time, says nothing of the answer: it is replaced
and asked again, and where that does not help, NoVerdict is raised. So does an answer that hangs every grader: it is
no proof of anything, and waiting for ever blocks a run.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import threading
import time
from concurrent.futures import Future

from ml.answer_size import is_beyond_computing
from ml.cores import worker_count
from ml.grading_child import MEMORY_BYTES, GradingChild, TooLarge

SECONDS_PER_COMPARISON = 5.0
# Nearly all comparisons take milliseconds. One that takes longer than this makes room for the next pair.
SECONDS_TO_GIVE_WAY = 1.0
TRIES = 3
# What hangs a fresh child too would hang a third.
TRIES_IN_TIME = 2
# A pair that hung is not asked again for so long: each time it would cost a core for ten seconds. Not for ever,
# since a busy machine may have been the reason.
SECONDS_UNTIL_ASKED_AGAIN = 600.0
MOST_REMEMBERED = 1_000


def _grader_name() -> str:
    try:
        return f"math-verify {importlib.metadata.version('math-verify')}"
    except importlib.metadata.PackageNotFoundError:
        return "strict"


GRADER = _grader_name()


class NoVerdict(Exception):
    """The grader gave none: an infrastructure verdict, and no evidence about the answer."""


class GraderCrashed(NoVerdict):
    """The grading process died at each try."""


class GraderTimedOut(NoVerdict):
    """No grading process answered in time."""


class NotAsked(GraderTimedOut):
    """It would time out, which is told without asking and costs nothing."""


class _Place:
    """A turn to ask a child: among the prompt, or among those whose comparison takes long, where nobody waits for it
    who does not take long himself. There are as many places of each kind.
    """

    def __init__(self, prompt: threading.Semaphore, patient: threading.Semaphore, is_late: bool) -> None:
        self._prompt, self._patient = prompt, patient
        self._held = patient if is_late else prompt

    def __enter__(self) -> _Place:
        self._held.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self._held.release()

    def give_way(self) -> None:
        """Leave the prompt, unless there is no room among the others."""
        if self._held is self._prompt and self._patient.acquire(blocking=False):
            self._held = self._patient
            self._prompt.release()


class GradingPool:
    """Children that compare answers, started as they are needed. Thread-safe.

    size: children asked at once, and as many more for what takes long. seconds: how long one may take.
    until_asked_again: how many a pair that was not answered in time stays so.
    """

    def __init__(self, size: int | None = None, seconds: float = SECONDS_PER_COMPARISON) -> None:
        self.size = worker_count() if size is None else size
        self.seconds = seconds
        self.until_asked_again = SECONDS_UNTIL_ASKED_AGAIN
        self.timeouts = 0
        self.crashes = 0
        self._lock = threading.Lock()
        self._prompt, self._patient = (threading.BoundedSemaphore(self.size) for _ in range(2))
        self._idle: list[GradingChild] = []
        # Who asks what is being compared waits for that verdict: one hanging answer takes one child.
        self._compared: dict[bytes, Future[bool]] = {}
        # When each pair was given up, the oldest first.
        self._hung: dict[bytes, float] = {}

    def compare(self, answer: str, reference: str) -> bool:
        """Ask a child, and another one where it dies or does not answer in time.

        Raises NoVerdict where none of several children answered, also where that was a while ago.
        """
        question = json.dumps([answer, reference]).encode() + b"\n"
        with self._lock:
            self._refuse_hung(question)
            verdict = self._compared.get(question)
            is_first = verdict is None
            if verdict is None:
                verdict = self._compared[question] = Future()
        if not is_first:
            return verdict.result()
        try:
            verdict.set_result(self._verdict_of_tries(question))
        except BaseException as error:
            verdict.set_exception(error)
        finally:
            with self._lock:
                del self._compared[question]
        return verdict.result()

    def close(self) -> None:
        """End the children that nobody is asking."""
        with self._lock:
            idle, self._idle = self._idle, []
        for child in idle:
            child.end()

    def _verdict_of_tries(self, question: bytes) -> bool:
        crashes = timeouts = 0
        while True:
            try:
                return self._ask(question, is_late=timeouts > 0, is_fresh=timeouts + crashes > 0)
            except TimeoutError:
                timeouts += 1
                if timeouts == TRIES_IN_TIME:
                    self._remember_hung(question)
                    raise GraderTimedOut(f"no verdict in {self.seconds:g} s, {timeouts} times") from None
            except (OSError, ValueError) as error:
                crashes += 1
                if crashes == TRIES:
                    if isinstance(error, TooLarge):
                        self._remember_hung(question)
                    failed = f"the grading process failed {crashes} times: {error}"
                    raise GraderCrashed(failed) from error

    def _refuse_hung(self, question: bytes) -> None:
        since = self._hung.get(question)
        if since is not None and time.monotonic() - since < self.until_asked_again:
            within = f"{self.seconds:g} s and {MEMORY_BYTES / 1024**3:g} GiB of memory"
            raise GraderTimedOut(f"no verdict within {within} at several tries a while ago")

    def _remember_hung(self, question: bytes) -> None:
        with self._lock:
            self._hung.pop(question, None)
            self._hung[question] = time.monotonic()
            if len(self._hung) > MOST_REMEMBERED:
                del self._hung[next(iter(self._hung))]

    def _ask(self, question: bytes, is_late: bool, is_fresh: bool) -> bool:
        """A child's reply; one that failed in any way is ended and counted.

        is_late: the pair has taken too long before. is_fresh: ask a new child, as what happened to one that was there
        may have happened to all.
        """
        child = None
        with _Place(self._prompt, self._patient, is_late) as place:
            try:
                child = (None if is_fresh else self._idle_child()) or self._start()
                deadline = time.monotonic() + self.seconds
                child.ask(question)
                if not child.has_answered(min(SECONDS_TO_GIVE_WAY, self.seconds)):
                    place.give_way()
                verdict = child.reply(deadline - time.monotonic())
            except (OSError, ValueError) as error:
                timed_out = isinstance(error, TimeoutError)
                with self._lock:
                    self.timeouts += timed_out
                    self.crashes += not timed_out
                if child is not None:
                    child.end()
                raise
            with self._lock:
                self._idle.append(child)
            return verdict

    def _start(self) -> GradingChild:
        return GradingChild()

    def _idle_child(self) -> GradingChild | None:
        with self._lock:
            return self._idle.pop() if self._idle else None


_pool = GradingPool()


def math_verify_verdict(answer: str, reference: str) -> bool | None:
    """Whether math-verify accepts `answer` for `reference`; None where it is not installed.

    Raises NoVerdict where it gave none.
    """
    if importlib.util.find_spec("math_verify") is None:
        return None
    if is_beyond_computing(answer, reference):
        raise NotAsked("not asked: it would compute a number that no computer holds")
    return _pool.compare(answer, reference)
