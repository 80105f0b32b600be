"""What a run really spends, item by item, so that a run that an outage ended knows it when it goes on. Of one that was
killed, what was spent on the items under way is lost.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

from ml.execution import Sandbox
from ml.search.cost import Cost
from ml.search.walk import Walk


class Meter:
    """Counts from its making; the sandbox may have served others before."""

    def __init__(self, walk: Walk, sandbox: Sandbox) -> None:
        self.walk, self.sandbox = walk, sandbox
        self.cost = Cost()
        self.texts = Counter(walk.texts)
        self.prompts = Counter(getattr(walk.policy, "prompt_tokens", {}))
        self.executions, self.infrastructure = Counter(sandbox.executions), sandbox.infrastructure

    def read(self) -> dict[str, Any]:
        """What was spent since the last reading: `cost`, `sandbox_executions` by level, and how many of these were
        `infrastructure`; `texts`, how many the policy wrote and how they ended; `estimated_tokens` where the policy
        has had to estimate how many tokens it wrote; `prompt_tokens` where it counts those `read` and `reused`.
        """
        walk, cost = self.walk, self._spent()
        executions, infrastructure = Counter(self.sandbox.executions), self.sandbox.infrastructure
        spent = {
            "cost": asdict(cost.minus(self.cost)),
            "sandbox_executions": dict(executions - self.executions),
            "infrastructure": infrastructure - self.infrastructure,
            "texts": dict(walk.texts - self.texts),
        }
        self.texts = Counter(walk.texts)
        if getattr(walk.policy, "estimates_tokens", False):
            spent["estimated_tokens"] = True
        if (prompts := getattr(walk.policy, "prompt_tokens", None)) is not None:
            spent["prompt_tokens"] = dict(Counter(prompts) - self.prompts)
            self.prompts = Counter(prompts)
        self.cost, self.executions, self.infrastructure = cost, executions, infrastructure
        return spent

    def unread(self) -> Cost:
        """The cost since the last reading, which stays unread."""
        return self._spent().minus(self.cost)

    @contextlib.contextmanager
    def handing_on(self, keep: Callable[[dict[str, Any]], None]) -> Iterator[None]:
        """Keep what is unread where the block does not end well: it was spent on items that the next start does."""
        try:
            yield
        except BaseException:
            with contextlib.suppress(OSError):
                keep(self.read())
            raise

    def _spent(self) -> Cost:
        cost = self.walk.cost
        return Cost(cost.tokens, cost.model_calls, cost.executions, self.walk.elapsed)
