"""A server that says nothing: told at once."""

from __future__ import annotations

import math
import threading
import time

from ml.progress import tell

# While a server goes away, some requests are still answered and others are not.
SECONDS_UNTIL_TOLD_AGAIN = 5.0


class Silence:
    """Tells once that a server does not answer, and takes it back when it does."""

    def __init__(self, address: str, what_follows: str) -> None:
        self.address, self.what_follows = address, what_follows
        self._is_told, self._told_at = False, -math.inf
        # Requests are under way side by side, and each meets the same silence.
        self._lock = threading.Lock()

    def tell(self, why: str) -> None:
        """Say it, unless it is said already. A server may still be starting, so it is asked again all the same."""
        with self._lock:
            now = time.monotonic()
            is_new = not self._is_told and now - self._told_at >= SECONDS_UNTIL_TOLD_AGAIN
            if is_new:
                self._is_told, self._told_at = True, now
        if is_new:
            tell(f"policy server {self.address} does not answer ({why}); {self.what_follows}")

    def end(self) -> None:
        """It has answered."""
        if self._is_told:
            with self._lock:
                told, self._is_told = self._is_told, False
            if told:
                tell("")
