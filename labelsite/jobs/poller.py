"""Finds work that no message told of, so that nothing depends on the broker.

It queues jobs again whose runner has vanished. A job that waits although nothing runs in its queue gets
another wake-up; if that does not help either, the poller runs it itself, in a process of its own.
"""

from __future__ import annotations

import logging
import signal
import socket
import subprocess
import sys
import time

from django.conf import settings
from django.db import DatabaseError, connection

from labelsite.embedded.process import die_with_parent
from labelsite.jobs import services
from labelsite.jobs.models import Job, JobState, Worker
from labelsite.jobs.workers import say_alive, say_goodbye

log = logging.getLogger(__name__)

# A message needs milliseconds; a job that has waited longer than this was not told of.
WAKE_AFTER_SECONDS = 2.0
# How long a woken worker may take before the poller does the work itself.
PATIENCE_SECONDS = 10.0
ROUND_SECONDS = 1.0


class Poller:
    """Call `round` about once a second; `stop` ends what it runs."""

    def __init__(self, patience: float = PATIENCE_SECONDS) -> None:
        self.patience = patience
        self.name = f"poller@{socket.gethostname()}"
        self.woken: dict[int, float] = {}
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self._told_at = -float(Worker.BEAT_SECONDS)

    def run_forever(self) -> None:
        """Poll until the process is told to end; the database may come and go meanwhile."""
        try:
            while True:
                try:
                    self.round()
                except DatabaseError as problem:
                    log.warning("the database does not answer: %s", problem)
                    connection.close()
                time.sleep(ROUND_SECONDS)
        finally:
            self.stop()

    def round(self) -> None:
        """Look once at everything."""
        services.reap()
        for queue in settings.JOB_QUEUES:
            self._look_after(queue)
        if time.monotonic() - self._told_at >= Worker.BEAT_SECONDS:
            say_alive(self.name, settings.JOB_QUEUES)
            self._told_at = time.monotonic()

    def stop(self) -> None:
        """End the processes that run jobs here; their jobs wait again."""
        for process in self.running.values():
            process.terminate()
        for process in self.running.values():
            process.wait()
        say_goodbye(self.name)

    def _look_after(self, queue: str) -> None:
        mine = self.running.get(queue)
        if mine is not None and mine.poll() is None:
            return
        if Job.objects.filter(queue=queue, state=JobState.RUNNING).exists():
            # Somebody works in this queue and will come to the next job: no sign of a lost message.
            return
        job = Job.objects.waiting(queue, WAKE_AFTER_SECONDS).first()
        if job is None:
            return
        if job.pk not in self.woken and services.wake(job):
            self.woken[job.pk] = time.monotonic()
        elif time.monotonic() - self.woken.get(job.pk, -self.patience) >= self.patience:
            self.woken.pop(job.pk, None)
            self._run(job)

    def _run(self, job: Job) -> None:
        log.warning("no worker takes %s; running it here", job)
        self.running[job.queue] = subprocess.Popen(
            [sys.executable, "manage.py", "run_job", str(job.pk)],
            cwd=settings.BASE_DIR,
            stdin=subprocess.DEVNULL,
            preexec_fn=die_with_parent(signal.SIGTERM),
        )
