"""Many searches over one policy: the same trees alone and together, fuller batches, no barrier, no double
work.
"""

import threading
import time

import pytest

from ml.execution import Execution, Verdict, sandbox
from ml.policies.protocol import Prefix, Unanswerable
from ml.records import Problem
from ml.search import omegaprm, omegaprm_given, rest_mcts, rstar
from ml.search.drive import Drive
from ml.search.requests import Completions, Grade, Run, gather
from ml.search.walk import Walk
from tests.ml.search.toy import ChainPolicy, ShortSightedPolicy, chain_problem, prose_solution

PROBLEMS = [chain_problem(*[(7 * i + j) % 9 + 1 for j in range(5)], name=f"p{i}") for i in range(12)]


def searches(style="code", seed=0):
    options = rstar.RStar(rollouts=6, candidates=3)
    return [(p.id, rstar.search(p, options, seed, style=style)) for p in PROBLEMS]


def trees(walk, found):
    return {done.key: done.result.as_json() for done in walk.drive(found)}


@pytest.mark.parametrize("style", ["prose", "code"])
def test_a_tree_is_the_same_alone_and_among_others(style):
    together = trees(Walk(ChainPolicy(0.3), sandbox()), searches(style))
    alone = {}
    for one in searches(style):
        alone |= trees(Walk(ChainPolicy(0.3), sandbox(), parallel=1, max_sequences=1), [one])
    assert together == alone
    assert len(together) == len(PROBLEMS)


def test_another_seed_gives_other_trees():
    assert trees(Walk(ChainPolicy(0.3), sandbox()), searches(seed=1)) != trees(
        Walk(ChainPolicy(0.3), sandbox()), searches(seed=2)
    )


def test_pending_prefixes_of_many_trees_share_a_policy_call():
    together, alone = ChainPolicy(0.3), ChainPolicy(0.3)
    trees(Walk(together, sandbox(), parallel=12), searches())
    trees(Walk(alone, sandbox(), parallel=1), searches())
    assert len(together.batches) * 3 < len(alone.batches)


def test_equal_requests_are_sent_once_and_cost_is_counted_once():
    policy = ChainPolicy(0.3)
    walk = Walk(policy, sandbox())
    prefix = Prefix(PROBLEMS[0], ())

    def ask():
        first = yield [Completions(prefix, 4, 0.8, 0)]
        again = yield [Completions(prefix, 4, 0.8, 0)]
        assert first == again
        return first[0]

    done = list(walk.drive([("a", ask()), ("b", ask())]))
    assert sum(policy.batches) == 1
    assert walk.cost.tokens == sum(continuation.tokens for continuation in done[0].result)
    # Each search's own account is as if it had been alone.
    assert done[0].cost.tokens == done[1].cost.tokens == 2 * walk.cost.tokens


def test_a_request_that_is_being_answered_is_joined_and_not_sent_again():
    under_way, asked_again = threading.Event(), threading.Event()
    request = Completions(Prefix(PROBLEMS[0], ()), 4, 0.8, 0)

    class SlowPolicy(ChainPolicy):
        def complete(self, *call):
            under_way.set()
            assert asked_again.wait(20)
            return super().complete(*call)

    class PatientSandbox:
        level = "test"

        def execute(self, codes, keep_states=True):
            assert under_way.wait(20)
            return Execution(Verdict.OK, "", self.level, len(codes))

    def first():
        return (yield [request])[0]

    def second():
        yield [Run(("wait until the first is asked",))]
        asked_again.set()
        return (yield [request])[0]

    policy = SlowPolicy(0.3)
    walk = Walk(policy, PatientSandbox())
    found = {done.key: done.result for done in walk.drive([("a", first()), ("b", second())])}
    assert policy.batches == [1]
    assert found["a"] == found["b"]
    assert walk.cost.tokens == sum(continuation.tokens for continuation in found["a"])


def test_a_slow_execution_holds_no_other_tree():
    release = threading.Event()

    class StuckSandbox:
        level = "test"

        def execute(self, codes, keep_states=True):
            if codes[0] == "slow":
                assert release.wait(20)
            return Execution(Verdict.OK, "", self.level, len(codes))

    def one(code):
        yield [Run((code,))]
        return code

    order = []
    for done in Walk(ChainPolicy(), StuckSandbox()).drive([("slow", one("slow")), ("quick", one("quick"))]):
        order.append(done.key)
        release.set()
    assert order == ["quick", "slow"]


def test_an_answer_that_text_or_numbers_tell_is_graded_without_a_thread(monkeypatch):
    class NeverRuns:
        level = "test"

        def execute(self, codes, keep_states=True):
            raise AssertionError("no code to run")

    def graded():
        problem = Problem("p", "What is one half?", "1/2")
        return (
            yield [Grade(problem, (f"The answer is {answer}.",)) for answer in ("0.5", "2/4", "3", "1+x")]
        )

    asked = []
    monkeypatch.setattr("ml.answers.math_verify_verdict", lambda *pair: asked.append(pair) or False)
    monkeypatch.setattr(Drive, "_execute", note_thread := NotedThread(Drive._execute))
    (done,) = Walk(ChainPolicy(), NeverRuns()).drive([("p", graded())])
    assert [one.is_correct for one in done.result] == [True, True, False, False]
    assert asked == [("1+x", "1/2")] and note_thread.calls == 1
    # What a person should look at is noted there as well.
    assert done.disputed == {("1/2", "2/4"): True} and done.ungraded == 0


