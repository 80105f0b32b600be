"""Many searches over a server: no tree waits for another's request, and the trees are those of one after the other."""

from __future__ import annotations

import hashlib
import threading

import pytest

from ml.errors import ServerAway
from ml.execution import sandbox
from ml.policies.openai_server import ServerPolicy
from ml.policies.protocol import Prefix
from ml.records import Problem
from ml.search import rstar
from ml.search.requests import Completions, Value
from ml.search.walk import Walk
from tests.ml.policies.small_server import completions

PROBLEMS = [Problem(f"p{number}", f"What is {number} + 1?", str(number + 1)) for number in range(6)]


def asks(problem, times):
    """A search that completes so many prefixes, one after the other."""
    for number in range(times):
        yield [Completions(Prefix(problem, ("So on.",) * number), 2, 0.8, 0)]
    return problem.id


def test_a_tree_goes_on_to_its_end_while_another_one_s_request_hangs(serve):
    release = threading.Event()

    def reply(body, number):
        if "What is 0 + 1?" in body["prompt"]:
            assert release.wait(30)
        return completions(body, number)

    walk = Walk(ServerPolicy(serve(reply).address + "?concurrency=3"), sandbox())
    order = []
    for done in walk.drive([(problem.id, asks(problem, 4)) for problem in PROBLEMS]):
        order.append(done.key)
        if len(order) == len(PROBLEMS) - 1:
            release.set()
    assert order[-1] == "p0" and walk.cost.model_calls == 4 * len(PROBLEMS)
    assert walk.cost.tokens == 10 * 4 * len(PROBLEMS)


def test_a_value_model_works_while_every_request_hangs(serve):
    release = threading.Event()

    class Model:
        name = "lengths"

        def values(self, prefixes):
            return [float(len(prefix.steps)) for prefix in prefixes]

    def reply(body, number):
        assert release.wait(30)
        return completions(body, number)

    def valued():
        return (yield [Value(Prefix(PROBLEMS[0], ("Add.",)))])

    walk = Walk(ServerPolicy(serve(reply).address + "?concurrency=1"), sandbox(), Model())
    order = []
    for done in walk.drive([("asks", asks(PROBLEMS[1], 1)), ("valued", valued())]):
        order.append(done.key)
        release.set()
    assert order == ["valued", "asks"]


def test_no_more_requests_are_under_way_than_allowed_and_as_many_as_that(serve):
    gate = threading.Barrier(3)

    def reply(body, number):
        gate.wait(30)
        return completions(body, number)

    server = serve(reply)
    walk = Walk(ServerPolicy(server.address + "?concurrency=3"), sandbox())
    assert len(list(walk.drive([(problem.id, asks(problem, 2)) for problem in PROBLEMS]))) == 6
    assert server.most_busy == 3


def test_so_many_requests_are_under_way_as_the_concurrency_says_above_the_least_of_searches_too(
    serve, monkeypatch
):
    monkeypatch.setattr("ml.search.walk.LEAST_PARALLEL", 2)
    gate = threading.Barrier(6)

    def reply(body, number):
        gate.wait(30)
        return completions(body, number)

    server = serve(reply)
    walk = Walk(ServerPolicy(server.address + "?concurrency=6"), sandbox())
    assert len(list(walk.drive([(problem.id, asks(problem, 1)) for problem in PROBLEMS]))) == 6
    assert server.most_busy == walk.parallel == 6
    # A number that was asked for stands, and few lanes do not make fewer searches.
    assert Walk(walk.policy, sandbox(), parallel=3).parallel == 3
    assert Walk(ServerPolicy(server.address + "?concurrency=1"), sandbox()).parallel == 2


def test_every_search_that_has_its_answers_ends_before_an_outage_is_raised(serve):
    failed = threading.Event()

    def reply(body, number):
        if "What is 0 + 1?" in body["prompt"]:
            failed.set()
            return 503, {"error": "down"}
        assert failed.wait(30)
        return completions(body, number)

    walk = Walk(ServerPolicy(serve(reply).address), sandbox())
    ended = set()
    with pytest.raises(ServerAway):
        for done in walk.drive([(problem.id, asks(problem, 1)) for problem in PROBLEMS]):
            ended.add(done.key)
    assert ended == {problem.id for problem in PROBLEMS[1:]}


def scattered(body, number):
    """Texts that depend on the prompt and the seed alone, each after a pause that depends on when it was asked."""
    threading.Event().wait(0.01 * (number * 7 % 5))
    choices = []
    for place in range(body["n"]):
        said = f"{body['prompt']}{body['seed']}{place}".encode()
        digit = hashlib.sha256(said).digest()[0] % 4
        text = f"The answer is {digit}." if digit > 1 else f"Try {digit}."
        choices.append({"text": text, "finish_reason": "stop"})
    return 200, {"choices": choices, "usage": {"completion_tokens": 5 * len(choices)}}


def test_trees_are_the_same_in_whatever_order_answers_come(serve):
    def trees(options):
        walk = Walk(ServerPolicy(serve(scattered).address + options), sandbox())
        chosen = rstar.RStar(rollouts=4, candidates=3, depth=4)
        searches = [(problem.id, rstar.search(problem, chosen, 0)) for problem in PROBLEMS]
        return {done.key: done.result.as_json() for done in walk.drive(searches)}

    one_by_one = trees("?concurrency=1")
    assert trees("?concurrency=16") == one_by_one and len(one_by_one) == len(PROBLEMS)
