"""The client of OpenAI-compatible servers against one that fails, answers in part or keeps its accounts to itself."""

import json
import time
import warnings

import pytest

from ml.commands import autolabel
from ml.errors import MisstepError
from ml.policies.choices import share
from ml.policies.openai_server import PLAIN, ServerPolicy
from ml.policies.protocol import Prefix
from tests.ml.policies.small_server import PREFIX, Cut, completions, seeded


def test_faults_that_pass_are_retried(serve):
    def shaky(body, number):
        if number == 1:
            return 503, {"error": "loading"}
        if number == 2:
            return 200, b"not json"
        if number == 3:
            return 429, {"error": "slow down"}
        return completions(body, number)

    server = serve(shaky)
    policy = ServerPolicy(server.address)
    assert policy.complete([PREFIX], 1, 0.7, 0)[0][0].finished
    assert len(server.requests) == 4


@pytest.mark.parametrize(
    "odd",
    [
        (200, {"choices": None, "error": {"message": "the engine died"}}),
        (200, {"error": "overloaded"}),
        (200, {"choices": []}),
        (200, {"choices": [{"message": {"content": "no completion"}}]}),
        (200, {"choices": [{"text": "half a te", "finish_reason": "abort"}]}),
        (200, ["no object"]),
        (200, Cut(b'{"choices": [')),
        (503, Cut(b"unavail")),
    ],
)
def test_an_answer_without_a_text_is_asked_for_again_and_told_where_it_stays(serve, odd):
    server = serve(lambda body, number: odd if number == 1 else completions(body, number))
    policy = ServerPolicy(server.address)
    assert len(policy.complete([PREFIX], 3, 0.7, 0)[0]) == 3
    assert [body["n"] for body in server.requests] == [3, 3]
    broken = serve(lambda body, number: odd)
    with pytest.raises(MisstepError, match=r"completions: .*, expected an answer within 6 tries"):
        ServerPolicy(broken.address).complete([PREFIX], 1, 0.7, 0)
    # And once more a plain problem, which says whether it is this one alone.
    assert len([body for body in broken.requests if body["prompt"] != PLAIN]) == 6


def test_a_status_line_that_is_none_is_a_fault_that_may_pass(serve):
    server = serve(lambda body, number: Cut(b"") if number == 1 else completions(body, number))
    policy = ServerPolicy(server.address)
    assert policy.complete([PREFIX], 1, 0.7, 0)[0][0].finished and len(server.requests) == 2


def test_a_request_that_takes_too_long_is_sent_again(serve):
    def slow_once(body, number):
        if number == 1:
            time.sleep(1.0)
        return completions(body, number)

    server = serve(slow_once)
    policy = ServerPolicy(server.address + "?timeout=0.3")
    assert policy.complete([PREFIX], 1, 0.7, 0)[0][0].finished
    assert len(server.requests) == 2


def test_a_fault_that_stays_is_told_in_one_line(serve):
    server = serve(lambda body, number: (400, {"error": "prompt too long"}))
    with pytest.raises(MisstepError, match=r"completions: HTTP 400: .*prompt too long"):
        ServerPolicy(server.address).complete([PREFIX], 1, 0.7, 0)
    # The text, and that of a harmless problem, which says whether the server answers anything.
    assert len(server.requests) == 2


def test_an_absent_server_is_told_in_one_line():
    with pytest.raises(MisstepError, match=r"policy server http://127\.0\.0\.1:9/v1/models"):
        ServerPolicy("http://127.0.0.1:9/v1")


def test_a_server_that_ignores_n_is_asked_one_by_one_with_other_seeds(serve):
    server = serve(lambda body, n: completions(body | {"n": 1}, n))
    policy = ServerPolicy(server.address)
    assert len(policy.complete([PREFIX], 4, 0.7, 0)[0]) == 4
    # The answer to the first request is the first text.
    assert len(server.requests) == 4
    assert len({body["seed"] for body in server.requests}) == 4
    policy.complete([PREFIX], 2, 0.7, 0)
    assert len(server.requests) == 6


