"""A server that breaks over one problem costs that problem; one that breaks over all, or is away, is an outage."""

from __future__ import annotations

import json
import threading
import time
import warnings

import pytest

from ml.commands import autolabel, sample, solve
from ml.errors import MisstepError, ServerAway
from ml.policies import openai_client, refusals
from ml.policies.openai_server import PLAIN, ServerPolicy
from ml.policies.protocol import PartlyAnswered, Prefix, Unanswerable
from ml.policies.refusals import MOST_IN_A_ROW
from ml.records import Problem
from tests.ml.policies.small_server import PREFIX, Cut, completions

NAMES = ["one", "BAD", "two", "three"]


def breaks_over(word, how):
    return lambda body, number: how() if word in body["prompt"] else completions(body, number)


def problems_in(folder, names=NAMES):
    lines = [{"id": name, "problem": f"What is {name}?", "answer": "2"} for name in names]
    (folder / "problems.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return ["--problems", str(folder / "problems.jsonl"), "--style", "prose"]


def hang():
    time.sleep(0.6)
    return 200, {}


@pytest.mark.parametrize(
    ("how", "options"),
    [
        (lambda: (500, {"error": "out of memory"}), ""),
        (lambda: (502, {}), ""),
        (lambda: Cut(b""), ""),
        (lambda: (200, {"choices": []}), ""),
        (hang, "?timeout=0.2"),
    ],
)
def test_a_problem_that_a_server_breaks_over_is_unanswered_and_the_others_go_on(
    serve, tmp_path, capsys, how, options
):
    server = serve(breaks_over("BAD", how))
    given = [*problems_in(tmp_path), "--policy", server.address + options, "--n", "2"]
    with pytest.warns(
        UserWarning, match="no solution to 'BAD': problem 'BAD' gets no answer: .*others are answered"
    ):
        sample.main([*given, "--out", str(tmp_path / "out.jsonl")])
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (result["unanswered"], result["solutions"]) == (1, 6)
    ids = [json.loads(line)["id"] for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert ids == ["one", "two", "three"]


def test_a_run_of_labels_counts_it_and_names_it_with_the_reason(serve, tmp_path):
    server = serve(breaks_over("BAD", lambda: (500, {"error": "out of memory"})))
    given = [*problems_in(tmp_path), "--policy", server.address, "--rollouts", "2"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        autolabel.main([*given, "--out", str(tmp_path / "run")])
    assert json.loads((tmp_path / "run/run.json").read_text())["counts"]["unanswered"] == 1
    (line,) = map(json.loads, (tmp_path / "run/unanswered.jsonl").read_text().splitlines())
    assert line["id"] == "BAD" and "HTTP 500: " in line["why"] and "out of memory" in line["why"]


def test_a_server_that_comes_back_after_the_last_try_is_asked_once_more_and_nothing_is_lost(serve):
    is_down = threading.Event()
    is_down.set()

    def reply(body, number):
        if PLAIN in body["prompt"] and "Problem" not in body["prompt"]:
            is_down.clear()
        return (500, {"error": "starting"}) if is_down.is_set() else completions(body, number)

    server = serve(reply)
    assert ServerPolicy(server.address).complete([PREFIX], 1, 0.7, 0)[0][0].finished
    assert len(server.requests) == openai_client.TRIES + 2


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_is_busy_has_nothing_against_the_problem(serve, status):
    policy = ServerPolicy(serve(breaks_over("BAD", lambda: (status, {}))).address)
    with pytest.raises(ServerAway, match=f"HTTP {status}"):
        policy.complete([Prefix(Problem("b", "BAD", "2"), ())], 1, 0.7, 0)


def test_a_server_that_breaks_over_every_problem_is_an_outage(serve):
    policy = ServerPolicy(serve(breaks_over("Problem: ", lambda: (500, {"error": "down"}))).address)
    for number in range(MOST_IN_A_ROW - 1):
        with pytest.raises(PartlyAnswered):
            policy.complete([Prefix(Problem(str(number), f"What is {number}?", "2"), ())], 1, 0.7, 0)
    with pytest.raises(ServerAway, match="HTTP 500") as ended:
        policy.complete([PREFIX], 1, 0.7, 0)
    assert not isinstance(ended.value, PartlyAnswered | Unanswerable)


def test_a_row_of_problems_that_an_answering_server_is_only_slow_at_is_no_outage(serve, monkeypatch):
    monkeypatch.setattr(refusals, "MOST_IN_A_ROW", 2)
    policy = ServerPolicy(serve(breaks_over("BAD", hang)).address + "?timeout=0.3")
    policy.complete([PREFIX], 1, 0.7, 0)
    for number in range(2):
        with pytest.raises(PartlyAnswered, match="no whole answer within"):
            policy.complete([Prefix(Problem(str(number), f"BAD {number}", "2"), ())], 1, 0.7, 0)


@pytest.mark.parametrize(
    ("command", "options"),
    [
        (sample, ["--n", "2"]),
        (solve, ["--method", "self-consistency", "--trajectories", "2"]),
        (autolabel, ["--rollouts", "2"]),
    ],
)
@pytest.mark.parametrize("status", [400, 504])
def test_an_outage_that_answers_the_plain_request_costs_no_problem(serve, tmp_path, command, options, status):
    names = [f"number {number}" for number in range(MOST_IN_A_ROW + 8)]
    is_down = threading.Event()

    def reply(body, number):
        if "number 4?" in body["prompt"]:
            is_down.set()
        is_refused = is_down.is_set() and "Problem" in body["prompt"]
        return (status, {}) if is_refused else completions(body, number)

    server = serve(reply)
    given = [*problems_in(tmp_path, names), "--policy", server.address + "?concurrency=1", *options]
    given += ["--out", str(tmp_path / "out")]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(MisstepError, match=f"HTTP {status}"):
            command.main(given)
        healthy = serve(completions)
        command.main([healthy.address if one.startswith(server.address) else one for one in given])
    if command is not autolabel:
        assert len((tmp_path / "out").read_text().splitlines()) == len(names)
    else:
        assert json.loads((tmp_path / "out/run.json").read_text())["counts"].get("unanswered", 0) == 0


def test_a_problem_in_doubt_is_unanswered_as_soon_as_another_one_is_answered(serve, tmp_path):
    server = serve(breaks_over("BAD", lambda: (500, {"error": "out of memory"})))
    given = [*problems_in(tmp_path, ["BAD", "one", "BAD too", "two"]), "--policy", server.address]
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        sample.main([*given, "--n", "1", "--out", str(tmp_path / "out")])
    assert sum("gets no answer" in str(one.message) for one in told) == 2


def test_a_run_with_nothing_but_such_problems_says_so(serve, tmp_path):
    server = serve(breaks_over("BAD", lambda: (500, {"error": "out of memory"})))
    given = [
        *problems_in(tmp_path, ["BAD"]),
        "--policy",
        server.address,
        "--out",
        str(tmp_path / "out.jsonl"),
    ]
    with (
        pytest.warns(UserWarning, match="gets no answer"),
        pytest.raises(MisstepError, match="1 problems were not"),
    ):
        sample.main(given)
