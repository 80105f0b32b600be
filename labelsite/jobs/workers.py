"""Workers that say they are alive, so that a page can say when none is."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from datetime import timedelta

from django.db import DatabaseError, connection
from django.db.models.functions import Now

from labelsite.jobs.models import Worker

log = logging.getLogger(__name__)


def say_alive(name: str, queues: Iterable[str], slots: int = 1) -> None:
    """Note that the worker lives now; forget workers that have been silent for a day."""
    Worker.objects.update_or_create(
        name=name, defaults={"queues": ",".join(sorted(queues)), "slots": slots, "seen_at": Now()}
    )
    Worker.objects.filter(seen_at__lt=Now() - timedelta(days=1)).delete()


def say_goodbye(name: str) -> None:
    """The worker ends; it is not missed, it has left."""
    Worker.objects.filter(name=name).delete()


def queues_served() -> set[str]:
    """The queues that at least one living worker serves."""
    served = Worker.objects.alive().values_list("queues", flat=True)
    return {queue for queues in served for queue in queues.split(",")}


def slots_serving(queue: str) -> int:
    """How many jobs of the queue all living workers do at once."""
    alive = Worker.objects.alive().values_list("queues", "slots")
    return sum(slots for queues, slots in alive if queue in queues.split(","))


class Presence:
    """Says that a worker is alive from a thread of its own, for as long as the worker runs."""

    def __init__(self, name: str, queues: Iterable[str], slots: int = 1) -> None:
        self.name, self.queues, self.slots = name, list(queues), slots
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="presence", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join(timeout=5)

    def _beat(self) -> None:
        while not self._stopped.is_set():
            self._tell(lambda: say_alive(self.name, self.queues, self.slots))
            self._stopped.wait(Worker.BEAT_SECONDS)
        self._tell(lambda: say_goodbye(self.name))

    def _tell(self, news: Callable[[], None]) -> None:
        try:
            news()
        except DatabaseError as problem:
            log.warning("cannot say that worker %s is alive: %s", self.name, problem)
        finally:
            # A pool child is forked now and then; it must not inherit an open connection.
            connection.close()
