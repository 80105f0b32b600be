"""Finds work that no message told of, so that nothing depends on the broker.

It queues jobs again whose runner has vanished. Jobs that wait longer than a message needs get another wake-up,
whatever else runs in their queue; if that does not help and nothing runs there, the poller runs the oldest
itself, in a process of its own, unless that queue is not for this machine.
"""

from __future__ import annotations

import logging
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence

from django.conf import settings
from django.db import DatabaseError, connection

from labelsite.embedded.process import die_with_parent
from labelsite.jobs import services
from labelsite.jobs.lateness import Lateness
from labelsite.jobs.models import ARRANGE, Job, JobQuerySet, JobState, Worker
from labelsite.jobs.workers import say_alive, say_goodbye

log = logging.getLogger(__name__)

# A message needs milliseconds; a job that has waited longer than this was not told of.
WAKE_AFTER_SECONDS = 2.0
# How long a woken worker may take before the poller does the work itself.
PATIENCE_SECONDS = 10.0
# Most jobs of one queue that are woken and not yet taken: enough for many workers, and a bound on the messages
# about a long queue, which waits for free workers and not for messages.
MOST_WOKEN = 32
# A wake-up may get lost too (a broker that starts afresh), and busy workers leave theirs lying for long.
WAKE_AGAIN_SECONDS = 300.0
# A broker that cannot be reached holds up each attempt by its timeout, and with it every other duty here.
BROKER_PAUSE_SECONDS = 10.0
ROUND_SECONDS = 1.0


class Poller:
    """Call `round` about once a second; `stop` ends what it runs.

    It runs jobs of `queues` only: a host without a GPU has nothing to offer to a training. It looks after all.
    """

    def __init__(
        self, patience: float = PATIENCE_SECONDS, queues: Sequence[str] = settings.JOB_QUEUES
    ) -> None:
        self.patience, self.queues = patience, queues
        self.name = f"poller@{socket.gethostname()}"
        # For each queue the jobs that were woken and wait still, with the time of their last wake-up.
        self.woken: dict[str, dict[int, float]] = {queue: {} for queue in settings.JOB_QUEUES}
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.lateness = Lateness()
        # Since when nothing was seen to run in a queue.
        self.idle_since: dict[str, float] = {}
        self._told_at = -float(Worker.BEAT_SECONDS)
        self._broker_failed_at = -BROKER_PAUSE_SECONDS

    def run_forever(self) -> None:
        """Poll until the process is told to end; the database may come and go meanwhile."""
        try:
            while True:
                try:
                    self.round()
                except DatabaseError as problem:
                    log.warning("the database does not answer: %s", problem)
                    self.lateness.forget()
                    connection.close()
                time.sleep(ROUND_SECONDS)
        finally:
            self.stop()

    def round(self) -> None:
        """Look once at everything."""
        services.reap(self.lateness.is_over)
        for queue in settings.JOB_QUEUES:
            self._look_after(queue)
        if time.monotonic() - self._told_at >= Worker.BEAT_SECONDS:
            say_alive(self.name, self.queues)
            self._told_at = time.monotonic()

    def stop(self) -> None:
        """End the processes that run jobs here; their jobs wait again."""
        for process in self.running.values():
            process.terminate()
        for process in self.running.values():
            process.wait()
        say_goodbye(self.name)

    def _look_after(self, queue: str) -> None:
        overdue = Job.objects.waiting(queue, WAKE_AFTER_SECONDS)
        self._wake(queue, overdue)
        if queue not in self.queues:
            return
        if not self._is_idle(queue):
            self.idle_since.pop(queue, None)
            return
        # A worker that has just ended one job gets as much time for the next as one that was just woken.
        idle_since = self.idle_since.setdefault(queue, time.monotonic())
        job = overdue.first()
        if job is None:
            return
        woken_at = self.woken[queue].get(job.pk)
        nobody_was_told = woken_at is None and self._broker_failed_lately()
        if nobody_was_told or time.monotonic() - max(woken_at or idle_since, idle_since) >= self.patience:
            self._run(job)

    def _wake(self, queue: str, overdue: JobQuerySet) -> None:
        woken = self.woken[queue]
        # A job that was taken, and one that was queued again since, is no longer overdue: it makes room.
        waiting = set(overdue.filter(pk__in=woken).values_list("pk", flat=True))
        for pk in woken.keys() - waiting:
            del woken[pk]
        for job in overdue.exclude(pk__in=self._lately_woken(queue))[:MOST_WOKEN]:
            if (job.pk not in woken and len(woken) >= MOST_WOKEN) or not self._send(job):
                return
            woken[job.pk] = time.monotonic()

    def _lately_woken(self, queue: str) -> list[int]:
        now = time.monotonic()
        return [pk for pk, at in self.woken[queue].items() if now - at < WAKE_AGAIN_SECONDS]

    def _send(self, job: Job) -> bool:
        """Wake a worker; False where that fails, or failed a moment ago."""
        if self._broker_failed_lately():
            return False
        if services.wake(job):
            return True
        self._broker_failed_at = time.monotonic()
        return False

    def _broker_failed_lately(self) -> bool:
        return time.monotonic() - self._broker_failed_at < BROKER_PAUSE_SECONDS

    def _is_idle(self, queue: str) -> bool:
        """Whether nothing runs in the queue; otherwise somebody is there, who will come to the next job."""
        mine = self.running.get(queue)
        if mine is not None and mine.poll() is None:
            return False
        running = Job.objects.filter(queue=queue, state=JobState.RUNNING)
        # Those are run by whoever has changed a campaign, often a web request, which comes to no other job.
        return not running.exclude(verb=ARRANGE).exists()

    def _run(self, job: Job) -> None:
        log.warning("no worker takes %s; running it here", job)
        self.running[job.queue] = subprocess.Popen(
            [sys.executable, "manage.py", "run_job", str(job.pk)],
            cwd=settings.BASE_DIR,
            stdin=subprocess.DEVNULL,
            preexec_fn=die_with_parent(signal.SIGTERM),
        )
