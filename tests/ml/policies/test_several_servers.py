"""Several servers of the same model are one policy: each problem has its own, and another where that one is away."""

from __future__ import annotations

import collections
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from ml.commands import autolabel, sample
from ml.errors import MisstepError, ServerAway
from ml.policies.openai_server import ServerPolicy
from ml.policies.protocol import Prefix
from ml.records import Problem
from tests.ml.policies.small_server import completions, seeded

PROBLEMS = [Problem(f"p{number}", f"What is {number} + 1?", "2") for number in range(40)]


def prefixes(steps=0):
    return [Prefix(problem, tuple(f"Step {step}." for step in range(steps))) for problem in PROBLEMS]


def policy_of(*servers, options="concurrency=8", **more):
    return ServerPolicy(",".join(server.address for server in servers) + "?" + options, **more)


def asked_of(server):
    """The problems that a server was asked about."""
    return {body["prompt"].rpartition("Problem: ")[2].partition("\n")[0] for body in server.requests}


def ask_all(policy, asked):
    with ThreadPoolExecutor(policy.concurrency) as pool:
        return [one[0] for one in pool.map(lambda prefix: policy.complete([prefix], 1, 0.7, 0), asked)]


def test_all_requests_of_a_problem_go_to_one_server_and_each_server_has_its_part(serve):
    servers = [serve(completions) for _ in range(3)]
    policy = policy_of(*servers, options="concurrency=1")
    for steps in range(4):
        ask_all(policy, prefixes(steps))
    found = [asked_of(server) for server in servers]
    assert sum(map(len, found)) == len(set.union(*found)) == len(PROBLEMS)
    assert min(map(len, found)) >= 5


def test_the_texts_are_those_of_one_server_and_the_name_says_where_they_are_from(serve):
    one, two = serve(seeded), serve(seeded)
    alone, both = ServerPolicy(one.address), policy_of(one, two)
    assert ask_all(both, prefixes()) == ask_all(alone, prefixes())
    assert both.name == f"{one.address},{two.address}?model=served-model&max_tokens=1024"


def test_none_has_much_more_than_its_share_of_the_concurrency_and_together_they_have_all_of_it(serve):
    gate = threading.Barrier(8)

    def reply(body, number):
        gate.wait(30)
        return completions(body, number)

    servers = [serve(reply), serve(reply)]
    # Problems of one server only: without a share it would have all eight at once.
    policy = policy_of(*servers)
    ask_all(policy, [Prefix(PROBLEMS[0], (f"Step {number}.",)) for number in range(16)])
    assert {server.most_busy for server in servers} <= {3, 4, 5}
    assert sum(len(server.requests) for server in servers) == 16


def test_a_server_that_goes_away_leaves_its_problems_to_the_others_without_a_pause(patient, serve, capsys):
    servers = [serve(completions, keeps_open=True) for _ in range(3)]
    policy = ServerPolicy(",".join(server.address for server in servers) + "?concurrency=4")
    ask_all(policy, prefixes())
    before = [asked_of(server) for server in servers]
    servers[0].go_away()
    started = time.monotonic()
    assert len(ask_all(policy, prefixes(1))) == len(PROBLEMS)
    assert time.monotonic() - started < 10
    assert before[1] <= asked_of(servers[1]) and before[2] <= asked_of(servers[2])
    assert asked_of(servers[1]) | asked_of(servers[2]) == set.union(*before)
    assert "does not answer" in capsys.readouterr().err


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_server_that_is_busy_or_broken_leaves_its_problems_to_the_others(patient, serve, status):
    bad = serve(lambda body, number: (status, {"error": "no"}, {"Retry-After": "60"}))
    good = serve(completions)
    policy = ServerPolicy(f"{bad.address},{good.address}?concurrency=4")
    assert len(ask_all(policy, prefixes())) == len(PROBLEMS)
    # Once known for it, it is left alone.
    assert len(bad.requests) <= 8 and len(good.requests) >= len(PROBLEMS)


def test_a_server_that_comes_back_has_its_problems_again(serve, monkeypatch):
    monkeypatch.setattr("ml.policies.openai_endpoint.REST_SECONDS", 0.1)
    is_down = threading.Event()
    servers = [
        serve(lambda body, number: (500, {}) if is_down.is_set() else completions(body, number)),
        serve(completions),
    ]
    policy = policy_of(*servers, options="concurrency=1")
    ask_all(policy, prefixes())
    own = asked_of(servers[0])
    is_down.set()
    ask_all(policy, prefixes())
    is_down.clear()
    time.sleep(1.0)
    for server in servers:
        server.requests.clear()
    ask_all(policy, prefixes())
    assert asked_of(servers[0]) == own and asked_of(servers[1]).isdisjoint(own)


def test_where_all_are_away_it_is_an_outage(serve):
    servers = [serve(completions), serve(completions)]
    policy = policy_of(*servers)
    for server in servers:
        server.go_away()
    with pytest.raises(ServerAway):
        policy.complete(prefixes()[:1], 1, 0.7, 0)


def test_a_run_begins_while_one_of_them_is_away(serve):
    gone, here = serve(completions), serve(completions)
    gone.go_away()
    assert policy_of(gone, here).model == "served-model"


def test_problems_change_servers_no_more_than_they_must_when_one_is_added():
    addresses = [f"http://host{number}:8000/v1" for number in range(4)]

    def own(servers):
        policy = ServerPolicy(",".join(addresses[:servers]) + "?model=m")
        chosen = {}
        for problem in PROBLEMS:
            endpoint = policy._client._take(problem.text, {})
            policy._client._give_back(endpoint)
            chosen[problem.id] = endpoint.address
        return chosen

    three, four = own(3), own(4)
    moved = collections.Counter(four[name] for name in three if three[name] != four[name])
    assert set(moved) == {addresses[3]}


@pytest.mark.parametrize(
    ("policy", "told"),
    [
        ("http://a:1/v1?model=x,http://b:2/v1?model=y", "model is 'x' and 'y'"),
        ("http://a:1/v1?model=x&model=y", "model is 'x' and 'y'"),
        ("http://a:1/v1,http://b:2/v1,http://a:1/v1/", "http://a:1/v1 twice"),
        ("http://a:1/v1,http://me:secret@b:2/v1", "a name or password"),
        ("http://a:1/v1,http://b:two/v1", "expected an address like"),
    ],
)
def test_addresses_that_contradict_each_other_or_are_malformed_are_refused(policy, told):
    with pytest.raises(MisstepError, match=told) as refused:
        ServerPolicy(policy)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("command", [sample, autolabel])
def test_a_policy_for_each_server_is_one_policy_and_any_other_that_is_repeated_is_refused(command, capsys):
    given = ["--problems", "pocket:1", "--out", "x"]
    servers = ["--policy", "http://a/v1?model=m", "--policy", "http://b/v1"]
    assert command.parser().parse_args([*given, *servers]).policy == "http://a/v1?model=m,http://b/v1"
    assert command.parser().parse_args(given).policy == "pocket"
    for other in (["pocket", "pocket"], ["pocket", "http://a/v1"], ["folder", "other"]):
        with pytest.raises(SystemExit):
            command.parser().parse_args([*given, "--policy", other[0], "--policy", other[1]])
        assert "expected one policy, or several servers of the same model" in capsys.readouterr().err