def test_what_a_server_that_ignores_n_draws_does_not_depend_on_what_it_was_asked_before(serve):
    server = serve(lambda body, n: seeded(body | {"n": 1}, n))
    fresh = [ServerPolicy(server.address).complete([PREFIX], count, 0.7, 0) for count in (1, 3)]
    policy = ServerPolicy(server.address)
    assert [policy.complete([PREFIX], count, 0.7, 0) for count in (3, 1, 3)] == [fresh[1], *fresh]


@pytest.mark.parametrize("kept", [0, 1, 2])
def test_a_short_answer_changes_no_later_draw_and_its_texts_are_used(serve, kept):
    def short_once(body, number):
        status, answer = seeded(body, number)
        return status, answer | ({"choices": answer["choices"][:kept]} if number == 1 else {})

    other = Prefix(PREFIX.problem, ("Something else.",), "prose")
    calm, shaken = (ServerPolicy(serve(reply).address + "?concurrency=1") for reply in (seeded, short_once))
    expected = calm.complete([PREFIX, other], 4, 0.7, 0)
    found = shaken.complete([PREFIX, other], 4, 0.7, 0)
    assert found[1] == expected[1]
    assert [one.steps for one in found[0][: kept or 4]] == [one.steps for one in expected[0][: kept or 4]]
    assert len({one.steps for one in found[0]}) == 4
    # What the server says that it spent is what is counted: 20 for the short answer too, 5 for each text after it.
    assert sum(one.tokens for one in found[0]) == (20 + 5 * (4 - kept) if kept else 20)
    assert shaken.complete([PREFIX], 4, 0.7, 0)[0] == expected[0]


@pytest.mark.parametrize(
    "usage", [{}, {"usage": None}, {"usage": []}, {"usage": {"completion_tokens": "5"}}, {"usage": {}}]
)
def test_tokens_that_the_server_does_not_count_are_estimated_and_told_once(serve, usage):
    def silent(body, number):
        _, answer = completions(body, number, "Zwölf.")
        return 200, {"choices": answer["choices"]} | usage

    policy = ServerPolicy(serve(silent).address)
    assert not policy.estimates_tokens
    with pytest.warns(UserWarning, match="does not say how many tokens it wrote") as told:
        written = [policy.complete([PREFIX], 2, 0.7, seed) for seed in (0, 1)]
    # Seven bytes.
    assert [one.tokens for (row,) in written for one in row] == [2, 2, 2, 2] and sum(
        one.category is UserWarning for one in told
    ) == 1
    assert policy.estimates_tokens


def test_a_run_over_a_server_that_does_not_count_says_so_in_its_record(serve, tmp_path):
    problem = {"id": "p", "problem": "1 + 1", "answer": "2"}
    (tmp_path / "problems.jsonl").write_text(json.dumps(problem) + "\n")
    runs = []
    for usage in ({}, {"usage": {"completion_tokens": 7}}):
        server = serve(
            lambda body, number, told=usage: (200, {"choices": completions(body, 1)[1]["choices"]} | told)
        )
        given = [
            "--problems",
            str(tmp_path / "problems.jsonl"),
            "--policy",
            server.address,
            "--style",
            "prose",
        ]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            autolabel.main([*given, "--out", str(tmp_path / str(len(runs)))])
        runs.append(json.loads((tmp_path / str(len(runs)) / "run.json").read_text()))
    assert runs[0]["estimated_tokens"] and runs[0]["cost"]["tokens"] > 0
    assert "estimated_tokens" not in runs[1]


def test_tokens_are_shared_out_without_loss():
    assert share(10, [1, 1, 1]) == [3, 4, 3] and sum(share(7, [0, 0])) == 7 and share(5, []) == []
