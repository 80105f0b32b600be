"""Layer 1: steps run by Monty, an interpreter of a Python subset that has no way out, in its own worker
processes.

A step's state is a session dump (a few kilobytes); a child step loads its parent's dump in half a
millisecond, so the cost of a step does not grow with its depth, and siblings never share writable state. A
state that is too large to keep, or cannot be dumped, is computed again for each of the step's children.
Dumps are made and read by this process only and never stored: Monty does not authenticate them.
"""

from __future__ import annotations

import builtins
import re
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from pydantic_monty import (
    CollectString,
    Monty,
    MontyCrashedError,
    MontyError,
    MontyRuntimeError,
    MontySession,
    MontySyntaxError,
    OSPolicy,
    ResourceLimits,
)

from ml.execution.differences import ROUND, may_differ
from ml.execution.outcome import Execution, Verdict, path_keys
from ml.recent import Recent, text_bytes

LEVEL = "monty"
OUTPUT_BYTES = 64 * 1024
BYTES_KEPT = 256 * 1024 * 1024
LONGEST_STATE = 1024 * 1024

_LIMITS: ResourceLimits = {
    "max_feed_duration_secs": 2.0,
    "max_memory": 64 * 1024 * 1024,
    "max_recursion_depth": 500,
    "max_suspensions": 100,
}
_POLICY: OSPolicy = {"random_start": {"seed": 0}, "sleep": "zero"}

_UNDEFINED = re.compile(r"name '(\w+)' is not defined")
# Python inverts modulo the third argument instead, since 3.8.
_NEVER_SAID = "2nd argument cannot be negative when 3rd argument specified"


class Doubt(Enum):
    """How far Monty's word may be Monty's own: then real Python has the last word, where it is allowed.

    LIKELY_OURS: a missing module or feature, a builtin name that Monty lacks, a time limit (Monty's clock is
    the wall's), a message that Python never gives, a worker that died. POSSIBLE: an error that a subset of Python
    may also raise where Python would not. SILENT: the program may print something else, so it was not run.
    """

    NONE = "none"
    POSSIBLE = "possible"
    SILENT = "silent"
    LIKELY_OURS = "likely ours"


@dataclass(frozen=True, slots=True)
class MontyRun:
    """One path's outcome, and how far to doubt it."""

    execution: Execution
    doubt: Doubt = Doubt.NONE


class _DumpFailed(Exception):
    """A step ran, but its state could not be dumped, and the session did not survive the try."""


@dataclass(frozen=True, slots=True)
class _Left:
    """What a step left. state: None where it is not kept, so that the step runs again for each child."""

    state: bytes | None
    output: str


