"""How gunicorn serves the site, in the demo, in production and in the benchmarks alike.

`python -m gunicorn --config python:labelsite.web labelsite.wsgi` (with `--bind` for the address).
"""

from __future__ import annotations

import mmap
import socket
import time

from gunicorn.arbiter import Arbiter
from gunicorn.workers.gthread import ThreadWorker

from labelsite.environment import whole_number
from ml.cores import usable_cores

# One number for each worker, in memory that the master and all workers share: 1 more than its open connections,
# 0 where there is no worker. One that goes away accepts nothing more, and nobody waits for it. Workers beyond these
# seats share one more, at which nobody looks.
SEATS = 256
loads = memoryview(mmap.mmap(-1, (SEATS + 1) * 4)).cast("I")
GOING = 2**32 - 1

# For so long a worker leaves a new connection to one that has fewer (seconds), then it takes it all the same.
PATIENCE = 0.25

# Each thread of each worker keeps a connection to the database, of which a PostgreSQL has 100 unless told otherwise.
MOST_WORKERS = 16


class BalancedWorker(ThreadWorker):
    """Leaves a new connection to a worker that has fewer.

    Connections stay with the worker that accepted them. The first that wakes would otherwise take a whole
    team, whose requests then queue behind each other while the other worker has nothing to do.
    """

    seat: int
    waiting_since = 0.0
    waited_last = 0.0

    def accept(self, listener: socket.socket) -> None:
        """Called for as long as a connection is there to be accepted, so that leaving it means to be asked again."""
        if 1 + self.nr_conns > min(load for load in loads[:SEATS] if load) and self.is_patient():
            time.sleep(0.0005)
        else:
            super().accept(listener)

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """Tells the others after each turn, in which connections are accepted and closed."""
        super().wait_for_and_dispatch_events(timeout)
        loads[self.seat] = 1 + self.nr_conns if self.alive else GOING

    def is_patient(self) -> bool:
        """Whether the connection at hand has not waited for long."""
        now = time.monotonic()
        if now - self.waited_last > PATIENCE:
            # What it waited for before was taken long ago.
            self.waiting_since = now
        self.waited_last = now
        return now - self.waiting_since < PATIENCE


def worker_processes() -> int:
    """How many workers: WEB_CONCURRENCY, else one for each core that this process may use, up to MOST_WORKERS."""
    return whole_number("WEB_CONCURRENCY", min(MOST_WORKERS, usable_cores()), least=1)


def pre_fork(server: Arbiter, worker: BalancedWorker) -> None:
    """Gives a worker its number among the loads."""
    worker.seat = next((seat for seat in range(SEATS) if not loads[seat]), SEATS)
    loads[worker.seat] = 1


def child_exit(server: Arbiter, worker: BalancedWorker) -> None:
    loads[worker.seat] = 0


workers = worker_processes()
# Few, so that requests finish one after the other instead of all at the same late time; more than one, since a
# request that waits for the disk leaves the processor to another.
threads = 3
worker_class = "labelsite.web.BalancedWorker"
# A person's next request comes within a minute: the page's heartbeat.
keepalive = 65
# Its control socket would lie in the user's home, outside VAR.
control_socket_disable = True
