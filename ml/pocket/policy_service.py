"""Engines that serve many callers at once: one in a thread of this process, or several in processes of their own.

Calls that arrive while others are under way join their batch, so callers neither wait for each other nor leave
the engine half empty. `python -m ml.pocket.policy_service FOLDER` is such a process: a JSON line for each call.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
import torch

from ml.errors import MisstepError
from ml.pocket.policy_batch import RunningBatch
from ml.pocket.policy_cohort import Generated, Group, Sampling
from ml.pocket.policy_engine import Engine


@dataclass(slots=True, eq=False)
class _Call:
    """Groups that somebody waits for; `done` is told when the last has ended."""

    groups: Sequence[Group]
    done: Future[None]
    missing: int


class EngineThread:
    """An engine in a thread of its own, started at the first call."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._calls: SimpleQueue[_Call] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def submit(self, groups: Sequence[Group]) -> Future[None]:
        """Have the groups sampled; the future says when their results are filled in."""
        call = _Call(groups, Future(), len(groups))
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="engine", daemon=True)
                self._thread.start()
        self._calls.put(call)
        return call.done

    def _serve(self) -> None:
        # Its matrices are so small that a second thread costs more in waiting than it adds.
        torch.set_num_threads(1)
        batch, owners = RunningBatch(self.engine), dict[Group, _Call]()
        while True:
            while not batch.busy or not self._calls.empty():
                call = self._calls.get()
                for group in call.groups:
                    owners[group] = call
                    batch.add(group)
            try:
                finished = batch.turn()
            except Exception as error:
                batch = RunningBatch(self.engine)
                for call in set(owners.values()):
                    call.done.set_exception(error)
                owners.clear()
                continue
            for group in finished:
                call = owners.pop(group)
                call.missing -= 1
                if not call.missing:
                    call.done.set_result(None)


class EngineProcess:
    """An engine in a process of its own, which ends with this one."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "ml.pocket.policy_service", str(folder.resolve())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
            # One thread each: the processes are the parallelism.
            env=os.environ | {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"},
        )
        self._lock = threading.Lock()
        self._calls: dict[int, tuple[Sequence[Group], Future[None]]] = {}
        self._number = 0
        self._reader = threading.Thread(target=self._collect, name="engine answers", daemon=True)
        self._reader.start()

    def submit(self, groups: Sequence[Group]) -> Future[None]:
        """Have the groups sampled; the future says when their results are filled in."""
        done: Future[None] = Future()
        assert self._process.stdin is not None
        with self._lock:
            self._number += 1
            self._calls[self._number] = groups, done
            line = {"call": self._number, "groups": [_as_json(group) for group in groups]}
            try:
                self._process.stdin.write(json.dumps(line) + "\n")
                self._process.stdin.flush()
            except (OSError, ValueError) as error:
                del self._calls[self._number]
                done.set_exception(MisstepError(f"the policy's engine process has ended: {error}"))
        return done

    def close(self) -> None:
        """End the process; calls under way fail."""
        self._process.kill()
        self._process.wait()
        self._reader.join()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def _collect(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            answer = json.loads(line)
            with self._lock:
                groups, done = self._calls.pop(answer["call"])
            for group, results in zip(groups, answer["results"], strict=True):
                group.results.extend(Generated(tokens, score) for tokens, score in results)
            done.set_result(None)
        with self._lock:
            calls, self._calls = self._calls, {}
        for _, done in calls.values():
            done.set_exception(MisstepError("the policy's engine process has ended in the middle of a call"))


def _as_json(group: Group) -> dict[str, Any]:
    sampling = asdict(group.sampling) | {"stops": sorted(group.sampling.stops)}
    return {"parts": group.parts, "keys": group.keys.tolist(), "sampling": sampling}


def _from_json(record: dict[str, Any]) -> Group:
    sampling = record["sampling"]
    return Group(
        tuple(map(tuple, record["parts"])),
        np.array(record["keys"], dtype=np.uint64),
        Sampling(frozenset(sampling.pop("stops")), tuple(sampling.pop("forbidden")), **sampling),
    )


def main(folder: str) -> None:
    """Serve calls from standard input until its end."""
    engine, lock = EngineThread(Engine(Path(folder))), threading.Lock()

    def answer(number: int, groups: Sequence[Group], done: Future[None]) -> None:
        # A failed call ends the process, and with that every call: its owner sees the message above.
        if done.exception() is not None:
            os._exit(1)
        results = [[[one.tokens, one.log_probability] for one in group.results] for group in groups]
        with lock:
            print(json.dumps({"call": number, "results": results}), flush=True)

    for line in sys.stdin:
        call = json.loads(line)
        groups = [_from_json(record) for record in call["groups"]]
        done = engine.submit(groups)
        done.add_done_callback(partial(answer, call["call"], groups))


if __name__ == "__main__":
    # Ctrl-C at a terminal reaches it too: it ends as its parent does, without a traceback.
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    main(sys.argv[1])
    # Its owner has gone. The engine's thread may be inside torch, which aborts where the interpreter ends around it.
    os._exit(0)
