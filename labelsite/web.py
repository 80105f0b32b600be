"""How gunicorn serves the site, in the demo, in production and in the benchmarks alike.

`python -m gunicorn --config python:labelsite.web labelsite.wsgi` (with `--bind` for the address).
"""

from __future__ import annotations

import os
import socket
import time

from gunicorn.workers.gthread import ThreadWorker


class BalancedWorker(ThreadWorker):
    """Leaves a new connection to a worker that has fewer.

    Connections stay with the worker that accepted them. The first that wakes would otherwise take a whole
    team, whose requests then queue behind each other while the other worker has nothing to do.
    """

    def accept(self, listener: socket.socket) -> None:
        # Whoever has less to do looks first; for the others there is then nothing left to accept.
        time.sleep(min(0.0005 * self.nr_conns, 0.01))
        super().accept(listener)


workers = os.cpu_count() or 2
# Few, so that requests finish one after the other instead of all at the same late time; more than one, since a
# request that waits for the disk leaves the processor to another.
threads = 3
worker_class = "labelsite.web.BalancedWorker"
# A person's next request comes within a minute: the page's heartbeat.
keepalive = 65
# Its control socket would lie in the user's home, outside VAR.
control_socket_disable = True
