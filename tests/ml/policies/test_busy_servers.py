"""A server that says when to come back is left alone until then, but not for ever."""

from __future__ import annotations

import datetime
import time
from email.utils import format_datetime

import pytest

from ml.policies import openai_client
from ml.policies.openai_server import ServerPolicy
from tests.ml.policies.small_server import PREFIX, completions


def busy_once(status, retry_after):
    def reply(body, number):
        if number == 1:
            return status, {"error": "busy"}, {"Retry-After": retry_after()}
        return completions(body, number)

    return reply


def seconds_for(serve, reply):
    server = serve(reply)
    policy = ServerPolicy(server.address)
    started = time.monotonic()
    assert policy.complete([PREFIX], 1, 0.7, 0)[0][0].finished
    return time.monotonic() - started


def in_two_seconds():
    return format_datetime(datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=2), usegmt=True)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(("retry_after", "least"), [(lambda: "1", 1.0), (in_two_seconds, 0.9)])
def test_a_busy_server_is_left_alone_as_long_as_it_asks(serve, status, retry_after, least):
    assert least <= seconds_for(serve, busy_once(status, retry_after)) < least + 5


def test_no_server_is_waited_for_longer_than_the_longest_wait(serve, monkeypatch):
    monkeypatch.setattr(openai_client, "LONGEST_WAIT", 0.5)
    for asked in ("86400", "inf", "Fri, 31 Dec 9999 23:59:59 GMT"):
        assert 0.5 <= seconds_for(serve, busy_once(429, lambda asked=asked: asked)) < 10


@pytest.mark.parametrize(
    "nonsense", ["soon", "", "-5", "nan", "Fri, 31 Dec 1999 23:59:59 -0000", "Fri, 99 Dec"]
)
def test_a_pause_that_means_nothing_is_not_waited_for(serve, nonsense):
    assert seconds_for(serve, busy_once(503, lambda: nonsense)) < 5


def test_another_fault_s_pause_is_our_own(serve):
    assert seconds_for(serve, busy_once(500, lambda: "30")) < 10


def test_what_a_server_asked_for_once_is_not_waited_for_again(serve):
    def busy_then_down(body, number):
        if number == 1:
            return 429, {}, {"Retry-After": "2"}
        return (500, {}) if number < 4 else completions(body, number)

    assert 2 <= seconds_for(serve, busy_then_down) < 5
