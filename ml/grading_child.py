"""One child process that runs math-verify: this module, run with `-m`. Parent and child exchange JSON lines."""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from typing import IO

# sympy takes seconds to import on a busy machine; that is no fault of the answer.
SECONDS_TO_START = 120.0
# After so long a comparison ends its child by itself, should it not learn of its parent's end.
SECONDS_AT_MOST = 120
# sympy's own take some 100 MB. A hostile answer can have it fill a machine's memory well before its time is up.
MEMORY_BYTES = 2 * 1024**3
SECONDS_BETWEEN_LOOKS = 0.2


class TooLarge(OSError):
    """The child took more memory than it may, and has to be ended."""


class GradingChild:
    """A child that is ready for its first question; whoever asks it has it alone. Raises OSError where it does not
    start, and TimeoutError where it does not in time.
    """

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "ml.grading_child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
            start_new_session=True,
        )
        try:
            self._read_line(SECONDS_TO_START)
        except BaseException:
            self.end()
            raise

    @property
    def _pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        assert self.process.stdin is not None and self.process.stdout is not None
        return self.process.stdin, self.process.stdout

    def ask(self, question: bytes) -> None:
        """Send a question, one line; OSError where the child has ended."""
        stdin, _ = self._pipes
        stdin.write(question)
        stdin.flush()

    def has_answered(self, seconds: float) -> bool:
        """Whether a reply, or the child's end, is there within so long; TooLarge where it takes too much memory."""
        # Not select.select, which refuses handles from 1024 on: a run with many connections has them.
        poll = select.poll()
        poll.register(self._pipes[1], select.POLLIN)
        deadline = time.monotonic() + seconds
        # Looked at from here: in the child sympy would take a refused allocation for an answer's fault.
        while not poll.poll(max(0.0, min(deadline - time.monotonic(), SECONDS_BETWEEN_LOOKS)) * 1000):
            if self._memory() > MEMORY_BYTES:
                raise TooLarge(f"the grading process took more than {MEMORY_BYTES / 1024**3:g} GiB of memory")
            if time.monotonic() >= deadline:
                return False
        return True

    def _memory(self) -> int:
        """Its memory; 0 where the system does not say."""
        try:
            with open(f"/proc/{self.process.pid}/statm") as file:
                return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        except OSError:
            return 0

    def reply(self, seconds: float) -> bool:
        """The reply; TimeoutError after so long, OSError or ValueError where the child has ended."""
        return json.loads(self._read_line(seconds)) is True

    def end(self) -> None:
        """Kill it."""
        self.process.kill()
        for pipe in self._pipes:
            # Closing writes what a dead child did not take; the pipe is closed all the same.
            with suppress(OSError):
                pipe.close()
        self.process.wait()

    def _read_line(self, seconds: float) -> bytes:
        # The child writes one whole line at a time.
        if not self.has_answered(seconds):
            raise TimeoutError
        line = self._pipes[1].readline()
        if not line:
            raise OSError("the grading process ended")
        return line


class _EndsWithParent:
    """While a comparison is under way, the end of the pipe that questions come by ends this process: SIGIO, left to its
    default action, ends also what never comes back to Python. The death of the parent's thread would not do: a child
    outlives the thread that started it.
    """

    def __init__(self) -> None:
        self._pipe = sys.stdin.fileno()
        self._flags = fcntl.fcntl(self._pipe, fcntl.F_GETFL)
        fcntl.fcntl(self._pipe, fcntl.F_SETOWN, os.getpid())

    def __enter__(self) -> None:
        fcntl.fcntl(self._pipe, fcntl.F_SETFL, self._flags | os.O_ASYNC)
        # It may have ended just before.
        watch = select.poll()
        watch.register(self._pipe, 0)
        if any(event & select.POLLHUP for _, event in watch.poll(0)):
            sys.exit()

    def __exit__(self, *_: object) -> None:
        fcntl.fcntl(self._pipe, fcntl.F_SETFL, self._flags)


def _serve() -> None:
    """The child's loop: read [answer, reference], write true or false."""
    import logging

    from ml.answer_meaning import means_the_same

    # It warns that its own time limit is off; the parent keeps the time.
    logging.disable(logging.WARNING)

    ends_with_parent = _EndsWithParent()
    print("ready", flush=True)
    for line in sys.stdin:
        answer, reference = json.loads(line)
        # Left to its default action, the alarm ends also what never comes back to Python.
        signal.alarm(SECONDS_AT_MOST)
        with ends_with_parent:
            try:
                same = means_the_same(answer, reference)
            except Exception:
                same = False
        signal.alarm(0)
        print(json.dumps(same), flush=True)


if __name__ == "__main__":
    _serve()
