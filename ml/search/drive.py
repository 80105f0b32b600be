"""One run of an engine (`walk.py`): which searches are under way, what they ask, and what is being answered."""

from __future__ import annotations

import queue
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, Generic

from ml.cores import worker_count
from ml.execution import Execution, Verdict
from ml.policies.protocol import Unanswerable
from ml.search.active import Active, Finished, Key, Result, tokens_of
from ml.search.executing import Executing
from ml.search.grading import grade, grade_at_once
from ml.search.requests import (
    NO_SANDBOX,
    VALUES,
    Aside,
    Grade,
    Graded,
    Request,
    Run,
    Search,
    Value,
    group_of,
    sequences_of,
)
from ml.search.texts import ends_of, texts_of

if TYPE_CHECKING:
    from ml.search.walk import Walk

# While executions are under way, a policy batch that is not full waits this long for what they will ask.
LINGER_SECONDS = 0.004
# Beside one for each worker of the sandbox: they wait for graders, the slow ones too, and hold no execution meanwhile.
WAITING_THREADS = 30

# Requests with the searches that wait for each, and the place of the answer among theirs.
Batch = Sequence[tuple[Request, list[tuple[Active[Key, Result], int]]]]


class Drive(Generic[Key, Result]):
    """One run of an engine: the searches under way, what is asked, and what is being answered."""

    def __init__(
        self,
        walk: Walk,
        source: Iterator[tuple[Key, Search[Result]]],
        without_answer: Callable[[Key], Result] | None,
    ) -> None:
        self.walk, self.source, self.without_answer = walk, source, without_answer
        self.active, self.exhausted = 0, False
        self.asked: dict[Hashable, OrderedDict[Request, list[tuple[Active[Key, Result], int]]]] = {}
        # Who waits for what is being answered: an equal request joins them, it is never served twice.
        self.being_answered: dict[Request, list[tuple[Active[Key, Result], int]]] = {}
        self.answered: queue.SimpleQueue[Callable[[], list[Active[Key, Result]]]] = queue.SimpleQueue()
        self.executing = 0
        self.calls = 0
        self.valuing = 0
        # What the policy ended with: what is under way is paid for, and still goes to its searches.
        self.failure: BaseException | None = None
        # What ended without an answer that may still turn out to be an outage, which leaves it to the next start.
        self.doubted: list[tuple[Unanswerable, Finished[Key, Result]]] = []
        self.lingering_since: float | None = None
        # One more for the value model, which waits for no server.
        self.policy_threads = ThreadPoolExecutor(walk.lanes + walk.answers_singly, "policy")
        workers = worker_count(least=2)
        self.executions = Executing(workers + WAITING_THREADS, most_of_one=max(2, workers // 2))
        self.started = walk.started = time.monotonic()

    def run(self) -> Iterator[Finished[Key, Result]]:
        while True:
            yield from self._fill()
            if not self.active:
                break
            self.walk.on_answers()
            self._start_policy()
            if self.failure is not None and not (self.calls or self.valuing or self.executing):
                raise self.failure
            try:
                collect = self.answered.get(timeout=LINGER_SECONDS if self._lingers() else None)
            except queue.Empty:
                continue
            for search in collect():
                yield from self._advance(search)
            yield from self._settled()
        yield from (finished for _, finished in self.doubted)
        self.walk.cost.seconds += time.monotonic() - self.started
        self.walk.started = None

    def close(self) -> None:
        self.policy_threads.shutdown(wait=True, cancel_futures=True)
        self.executions.close()

    def _fill(self) -> Iterator[Finished[Key, Result]]:
        while self.active < self.walk.parallel and not self.exhausted and self.failure is None:
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
                yield from self._give_up(search, search.refusal)
                return
            try:
                wanted = next(search.search) if first else search.search.send(search.answers)
            except StopIteration as end:
                self.active -= 1
                yield search.ended(end.value)
                return
            first = False
            search.wanted, search.answers = wanted, [None] * len(wanted)
            search.missing = 0
            for index, request in enumerate(wanted):
                self._ask(search, index, request)

    def _give_up(self, search: Active[Key, Result], refusal: Unanswerable) -> Iterator[Finished[Key, Result]]:
        """End one search that the policy cannot serve; an outage, which would end them all, comes another way."""
        if self.without_answer is None:
            raise refusal
        self.active -= 1
        search.search.close()
        finished = search.ended(self.without_answer(search.key), str(refusal))
        if refusal.is_settled:
            yield finished
        else:
            self.doubted.append((refusal, finished))

    def _settled(self) -> Iterator[Finished[Key, Result]]:
        """What is no longer in doubt."""
        doubted, self.doubted = self.doubted, []
        for refusal, finished in doubted:
            if refusal.is_settled:
                yield finished
            else:
                self.doubted.append((refusal, finished))

    def _ask(self, search: Active[Key, Result], index: int, request: Request) -> None:
        if isinstance(request, Run) and not request.codes:
            search.answers[index] = Execution(Verdict.OK, "", self.walk.sandbox.level, 0)
            return
        if isinstance(request, Grade):
            graded = grade_at_once(request.problem, request.steps, self.walk.decided)
            if graded is not None:
                # Handing it to a thread and back would cost more than the reading.
                search.answers[index] = graded
                _note(search, self.walk.texts, request, graded)
                return
        if isinstance(request, Run | Grade | Aside):
            search.missing += 1
            self.executing += 1
            problem = request.problem.text if isinstance(request, Grade) else None
            self.executions.submit(partial(self._execute, search, index, request), problem)
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

    def _execute(self, search: Active[Key, Result], index: int, request: Run | Grade | Aside) -> None:
        """In an execution thread: answer one request, and leave the bookkeeping to the driving thread."""
        answer: Any = None
        failure: BaseException | None = None
        try:
            if isinstance(request, Run):
                answer = self.walk.sandbox.execute(request.codes)
                runs = 1
            elif isinstance(request, Aside):
                answer, runs = request.work(), 0
            else:
                answer = grade(request.problem, request.steps, self.walk.sandbox, self.walk.decided)
                runs = int(answer.has_run)
        except BaseException as error:
            failure, runs = error, 0

        def collect() -> list[Active[Key, Result]]:
            self.executing -= 1
            if failure is not None:
                raise failure
            search.cost.executions += runs
            _note_level(search, answer)
            if isinstance(request, Grade):
                _note(search, self.walk.texts, request, answer)
            self.walk.cost.executions += runs
            return [search] if self._answer(search, index, answer) else []

        self.answered.put(collect)

    def _lingers(self) -> bool:
        return bool(self.asked) and not self.walk.answers_singly and self.calls < self.walk.lanes

    def _start_policy(self) -> None:
        """Send what waits to the policy, the largest group of like requests first."""
        while self.failure is None and (open_groups := list(filter(self._has_lane, self.asked))):
            group = max(open_groups, key=lambda name: len(self.asked[name]))
            waiting = self.asked[group]
            room = self._room(next(iter(waiting)))
            if self._fuller_call_is_coming(len(waiting), room):
                return
            batch = [waiting.popitem(last=False) for _ in range(min(room, len(waiting)))]
            if not waiting:
                del self.asked[group]
            self._call(batch)

    def _has_lane(self, group: Hashable) -> bool:
        """Whether a call for this group may begin. A server and the value model do not wait for each other."""
        if self.walk.answers_singly and group == VALUES:
            return not self.valuing
        return self.calls < self.walk.lanes

    def _room(self, request: Request) -> int:
        """How many requests like this one go into a call."""
        if self.walk.answers_singly:
            return self.walk.max_sequences if isinstance(request, Value) else 1
        return max(1, self.walk.max_sequences // self.walk.lanes // sequences_of(request))

    def _fuller_call_is_coming(self, waiting: int, room: int) -> bool:
        """Whether to wait a moment for executions under way: only for a policy that cannot merge calls."""
        if self.walk.answers_singly or self.walk.lanes > 1 or not self.executing or waiting >= room:
            self.lingering_since = None
            return False
        now = time.monotonic()
        self.lingering_since = self.lingering_since or now
        if now - self.lingering_since < LINGER_SECONDS:
            return True
        self.lingering_since = None
        return False

    def _call(self, batch: Batch[Key, Result]) -> None:
        self._count_call(batch, 1)
        self.being_answered.update(batch)
        future = self.policy_threads.submit(self.walk.serve, [request for request, _ in batch])
        future.add_done_callback(lambda done: self.answered.put(lambda: self._collect_batch(batch, done)))

    def _count_call(self, batch: Batch[Key, Result], change: int) -> None:
        if self.walk.answers_singly and isinstance(batch[0][0], Value):
            self.valuing += change
        else:
            self.calls += change

    def _collect_batch(
        self, batch: Batch[Key, Result], future: Future[list[Any]]
    ) -> list[Active[Key, Result]]:
        self._count_call(batch, -1)
        if (failure := future.exception()) is not None:
            self.failure = self.failure or failure
            return []
        ready = []
        self.walk.batches += 1
        for (request, waiters), answer in zip(batch, future.result(), strict=True):
            del self.being_answered[request]
            self.walk.remember(request, answer)
            self.walk.cost.model_calls += 1
            self.walk.cost.tokens += tokens_of(answer)
            self.walk.texts.update(texts_of(request, answer))
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


def _note(search: Active[Key, Result], texts: Counter[str], request: Grade, graded: Graded) -> None:
    """Count what a grade says beside right or wrong."""
    texts.update(ends_of(graded))
    search.ungraded += not graded.is_evidence
    if graded.is_disputed:
        search.disputed[request.problem.answer, str(graded.answer)] = graded.is_correct
    if graded.is_decided:
        search.decided[str(graded.answer)] = graded.is_correct


def _note_level(search: Active[Key, Result], answer: Any) -> None:
    """Keep at which level of the sandbox the code of an answer ran, if it had any."""
    execution = answer.execution if isinstance(answer, Graded) else answer
    if isinstance(execution, Execution) and execution.level != NO_SANDBOX:
        search.levels.add(execution.level)