class MontyLayer:
    """A pool of Monty workers and the states of paths that ran. Thread-safe.

    exact: leave alone what may print something else here than in real Python.
    """

    def __init__(self, processes: int = 2, exact: bool = False) -> None:
        self._processes, self._exact = processes, exact
        self._pool: Monty | None = None
        self._states: Recent[bytes, _Left] = Recent(BYTES_KEPT)
        self._lock = threading.Lock()

    def run(self, codes: Sequence[str], keep_states: bool = True, is_last_word: bool = False) -> MontyRun:
        """Run a path from its longest known prefix; `keep_states` remembers the state after each new step.

        is_last_word: also where real Python may print something else.
        """
        exact = self._exact and not is_last_word
        try:
            return self._attempt(codes, keep_states, exact)
        except _DumpFailed:
            # The session is gone, though the step ran: the path goes on in a new one, without dumps.
            return self._attempt(codes, keep_states=False, exact=exact)

    def _attempt(self, codes: Sequence[str], keep_states: bool, exact: bool) -> MontyRun:
        started = time.perf_counter()
        keys = path_keys(codes)
        known, state, output = self._longest_known(keys)
        if exact and any(map(may_differ, codes[known:])):
            reason = "may differ from real Python"
            return MontyRun(Execution(Verdict.INFRASTRUCTURE, "", LEVEL, known, reason), Doubt.SILENT)
        if known == len(codes):
            return MontyRun(Execution(Verdict.OK, output, LEVEL, known))
        try:
            with self._workers().checkout(limits=_LIMITS, os_policy=_POLICY) as session:
                if state is not None:
                    session.load_session(state)
                for index in range(known, len(codes)):
                    printed = CollectString(max_bytes=OUTPUT_BYTES)
                    try:
                        if _needs_round(codes, index):
                            session.feed_run(ROUND)
                        session.feed_run(codes[index], print_callback=printed)
                    except MontyCrashedError:
                        raise
                    except MontyError as error:
                        seconds = time.perf_counter() - started
                        return _failed(error, printed.output, codes[: index + 1], seconds)
                    output = printed.output
                    if keep_states:
                        self._remember(keys[index], session, output)
        except (MontyError, TimeoutError, OSError) as error:
            # A program may end its worker each time; real Python then says what became of it.
            seconds, reason = time.perf_counter() - started, f"{type(error).__name__}: {error}"
            execution = Execution(Verdict.INFRASTRUCTURE, "", LEVEL, known, reason, seconds)
            return MontyRun(execution, Doubt.LIKELY_OURS)
        return MontyRun(Execution(Verdict.OK, output, LEVEL, len(codes), "", time.perf_counter() - started))

    def close(self) -> None:
        """End the workers and forget every state."""
        with self._lock:
            pool, self._pool = self._pool, None
            self._states = Recent(BYTES_KEPT)
        if pool is not None:
            pool.__exit__(None, None, None)

    def _workers(self) -> Monty:
        with self._lock:
            if self._pool is None:
                self._pool = Monty(max_processes=self._processes, request_timeout=30.0).__enter__()
            return self._pool

    def _longest_known(self, keys: Sequence[bytes]) -> tuple[int, bytes | None, str]:
        with self._lock:
            for length in range(len(keys), 0, -1):
                found = self._states.get(keys[length - 1])
                # Without its state a step is known only as a path's last one: nothing can go on from it.
                if found is not None and (found.state is not None or length == len(keys)):
                    return length, found.state, found.output
        return 0, None, ""

    def _remember(self, key: bytes, session: MontySession, output: str) -> None:
        with self._lock:
            if self._states.get(key) is not None:
                return
        try:
            state = session.dump()
        except MontyError as error:
            # A dump may need more memory than the step was allowed, and then ends the worker.
            self._keep(key, _Left(None, output))
            raise _DumpFailed from error
        self._keep(key, _Left(state if len(state) <= LONGEST_STATE else None, output))

    def _keep(self, key: bytes, left: _Left) -> None:
        with self._lock:
            self._states.keep(key, left, len(left.state or b"") + text_bytes([left.output]))


def _needs_round(codes: Sequence[str], index: int) -> bool:
    """Whether a step is the path's first to name round: a later one may mean what an earlier one defined."""
    return "round" in codes[index] and not any("round" in code for code in codes[:index])


def _failed(error: MontyError, printed: str, codes: Sequence[str], seconds: float) -> MontyRun:
    cause = error.exception() if isinstance(error, MontyRuntimeError | MontySyntaxError) else error
    message = f"{type(cause).__name__}: {cause}"
    execution = Execution(Verdict.PROGRAM_ERROR, printed, LEVEL, len(codes) - 1, message[:500], seconds)
    return MontyRun(execution, doubt=_doubt(cause, codes))


def _doubt(cause: BaseException, codes: Sequence[str]) -> Doubt:
    """Whether the exception may come from what Monty lacks rather than from the program.

    Only what no subset of Python can raise by itself is believed at once; a second look costs milliseconds,
    and an error believed wrongly is evidence against a step that is right.
    """
    if isinstance(cause, NameError) and not isinstance(cause, UnboundLocalError):
        missing = _UNDEFINED.search(str(cause))
        return Doubt.LIKELY_OURS if missing is not None and hasattr(builtins, missing[1]) else Doubt.NONE
    if isinstance(cause, ImportError | NotImplementedError | TimeoutError) or _NEVER_SAID in str(cause):
        return Doubt.LIKELY_OURS
    # Monty runs generator expressions to their end, past the element at which any() or all() would stop.
    if isinstance(cause, ZeroDivisionError | AssertionError) and not any(" for " in code for code in codes):
        return Doubt.NONE
    return Doubt.POSSIBLE
