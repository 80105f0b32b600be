"""A transaction that PostgreSQL ended because of others at the same time is done again: it would succeed alone."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from django.db import OperationalError, connection
from psycopg.errors import DeadlockDetected, SerializationFailure

P = ParamSpec("P")
T = TypeVar("T")

ATTEMPTS = 3
# Before the second attempt, and twice that before the third; half as much or half as much again by chance.
PAUSE_SECONDS = 0.1


def again_after_deadlock(service: Callable[P, T]) -> Callable[P, T]:
    """For a service whose transaction begins and ends in it. Inside a caller's transaction, which is lost with its
    statement, the error is the caller's.
    """

    @wraps(service)
    def repeated(*args: P.args, **kwargs: P.kwargs) -> T:
        for attempt in range(ATTEMPTS - 1):
            try:
                return service(*args, **kwargs)
            except OperationalError as error:
                is_lost = isinstance(error.__cause__, DeadlockDetected | SerializationFailure)
                if not is_lost or connection.in_atomic_block:
                    raise
            # Who comes back at once can lock a row before the other, who waited for it, has woken up: they would meet
            # in the same circle again.
            time.sleep(PAUSE_SECONDS * 2**attempt * random.uniform(0.5, 1.5))
        return service(*args, **kwargs)

    return repeated
