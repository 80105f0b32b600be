"""Drives many searches over one policy at once.

Each search (`requests.py`) runs until it needs something; whatever all of them need is served together: one
policy call for a whole batch of prefixes, executions in threads beside it. No search waits for another to
reach the same depth, so one slow tree holds nobody. What a search is answered depends only on its own
requests, never on its company, so a tree is the same alone or among a thousand.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Generic

from ml.execution import Execution, Verdict
from ml.policies.protocol import Continuation, Policy, Unanswerable
from ml.recent import ENTRY_BYTES, Recent, text_bytes
from ml.search.active import Active, Finished, Key, Result, tokens_of
from ml.search.cost import Cost
from ml.search.decided import Decided
from ml.search.grading import NOTHING_DECIDED, Executes, grade
from ml.search.requests import Grade, Graded, Request, Run, Search, Value, group_of, sequences_of
from ml.search.serving import ValueModel, prefixes_of, write

# While executions are under way, a policy batch that is not full waits this long for what they will ask.
LINGER_SECONDS = 0.004
BYTES_REMEMBERED = 256 * 1024 * 1024


class Walk:
    """One engine: a policy, a sandbox and, where a method wants one, a value model.

    parallel: searches under way at once. max_sequences: continuations asked of the policy at a time, in as
    many calls as it has lanes. decided: what people said of answers, which no grader overrules. `cost` sums what
    was really spent: equal requests of different searches are served once.
    """

    def __init__(
        self,
        policy: Policy,
        sandbox: Executes,
        value_model: ValueModel | None = None,
        parallel: int = 256,
        max_sequences: int = 1024,
        execution_threads: int = 2,
        decided: Decided = NOTHING_DECIDED,
    ) -> None:
        self.policy, self.sandbox, self.value_model = policy, sandbox, value_model
        self.parallel, self.max_sequences = parallel, max_sequences
        self.execution_threads, self.decided = execution_threads, decided
        self.cost = Cost()
        self.batches = 0
        self.started: float | None = None
        self.lanes: int = getattr(policy, "lanes", 1)
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
        drive: _Drive[Key, Result] = _Drive(self, iter(searches), without_answer)
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
    size = 0 if isinstance(request, Run | Grade) else text_bytes(request.prefix.steps)
    if isinstance(answer, list):
        size += sum(ENTRY_BYTES + text_bytes(one.steps) for one in answer if isinstance(one, Continuation))
    return size


class _Drive(Generic[Key, Result]):
    """One run of an engine: the searches under way, what is asked, and what is being answered."""

    def __init__(
        self,
        walk: Walk,
        source: Iterator[tuple[Key, Search[Result]]],
        without_answer: Callable[[Key], Result] | None,
    ) -> None:
        self.walk, self.source, self.without_answer = walk, source, without_answer
        self.active = 0
        self.exhausted = False
        self.asked: dict[Hashable, OrderedDict[Request, list[tuple[Active[Key, Result], int]]]] = {}
        # Who waits for what is being answered: an equal request joins them, it is never served twice.
        self.being_answered: dict[Request, list[tuple[Active[Key, Result], int]]] = {}
        self.answered: queue.SimpleQueue[Callable[[], list[Active[Key, Result]]]] = queue.SimpleQueue()
        self.executing = 0
        self.calls = 0
        self.lingering_since: float | None = None
        self.policy_threads = ThreadPoolExecutor(walk.lanes, "policy")
        self.execution_pool = ThreadPoolExecutor(walk.execution_threads, "execution")
        self.started = walk.started = time.monotonic()

    def run(self) -> Iterator[Finished[Key, Result]]:
        while True:
            yield from self._fill()
            if not self.active:
                break
            self._start_policy()
            try:
                collect = self.answered.get(timeout=LINGER_SECONDS if self._lingers() else None)
            except queue.Empty:
                continue
            for search in collect():
                yield from self._advance(search)
        self.walk.cost.seconds += time.monotonic() - self.started
        self.walk.started = None

    def close(self) -> None:
        self.policy_threads.shutdown(wait=True, cancel_futures=True)
        self.execution_pool.shutdown(wait=True, cancel_futures=True)

    def _fill(self) -> Iterator[Finished[Key, Result]]:
        while self.active < self.walk.parallel and not self.exhausted:
            following = next(self.source, None)
            if following is None:
                self.exhausted = True
                break
            self.active += 1
            yield from self._advance(Active(following[0], following[1]), first=True)

    def _advance(self, search: Active[Key, Result], first: bool = False) -> Iterator[Finished[Key, Result]]:
        """Hand a search its answers, and ask what it wants next, until it has to wait or ends."""
        while first or not search.missing:
            if search.refusal is not None:
                yield self._give_up(search, search.refusal)
                return
            try:
                wanted = next(search.search) if first else search.search.send(search.answers)
            except StopIteration as end:
                self.active -= 1
                yield search.ended(end.value)
                return
            first = False
            search.answers = [None] * len(wanted)
            search.missing = 0
            for index, request in enumerate(wanted):
                self._ask(search, index, request)

    def _give_up(self, search: Active[Key, Result], refusal: Unanswerable) -> Finished[Key, Result]:
        """End one search that the policy cannot serve; an outage, which would end them all, comes another way."""
        if self.without_answer is None:
            raise refusal
        self.active -= 1
        search.search.close()
        return search.ended(self.without_answer(search.key), str(refusal))

    def _ask(self, search: Active[Key, Result], index: int, request: Request) -> None:
        if isinstance(request, Run) and not request.codes:
            search.answers[index] = Execution(Verdict.OK, "", self.walk.sandbox.level, 0)
            return
        if isinstance(request, Run | Grade):
            search.missing += 1
            self.executing += 1
            self.execution_pool.submit(self._execute, search, index, request)
            return
        search.cost.model_calls += 1
        known = self.walk.recall(request)
        if known is not None:
            search.answers[index] = known
            search.cost.tokens += tokens_of(known)
            return
        search.missing += 1
        waiters = self.being_answered.get(request)
        if waiters is None:
            waiters = self.asked.setdefault(group_of(request), OrderedDict()).setdefault(request, [])
        waiters.append((search, index))

    def _execute(self, search: Active[Key, Result], index: int, request: Run | Grade) -> None:
        """In an execution thread: answer one request, and leave the bookkeeping to the driving thread."""
        answer: Any = None
        failure: BaseException | None = None
        try:
            if isinstance(request, Run):
                answer = self.walk.sandbox.execute(request.codes)
                runs = 1
            else:
                answer = grade(request.problem, request.steps, self.walk.sandbox, self.walk.decided)
                runs = int(answer.execution is not None)
        except BaseException as error:
            failure, runs = error, 0

        def collect() -> list[Active[Key, Result]]:
            self.executing -= 1
            if failure is not None:
                raise failure
            search.cost.executions += runs
            if isinstance(answer, Graded) and not answer.is_evidence:
                search.ungraded += 1
            if isinstance(answer, Graded) and answer.is_disputed:
                assert isinstance(request, Grade)
                search.disputed[request.problem.answer, str(answer.answer)] = answer.is_correct
            if isinstance(answer, Graded) and answer.is_decided:
                search.decided[str(answer.answer)] = answer.is_correct
            self.walk.cost.executions += runs
            return [search] if self._answer(search, index, answer) else []

        self.answered.put(collect)

    def _lingers(self) -> bool:
        return bool(self.asked) and self.calls < self.walk.lanes

    def _start_policy(self) -> None:
        """Send what waits to the policy, the largest group of like requests first."""
        while self.asked and self.calls < self.walk.lanes:
            group = max(self.asked, key=lambda name: len(self.asked[name]))
            waiting = self.asked[group]
            room = max(1, self.walk.max_sequences // self.walk.lanes // sequences_of(next(iter(waiting))))
            if self._fuller_call_is_coming(len(waiting), room):
                return
            batch = [waiting.popitem(last=False) for _ in range(min(room, len(waiting)))]
            if not waiting:
                del self.asked[group]
            self._call(batch)

    def _fuller_call_is_coming(self, waiting: int, room: int) -> bool:
        """Whether to wait a moment for executions under way: only for a policy that cannot merge calls."""
        if self.walk.lanes > 1 or not self.executing or waiting >= room:
            self.lingering_since = None
            return False
        now = time.monotonic()
        self.lingering_since = self.lingering_since or now
        if now - self.lingering_since < LINGER_SECONDS:
            return True
        self.lingering_since = None
        return False

    def _call(self, batch: Sequence[tuple[Request, list[tuple[Active[Key, Result], int]]]]) -> None:
        self.calls += 1
        self.being_answered.update(batch)
        future = self.policy_threads.submit(self.walk.serve, [request for request, _ in batch])
        future.add_done_callback(lambda done: self.answered.put(lambda: self._collect_batch(batch, done)))

    def _collect_batch(
        self,
        batch: Sequence[tuple[Request, list[tuple[Active[Key, Result], int]]]],
        future: Future[list[Any]],
    ) -> list[Active[Key, Result]]:
        self.calls -= 1
        ready = []
        self.walk.batches += 1
        for (request, waiters), answer in zip(batch, future.result(), strict=True):
            del self.being_answered[request]
            self.walk.remember(request, answer)
            self.walk.cost.model_calls += 1
            self.walk.cost.tokens += tokens_of(answer)
            for search, index in waiters:
                search.cost.tokens += tokens_of(answer)
                if self._answer(search, index, answer):
                    ready.append(search)
        return ready

    def _answer(self, search: Active[Key, Result], index: int, answer: Any) -> bool:
        """Note one answer; True when the search has all it waited for."""
        search.answers[index] = answer
        search.missing -= 1
        return search.missing == 0
