"""When a server that failed, or that asks for patience, is asked again."""

from __future__ import annotations

import time

import pytest

from ml.errors import ServerAway
from ml.policies.openai_client import TRIES
from ml.policies.openai_endpoint import LONGEST_REST, Endpoint
from ml.policies.openai_server import ServerPolicy
from ml.policies.protocol import Prefix
from ml.policies.silence import Silence
from ml.records import Problem
from tests.ml.policies.small_server import PREFIX, completions


@pytest.fixture
def endpoint():
    address = "http://somewhere.example/v1"
    return Endpoint(address, 1.0, True, Silence(address, ""))


def rest_of(endpoint):
    return endpoint.rests_until - time.monotonic()


def busy(seconds, until=10**9):
    def reply(body, number):
        return completions(body, number) if number > until else (429, {}, {"Retry-After": str(seconds)})

    return reply


def test_a_long_outage_is_rested_from_no_longer_than_the_longest_rest(endpoint):
    for _ in range(1_100):
        endpoint.rest(0.0, time.monotonic())
    assert LONGEST_REST - 1 < rest_of(endpoint) <= LONGEST_REST


def test_requests_that_fail_together_are_one_failure(endpoint):
    begun = time.monotonic()
    time.sleep(0.001)
    for _ in range(32):
        endpoint.rest(0.0, begun)
    assert endpoint.failures == 1 and rest_of(endpoint) <= 1
    time.sleep(0.001)
    endpoint.rest(0.0, time.monotonic())
    assert endpoint.failures == 2 and 1 < rest_of(endpoint) <= 2


def test_a_request_from_before_the_rest_still_tells_how_long_it_should_be(endpoint):
    begun = time.monotonic()
    time.sleep(0.001)
    endpoint.rest(0.0, begun)
    endpoint.rest(20.0, begun)
    assert endpoint.failures == 1 and 19 < rest_of(endpoint) <= 20 and 19 < endpoint.patience <= 20


def test_a_server_that_asks_for_patience_is_waited_for_while_another_is_away(serve):
    asked = []

    def reply(body, number):
        asked.append(time.monotonic())
        return busy(2, until=1)(body, number)

    server, gone = serve(reply), serve(completions)
    gone.go_away()
    policy = ServerPolicy(f"{gone.address},{server.address}?model=m")
    assert policy.complete([PREFIX], 1, 0.7, 0)[0][0].finished
    assert len(asked) == 2 and 1.9 < asked[1] - asked[0] < 10


def test_a_new_problem_does_not_disturb_a_server_that_asks_for_patience(serve):
    servers = [serve(busy(2, until=1)), serve(busy(30))]
    policy = ServerPolicy(",".join(one.address for one in servers) + "?model=m")
    started = time.monotonic()
    for number in range(3):
        prefix = Prefix(Problem(f"p{number}", f"What is {number} + 1?", "2"), (), "prose")
        assert policy.complete([prefix], 1, 0.7, 0)[0][0].finished
    assert 1.9 < time.monotonic() - started < 10
    assert len(servers[1].requests) == 1


def test_where_one_is_away_and_the_other_busy_the_busy_one_is_told_of(serve, monkeypatch):
    monkeypatch.setattr("ml.policies.openai_client.LONGEST_WAIT", 0.01)
    server, gone = serve(busy(1)), serve(completions)
    gone.go_away()
    for addresses in ((gone.address, server.address), (server.address, gone.address)):
        policy = ServerPolicy(f"{','.join(addresses)}?model=m")
        with pytest.raises(ServerAway, match="HTTP 429"):
            policy.complete([PREFIX], 1, 0.7, 0)
    assert len(server.requests) == 2 * TRIES
