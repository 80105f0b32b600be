"""A process that has torch and transformers at hand when it begins: to import them takes four seconds of CPU time.

One fresh interpreter imports them once and forks for each process. That process is its own in all that the tests do
to it: it has a number, gets signals, holds locks, leaves a status, and runs what `python -m MODULE` runs.
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

_server = multiprocessing.get_context("forkserver")
_server.set_forkserver_preload(["tests.ml.prm.warm_imports"])


class WarmProcess:
    """As `subprocess.Popen([sys.executable, "-m", module, ...], text=True)` with both outputs piped."""

    def __init__(self, module: str, *arguments: str, **environment: str) -> None:
        pipes = [multiprocessing.Pipe(duplex=False) for _ in range(2)]
        variables = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
        ends = [writes for _, writes in pipes]
        self._process = _server.Process(target=_run, args=(module, arguments, variables, *ends))
        self._process.start()
        for writes in ends:
            writes.close()
        self.stdout, self._stderr = (os.fdopen(os.dup(reads.fileno())) for reads, _ in pipes)

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> None:
        self._process.join(timeout)

    def send_signal(self, number: int) -> None:
        os.kill(self._process.pid, number)

    def kill(self) -> None:
        self._process.kill()

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """What it wrote until its end."""
        with ThreadPoolExecutor(2) as pool:
            written = [pool.submit(stream.read) for stream in (self.stdout, self._stderr)]
            self.wait(timeout)
            if self.returncode is None:
                self.kill()
                raise subprocess.TimeoutExpired(self._process.name, timeout or 0)
            return written[0].result(), written[1].result()


def _run(
    module: str, arguments: Sequence[str], variables: Mapping[str, str], out: Connection, err: Connection
) -> None:
    """What the process does: as the interpreter does when it is told `-m module`."""
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
