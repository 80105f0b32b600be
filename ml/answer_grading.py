"""math-verify behind a wall clock: one child process, killed and replaced when it takes too long.

The child is this module run with `-m`; parent and child exchange JSON lines. A child that dies, or that a busy
machine keeps from answering in time, says nothing of the answer: it is replaced and asked again, and where that
does not help, NoVerdict is raised. So does an answer that hangs every grader: it is no proof of anything, and
waiting for ever blocks a run.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import select
import subprocess
import sys
import threading
import time
from contextlib import suppress
from typing import IO, Any

SECONDS_PER_COMPARISON = 5.0
# sympy takes seconds to import on a busy machine; that is no fault of the answer.
SECONDS_TO_START = 120.0
TRIES = 3
# What hangs a fresh child too would hang a third.
TRIES_IN_TIME = 2
# A pair that hung is not asked again for so long: each time it would keep all others waiting for ten seconds. Not for
# ever, since a busy machine may have been the reason.
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


class GradingProcess:
    """Owns the child; thread-safe, because a comparison holds the lock from question to reply.

    seconds: how long the child may take. until_asked_again: how many a pair that was not answered in time stays so.
    """

    def __init__(self, seconds: float = SECONDS_PER_COMPARISON) -> None:
        self.seconds = seconds
        self.until_asked_again = SECONDS_UNTIL_ASKED_AGAIN
        self.timeouts = 0
        self.crashes = 0
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        # When each pair was given up, the oldest first.
        self._hung: dict[bytes, float] = {}

    def compare(self, answer: str, reference: str) -> bool:
        """Ask the child, and another one where it dies or does not answer in time.

        Raises NoVerdict where none of several children answered, also where that was a while ago.
        """
        question = json.dumps([answer, reference]).encode() + b"\n"
        self._refuse_hung(question)
        crashes = timeouts = 0
        with self._lock:
            # It may have hung for another thread while this one waited.
            self._refuse_hung(question)
            while True:
                try:
                    return self._ask(question)
                except TimeoutError:
                    timeouts += 1
                    if timeouts == TRIES_IN_TIME:
                        self._remember_hung(question)
                        raise GraderTimedOut(f"no verdict in {self.seconds:g} s, {timeouts} times") from None
                except (OSError, ValueError) as error:
                    crashes += 1
                    if crashes == TRIES:
                        failed = f"the grading process failed {crashes} times: {error}"
                        raise GraderCrashed(failed) from error

    def close(self) -> None:
        """End the child, if there is one."""
        with self._lock:
            self._stop()

    def _refuse_hung(self, question: bytes) -> None:
        since = self._hung.get(question)
        if since is not None and time.monotonic() - since < self.until_asked_again:
            raise GraderTimedOut(f"no verdict in {self.seconds:g} s, {TRIES_IN_TIME} times, a while ago")

    def _remember_hung(self, question: bytes) -> None:
        self._hung.pop(question, None)
        self._hung[question] = time.monotonic()
        if len(self._hung) > MOST_REMEMBERED:
            del self._hung[next(iter(self._hung))]

    def _ask(self, question: bytes) -> bool:
        """The child's reply; one that failed in any way is stopped and counted, and the next try has a fresh one."""
        try:
            child = self._child or self._start()
            assert child.stdin is not None and child.stdout is not None
            child.stdin.write(question)
            child.stdin.flush()
            return json.loads(_read_line(child.stdout, self.seconds)) is True
        except (OSError, ValueError) as error:
            is_late = isinstance(error, TimeoutError)
            self.timeouts, self.crashes = self.timeouts + is_late, self.crashes + (not is_late)
            self._stop()
            raise

    def _start(self) -> subprocess.Popen[bytes]:
        child = subprocess.Popen(
            [sys.executable, "-m", "ml.answer_grading"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
            start_new_session=True,
        )
        assert child.stdout is not None
        self._child = child
        _read_line(child.stdout, SECONDS_TO_START)
        return child

    def _stop(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    # Closing writes what a dead child did not take; the pipe is closed all the same.
                    with suppress(OSError):
                        pipe.close()
            child.wait()


_process = GradingProcess()


def math_verify_verdict(answer: str, reference: str) -> bool | None:
    """Whether math-verify accepts `answer` for `reference`; None where it is not installed.

    Raises NoVerdict where it gave none.
    """
    if importlib.util.find_spec("math_verify") is None:
        return None
    return _process.compare(answer, reference)


def _read_line(pipe: IO[bytes], seconds: float) -> bytes:
    """One line from an unhurried child; TimeoutError after `seconds`. The child writes one whole line at a
    time.
    """
    ready, _, _ = select.select([pipe], [], [], seconds)
    if not ready:
        raise TimeoutError
    line = pipe.readline()
    if not line:
        raise OSError("the grading process ended")
    return line


def _serve() -> None:
    """The child's loop: read [answer, reference], write true or false."""
    import logging

    from math_verify import parse, verify

    # It warns that its own time limit is off; the parent keeps the time.
    logging.disable(logging.WARNING)

    def parsed(text: str) -> list[Any]:
        # A bare LaTeX answer is only read as LaTeX inside dollars; the plain reading is the fallback.
        return list(parse(f"${text}$", parsing_timeout=None)) or list(parse(text, parsing_timeout=None))

    print("ready", flush=True)
    for line in sys.stdin:
        answer, reference = json.loads(line)
        try:
            same = bool(verify(parsed(reference), parsed(answer), timeout_seconds=None))
        except Exception:
            same = False
        print(json.dumps(same), flush=True)


if __name__ == "__main__":
    _serve()