class NotedThread:
    """A method that counts its calls."""

    def __init__(self, method):
        self.method, self.calls = method, 0

    def __get__(self, drive, _):
        return lambda *arguments: self(drive, *arguments)

    def __call__(self, *arguments):
        self.calls += 1
        return self.method(*arguments)


def test_many_that_wait_for_a_grader_keep_nothing_else_from_being_run(monkeypatch):
    release = threading.Event()

    class Quick:
        level = "test"

        def execute(self, codes, keep_states=True):
            return Execution(Verdict.OK, "", self.level, len(codes))

    def waits(number):
        # Pairs that no other test asks about: what is known is not compared again.
        return (yield [Grade(Problem("p", "?", "1+y"), (f"The answer is y+{number + 700}.",))])

    def runs():
        return (yield [Run(("quick",))])

    monkeypatch.setattr("ml.answers.math_verify_verdict", lambda *_: release.wait(20))
    among = [*((number, waits(number)) for number in range(20)), ("runs", runs())]
    order = []
    for done in Walk(ChainPolicy(), Quick()).drive(among):
        order.append(done.key)
        release.set()
    assert order[0] == "runs" and len(order) == 21


def test_a_failing_policy_ends_the_drive_with_its_own_error():
    class Failing(ChainPolicy):
        def next_steps(self, *args):
            raise RuntimeError("the server is gone")

    with pytest.raises(RuntimeError, match="the server is gone"):
        trees(Walk(Failing(), sandbox()), searches())


def test_a_prefix_that_the_policy_cannot_read_ends_its_own_search_and_no_other():
    options = rstar.RStar(rollouts=6, candidates=3)
    long = [chain_problem(*range(first, first + 8), name=f"long{first}") for first in (1, 2)]

    def among():
        yield from searches()
        yield from ((p.id, rstar.search(p, options, 0, style="code")) for p in long)

    found = list(Walk(ShortSightedPolicy(0.3), sandbox()).drive(among(), lambda key: None))
    refused = {one.key: one.unanswered for one in found if one.unanswered}
    assert refused == {problem.id: f"problem {problem.id!r} is too long" for problem in long}
    assert all(one.result is None for one in found if one.unanswered)
    others = {one.key: one.result.as_json() for one in found if not one.unanswered}
    assert others == trees(Walk(ChainPolicy(0.3), sandbox()), searches())


def test_a_search_that_asks_again_what_the_policy_could_not_read_ends_too():
    prefix = Prefix(chain_problem(*range(1, 9), name="long"), ())
    closed = []

    def ask(name):
        try:
            yield [Completions(Prefix(PROBLEMS[0], ()), 2, 0.8, 0), Completions(prefix, 2, 0.8, 0)]
        finally:
            closed.append(name)

    policy = ShortSightedPolicy()
    walk = Walk(policy, sandbox(), parallel=1)
    found = [
        (one.key, one.result, one.unanswered) for one in walk.drive([("a", ask("a")), ("b", ask("b"))], str)
    ]
    assert found == [(key, key, "problem 'long' is too long") for key in "ab"]
    assert policy.batches == [2] and closed == ["a", "b"]
    # What was written beside it is paid for.
    assert walk.cost.tokens > 0 and walk.cost.model_calls == 2


def test_without_a_word_on_what_stands_for_it_an_unreadable_prefix_ends_the_drive():
    long = chain_problem(*range(1, 9), name="long")
    with pytest.raises(Unanswerable, match="problem 'long' is too long"):
        trees(Walk(ShortSightedPolicy(), sandbox()), [("x", rstar.search(long, rstar.RStar(), 0))])


def test_gather_sends_the_requests_of_its_parts_together():
    prefix = Prefix(PROBLEMS[0], ())

    def part(count):
        answer = yield [Completions(prefix, count, 0.8, 0)]
        if count == 2:
            answer = yield [Completions(prefix, 5, 0.8, 0)]
        return answer[0]

    whole = gather([part(1), part(2), part(3)])
    assert [request.count for request in next(whole)] == [1, 2, 3]
    assert [request.count for request in whole.send(["one", "two", "three"])] == [5]
    with pytest.raises(StopIteration) as end:
        whole.send(["five"])
    assert end.value.value == ["one", "five", "three"]


@pytest.mark.parametrize(
    "module,options", [(omegaprm_given, omegaprm.OmegaPrm()), (rest_mcts, rest_mcts.RestMcts())]
)
def test_estimates_do_not_depend_on_company(module, options):
    solutions = [
        prose_solution(
            chain_problem(1, 2, 3, i, name=f"c{i}"), [3, 6 + i % 2, 6 + i % 2 + i], 6 + i % 2 + i, f"s{i}"
        )
        for i in range(6)
    ]
    walk = Walk(ChainPolicy(0.2), sandbox())
    together = {
        d.key: d.result for d in walk.drive((s.id, module.estimate(s, options, 0)) for s in solutions)
    }
    for solution in solutions:
        alone = Walk(ChainPolicy(0.2), sandbox()).drive([("x", module.estimate(solution, options, 0))])
        assert next(iter(alone)).result == together[solution.id]


def test_time_is_counted_while_driving():
    walk = Walk(ChainPolicy(), sandbox())
    started = time.monotonic()
    trees(walk, searches())
    assert 0 < walk.cost.seconds <= time.monotonic() - started + 0.01
