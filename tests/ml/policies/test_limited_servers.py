"""A server that does not write so many texts in one request is asked for them one by one."""

from __future__ import annotations

import time
import warnings

import pytest

from ml.errors import MisstepError
from ml.policies.openai_server import ServerPolicy
from ml.policies.protocol import PartlyAnswered, Prefix
from tests.ml.policies.small_server import PREFIX, completions, seeded

LLAMA = "n_cmpl cannot be greater than the number of slots, please increase -np"
VLLM = "n must be 1 when using greedy sampling, got 4."
CONTEXT = "the request exceeds the available context size, try increasing it"


def limited(most, words=LLAMA, status=400, reply=seeded):
    def answer(body, number):
        if body.get("n", 1) > most:
            return status, {"error": {"message": words}}
        return reply(body, number)

    return answer


def prefixes(count):
    return [Prefix(PREFIX.problem, (f"step {number}",), "prose") for number in range(count)]


def quietly(policy, asked, count, temperature=0.7):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return policy.complete(asked, count, temperature, 0)


@pytest.mark.parametrize(("words", "status"), [(LLAMA, 400), (VLLM, 400), (VLLM, 422)])
def test_texts_that_are_refused_together_are_asked_for_one_by_one(serve, words, status):
    server = serve(limited(1, words, status))
    policy = ServerPolicy(server.address)
    with pytest.warns(UserWarning, match="one by one: .*" + words[:20]) as told:
        (written,) = policy.complete([PREFIX], 4, 0.7, 0)
    assert len({one.steps for one in written}) == 4 and sum(one.category is UserWarning for one in told) == 1
    assert [body.get("n", 1) for body in server.requests] == [4, 1, 1, 1, 1]
    # It is remembered of this server, and of more texts too.
    server.requests.clear()
    quietly(policy, [PREFIX], 6)
    assert [body.get("n", 1) for body in server.requests] == [1] * 6


def test_what_a_limited_server_draws_does_not_depend_on_what_it_was_asked_before(serve):
    server = serve(limited(2))
    fresh = {count: quietly(ServerPolicy(server.address), [PREFIX], count) for count in (1, 2, 4, 6)}
    policy = ServerPolicy(server.address)
    for count in (6, 2, 4, 1, 6, 2):
        assert quietly(policy, [PREFIX], count) == fresh[count]


def test_a_limit_at_one_temperature_is_none_at_another(serve):
    server = serve(lambda body, number: limited(1 if not body["temperature"] else 9, VLLM)(body, number))
    policy = ServerPolicy(server.address)
    quietly(policy, [PREFIX], 4, temperature=0.0)
    server.requests.clear()
    quietly(policy, [PREFIX], 4)
    assert [body["n"] for body in server.requests] == [4]


@pytest.mark.parametrize("asked", [1, 2, 9])
def test_texts_asked_for_one_by_one_keep_to_the_concurrency(serve, asked):
    def slow(body, number):
        time.sleep(0.05)
        return seeded(body, number)

    server = serve(limited(1, reply=slow))
    written = quietly(ServerPolicy(server.address + "?concurrency=4"), prefixes(asked), 6)
    assert all(len({one.steps for one in row}) == 6 for row in written)
    assert 3 <= server.most_busy <= 4


def test_a_server_that_refuses_one_text_too_is_told_in_one_line(serve):
    server = serve(limited(0, "no such thing"))
    with pytest.raises(MisstepError, match=r"completions: HTTP 400: .*no such thing"):
        ServerPolicy(server.address).complete([PREFIX], 4, 0.7, 0)
    # Four texts and one, then the same of a harmless problem, which says whether the server answers anything.
    assert len(server.requests) == 4


def test_a_prompt_that_is_too_long_is_not_asked_for_one_by_one(serve):
    server = serve(limited(0, CONTEXT))
    with pytest.raises(PartlyAnswered, match="no room in the policy's context"):
        ServerPolicy(server.address + "?max_tokens=400").complete([Prefix(PREFIX.problem, ())], 4, 0.7, 0)
    assert [body["n"] for body in server.requests] == [4]


def test_other_refusals_are_not_asked_again(serve):
    server = serve(limited(0, "no key", status=401, reply=completions))
    with pytest.raises(MisstepError, match="HTTP 401"):
        ServerPolicy(server.address).complete([PREFIX], 4, 0.7, 0)
    assert len(server.requests) == 1
