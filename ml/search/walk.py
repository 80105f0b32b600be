"""Drives many searches over one policy at once.

Each search (`requests.py`) runs until it needs something; whatever all of them need is served together: one
policy call for a whole batch of prefixes (one for each prefix of a server, which merges them itself), executions in
threads beside it. No search waits for another to reach the same depth, so one slow tree holds nobody. What a search is
answered depends only on its own requests, never on its company, so a tree is the same alone or among a thousand.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from ml.execution import Executes
from ml.policies.protocol import Continuation, Policy
from ml.recent import ENTRY_BYTES, Recent, text_bytes
from ml.search.active import Finished, Key, Result
from ml.search.cost import Cost
from ml.search.decided import Decided
from ml.search.drive import Drive
from ml.search.grading import NOTHING_DECIDED
from ml.search.requests import Aside, Grade, Request, Run, Search, Value
from ml.search.serving import ValueModel, prefixes_of, write

# A search waits for its executions too: with fewer under way, a policy would have pauses.
LEAST_PARALLEL = 256
BYTES_REMEMBERED = 256 * 1024 * 1024


class Walk:
    """One engine: a policy, a sandbox and, where a method wants one, a value model.

    parallel: searches under way at once, by default enough for all the policy's lanes. max_sequences: continuations
    asked of the policy at a time, in as many calls as it has lanes. decided: what people said of answers, which no
    grader overrules. `cost` sums what was really spent: equal requests of different searches are served once. `texts`
    counts what the policy wrote, see `texts.py`. `on_answers` is called whenever answers
    have come and searches wait for more.
    """

    def __init__(
        self,
        policy: Policy,
        sandbox: Executes,
        value_model: ValueModel | None = None,
        parallel: int | None = None,
        max_sequences: int = 1024,
        decided: Decided = NOTHING_DECIDED,
    ) -> None:
        self.policy, self.sandbox, self.value_model = policy, sandbox, value_model
        self.max_sequences = max_sequences
        self.decided = decided
        self.on_answers: Callable[[], None] = lambda: None
        self.cost = Cost()
        self.texts: Counter[str] = Counter()
        self.batches = 0
        self.started: float | None = None
        self.lanes: int = getattr(policy, "lanes", 1)
        self.parallel = parallel or max(LEAST_PARALLEL, self.lanes)
        self.answers_singly: bool = getattr(policy, "answers_singly", False)
        self._memory: Recent[Request, Any] = Recent(BYTES_REMEMBERED)
        self._valuing = threading.Lock()

    def drive(
        self,
        searches: Iterable[tuple[Key, Search[Result]]],
        without_answer: Callable[[Key], Result] | None = None,
    ) -> Iterator[Finished[Key, Result]]:
        """Run every search; yield each as it ends. `searches` is read lazily, `parallel` ahead.

        without_answer: the result of a search whose policy cannot read what it asks; without it that ends the drive.
        """
        drive: Drive[Key, Result] = Drive(self, iter(searches), without_answer)
        try:
            yield from drive.run()
        finally:
            drive.close()

    @property
    def elapsed(self) -> float:
        """Wall seconds spent driving, the drive under way included."""
        return self.cost.seconds + (time.monotonic() - self.started if self.started is not None else 0.0)

    def recall(self, request: Request) -> Any:
        """An earlier answer to the same request, or None."""
        return self._memory.get(request)

    def remember(self, request: Request, answer: Any) -> None:
        """Keep an answer; those used longest ago are forgotten."""
        self._memory.keep(request, answer, _texts_of(request, answer))

    def serve(self, requests: Sequence[Request]) -> list[Any]:
        """Answer one batch of equal kind (runs in a policy thread); what cannot be read is answered Unanswerable."""
        if not isinstance(requests[0], Value):
            return write(self.policy, requests)
        assert self.value_model is not None, "this method needs a value model"
        with self._valuing:
            return list(self.value_model.values(prefixes_of(requests)))


def _texts_of(request: Request, answer: Any) -> int:
    """The bytes of a policy's request and answer. Prefixes share their steps; each is counted as if it did not."""
    size = 0 if isinstance(request, Run | Grade | Aside) else text_bytes(request.prefix.steps)
    if isinstance(answer, list):
        size += sum(ENTRY_BYTES + text_bytes(one.steps) for one in answer if isinstance(one, Continuation))
    return size
