"""A process that has torch and transformers at hand when it begins: to import them takes four seconds of CPU time.

One fresh interpreter imports them once and forks for each process. That process is its own in all that the tests do
to it: it has a number, leads a session, gets signals, holds locks, leaves a status, and runs what `python -m MODULE`
runs.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection

from tests.data import ROOT

FORKED_WARM = multiprocessing.get_context("forkserver")
FORKED_WARM.set_forkserver_preload(["tests.ml.prm.warm_imports"])


class WarmProcess:
    """As `subprocess.Popen([sys.executable, "-m", module, ...], text=True)` with both outputs piped."""

    def __init__(self, module: str, *arguments: str, **environment: str) -> None:
        self._start(module, arguments, {**os.environ, "OMP_NUM_THREADS": "1", **environment})

    def _start(self, module: str, arguments: Sequence[str], variables: Mapping[str, str]) -> None:
        pipes = [multiprocessing.Pipe(duplex=False) for _ in range(2)]
        ends = [writes for _, writes in pipes]
        self._process = FORKED_WARM.Process(target=_run, args=(module, arguments, variables, *ends))
        self._process.start()
        self.pid = self._process.pid
        for writes in ends:
            writes.close()
        self.stdout, self.stderr = (os.fdopen(os.dup(reads.fileno())) for reads, _ in pipes)

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float | None = None) -> int | None:
        self._process.join(timeout)
        return self.returncode

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        self._process.kill()

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """What it wrote until its end."""
        with ThreadPoolExecutor(2) as pool:
            written = [pool.submit(stream.read) for stream in (self.stdout, self.stderr)]
            self.wait(timeout)
            if self.returncode is None:
                self.kill()
                raise subprocess.TimeoutExpired(self._process.name, timeout or 0)
            return written[0].result(), written[1].result()


class WarmJobChild(WarmProcess):
    """What `labelsite.jobs.child` takes for the `python -m ml VERB` that it asked for: no variables but those given."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str]) -> None:
        _python, _m, module, *arguments = command
        self._start(module, arguments, env)


def _run(
    module: str, arguments: Sequence[str], variables: Mapping[str, str], out: Connection, err: Connection
) -> None:
    """What the process does: as the interpreter does when it is told `-m module`."""
    os.setsid()
    os.dup2(out.fileno(), 1)
    os.dup2(err.fileno(), 2)
    for end in (out, err):
        end.close()
    sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w", buffering=1)
    os.environ.clear()
    os.environ.update(variables)
    os.chdir(ROOT)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
