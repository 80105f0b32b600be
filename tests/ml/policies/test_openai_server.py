"""The client of OpenAI-compatible servers against a small server that behaves and misbehaves on demand."""

import contextlib
import json
import threading
import time
import warnings
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ml.commands import autolabel
from ml.errors import MisstepError
from ml.execution import sandbox
from ml.policies import load_policy
from ml.policies.openai_server import ServerPolicy, _share
from ml.policies.protocol import Continuation, Prefix
from ml.records import Problem
from ml.search import math_shepherd, rstar
from ml.search.pairs import preference_pairs
from ml.search.trajectory import best_trajectory
from ml.search.tree import CORRECT
from ml.search.walk import Walk

PREFIX = Prefix(Problem("p", "What is 1 + 1?", "2"), ("Add them.",), "prose")


class Cut(bytes):
    """A body that ends before its announced length; in the place of a whole reply, what is no status line."""


class Server:
    """Answers completions by `reply(body, number)`: (status, answer). Keeps every request."""

    def __init__(self, reply):
        self.requests, self.headers, self.busy, self.most_busy = [], [], 0, 0
        lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.answer(200, {"data": [{"id": "served-model"}]})

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with lock:
                    outer.requests.append(body)
                    outer.headers.append(dict(self.headers))
                    number = len(outer.requests)
                    outer.busy += 1
                    outer.most_busy = max(outer.most_busy, outer.busy)
                replied = reply(body, number)
                with lock:
                    outer.busy -= 1
                if isinstance(replied, Cut):
                    self.wfile.write(b"who is there?\r\n\r\n")
                else:
                    self.answer(*replied)

            def answer(self, status, answer):
                data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data) + 9 * isinstance(data, Cut)))
                self.end_headers()
                with contextlib.suppress(BrokenPipeError):
                    self.wfile.write(data)

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}/v1"


@pytest.fixture
def serve():
    servers = []

    def start(reply):
        servers.append(Server(reply))
        return servers[-1]

    yield start
    for server in servers:
        server.server.shutdown()
        server.server.server_close()


def completions(body, number, text="The answer is 2.", **extra):
    choices = [{"text": f"{text}", "finish_reason": "stop"} | extra for _ in range(body.get("n", 1))]
    return 200, {"choices": choices, "usage": {"completion_tokens": 5 * len(choices)}}


def test_the_model_is_the_server_s_first_and_names_the_policy(serve):
    server = serve(completions)
    policy = load_policy(server.address)
    assert policy.name == f"{server.address}?model=served-model&max_tokens=1024"


def test_policies_that_write_something_else_have_other_names_and_no_credentials():
    addresses = [
        f"http://{place}?model={model}{options}"
        for place in ("one:secret@host:80/a/v1", "host:80/b/v1", "host:81/a/v1")
        for model in ("org/x", "org/y")
        for options in ("", "&prompts=pocket", "&max_tokens=9", "&stop=no")
    ]
    names = [ServerPolicy(address).name for address in addresses]
    assert len(set(names)) == len(addresses) and not any("secret" in name for name in names)
    assert names[1] == "http://host:80/a/v1?model=org/x&prompts=pocket&max_tokens=1024"
    same = "http://host:80/a/v1/?concurrency=2&timeout=5&prompts=pocket&model=org/x"
    assert ServerPolicy(same).name == names[1]


def test_a_step_is_asked_for_with_stops_at_its_boundary(serve):
    server = serve(completions)
    (steps,) = ServerPolicy(server.address).next_steps([PREFIX], 3, 0.7, 0)
    body = server.requests[0]
    assert len(server.requests) == 1 and len(steps) == 3
    assert body["stop"] == ["\n\n", "<end of solution>"]
    assert (body["n"], body["temperature"], body["model"]) == (3, 0.7, "served-model")
    assert body["prompt"].endswith("Problem: What is 1 + 1?\n\nSolution:\n\nAdd them.\n\n")
    assert steps[0].steps == ("The answer is 2.",) and steps[0].finished
    assert sum(step.tokens for step in steps) == 15


def test_a_server_that_says_what_stopped_it_is_believed(serve):
    by_itself = serve(lambda body, n: completions(body, n, "Half done.", stop_reason=None))
    at_boundary = serve(lambda body, n: completions(body, n, "Half done.", stop_reason="\n\n"))
    assert ServerPolicy(by_itself.address).next_steps([PREFIX], 1, 0.7, 0)[0][0].finished
    assert not ServerPolicy(at_boundary.address).next_steps([PREFIX], 1, 0.7, 0)[0][0].finished


@pytest.mark.parametrize(
    "text,more,finished",
    [
        ("", {"stop_reason": "<end of solution>"}, True),
        ("", {"stop_reason": None}, True),
        ("", {"stop_reason": "\n\n"}, False),
        ("", {}, True),
        ("Half done.", {"stop_reason": "<end of solution>"}, True),
        ("Half done.", {}, False),
        # SGLang's word for it; a number is the token by which the model itself ended.
        ("Half done.", {"matched_stop": 151643}, True),
        ("Half done.", {"matched_stop": None}, True),
        ("Half done.", {"matched_stop": "<end of solution>"}, True),
        ("", {"matched_stop": "\n\n"}, False),
        ("Half done.", {"stop_reason": 151645}, True),
        ("Half done.", {"matched_stop": 151645, "finish_reason": "length"}, False),
    ],
)
def test_the_mark_that_ends_solutions_is_an_end_also_where_the_server_drops_it(serve, text, more, finished):
    server = serve(lambda body, n: completions(body, n, text, **more))
    step = ServerPolicy(server.address).next_steps([PREFIX], 1, 0.7, 0)[0][0]
    assert (step.steps, step.finished) == ((text,) if text else (), finished)


def test_a_step_wise_search_in_code_reaches_the_ends_of_a_model_that_keeps_to_the_template(serve):
    """Such a model stops at the blank line behind its last step, and writes the end mark when it is asked again."""
    steps = ["Add.\n```python\nx = 1 + 1\n```", "Print it.\n```python\nprint(x)\n```"]

    def reply(body, number):
        done = body["prompt"].rpartition("Solution:")[2].count("```python")
        text, stop = (steps[done], "\n\n") if done < len(steps) else ("", "<end of solution>")
        return completions(body, number, text, stop_reason=stop)

    policy = ServerPolicy(serve(reply).address)
    walk = Walk(policy, sandbox())
    options = rstar.RStar(rollouts=4, candidates=2)
    search = rstar.search(PREFIX.problem, options, 0, style="code")
    tree = next(iter(walk.drive([("only", search)]))).result
    (end,) = tree.terminals()
    assert end.terminal == CORRECT and tree.steps(end) == tuple(steps) and tree.root.visits == 1
    assert best_trajectory(tree)["solution"] == steps
    assert [(pair.chosen, pair.rejected) for pair in preference_pairs(tree)] == []


def seeded(body, number):
    """Texts that tell which seed and which place of an answer they are from."""
    texts = [f"Draw {body['seed']}.{place}" for place in range(body.get("n", 1))]
    return 200, {
        "choices": [{"text": text, "finish_reason": "stop"} for text in texts],
        "usage": {"completion_tokens": 5 * len(texts)},
    }


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
    calm, shaken = (
        ServerPolicy(serve(reply).address + "?concurrency=1", retry_seconds=0.01)
        for reply in (seeded, short_once)
    )
    expected = calm.complete([PREFIX, other], 4, 0.7, 0)
    found = shaken.complete([PREFIX, other], 4, 0.7, 0)
    assert found[1] == expected[1]
    assert [one.steps for one in found[0][: kept or 4]] == [one.steps for one in expected[0][: kept or 4]]
    assert len({one.steps for one in found[0]}) == 4
    # What the server says that it spent is what is counted: 20 for the short answer too, 5 for each text after it.
    assert sum(one.tokens for one in found[0]) == (20 + 5 * (4 - kept) if kept else 20)
    assert shaken.complete([PREFIX], 4, 0.7, 0)[0] == expected[0]


def test_seeds_depend_on_the_prefix_and_not_on_its_company(serve):
    server = serve(completions)
    other = Prefix(PREFIX.problem, ("Something else.",), "prose")
    policy = ServerPolicy(server.address + "?concurrency=1")
    policy.complete([PREFIX], 2, 0.7, 5)
    policy.complete([other, PREFIX], 2, 0.7, 5)
    assert server.requests[0]["seed"] == server.requests[2]["seed"] != server.requests[1]["seed"]


def test_a_solution_that_the_server_takes_for_whole_is_graded_by_the_answer_it_has(serve):
    def ends_at_once(body, number):
        is_answered = "So the answer is 5." in body["prompt"]
        return completions(body, number, "" if is_answered else "The answer is 5.")

    problem = Problem("p", "What is 2 + 3?", "5")
    steps = ("2 + 3 = 5.", "So the answer is 5.", "Check: 5 - 3 = 2. The answer is 5.")
    walk = Walk(ServerPolicy(serve(ends_at_once).address), sandbox())
    prefixes = [Prefix(problem, steps[:length]) for length in (1, 2, 3)]
    rollouts = math_shepherd.roll_out(prefixes, 4, 0.7, 0)
    evidence = next(iter(walk.drive([("s", rollouts)]))).result
    assert [(step.visits, step.correct) for step in evidence] == [(4, 4)] * 3
    # Of a bare problem an immediate end is no answer.
    bare = Prefix(problem, ())
    ended = math_shepherd.grade_completions([bare], [[Continuation((), True, 0)]])
    graded = next(iter(walk.drive([("b", ended)]))).result
    assert not graded[0][0][1].is_correct


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
    policy = ServerPolicy(server.address, retry_seconds=0.01)
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
    policy = ServerPolicy(server.address, retry_seconds=0.01)
    assert len(policy.complete([PREFIX], 3, 0.7, 0)[0]) == 3
    assert [body["n"] for body in server.requests] == [3, 3]
    broken = serve(lambda body, number: odd)
    with pytest.raises(MisstepError, match=r"completions: .*, expected an answer within 6 tries"):
        ServerPolicy(broken.address, retry_seconds=0.001).complete([PREFIX], 1, 0.7, 0)
    assert len(broken.requests) == 6


def test_a_status_line_that_is_none_is_a_fault_that_may_pass(serve):
    server = serve(lambda body, number: Cut(b"") if number == 1 else completions(body, number))
    policy = ServerPolicy(server.address, retry_seconds=0.01)
    assert policy.complete([PREFIX], 1, 0.7, 0)[0][0].finished and len(server.requests) == 2


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
    assert [one.tokens for (row,) in written for one in row] == [2, 2, 2, 2] and len(told) == 1
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


def test_a_request_that_takes_too_long_is_sent_again(serve):
    def slow_once(body, number):
        if number == 1:
            time.sleep(1.0)
        return completions(body, number)

    server = serve(slow_once)
    policy = ServerPolicy(server.address + "?timeout=0.3", retry_seconds=0.01)
    assert policy.complete([PREFIX], 1, 0.7, 0)[0][0].finished
    assert len(server.requests) == 2


def test_a_fault_that_stays_is_told_in_one_line(serve):
    server = serve(lambda body, number: (400, {"error": "prompt too long"}))
    with pytest.raises(MisstepError, match=r"completions: HTTP 400: .*prompt too long"):
        ServerPolicy(server.address, retry_seconds=0.01).complete([PREFIX], 1, 0.7, 0)
    assert len(server.requests) == 1


def test_an_absent_server_is_told_in_one_line():
    with pytest.raises(MisstepError, match=r"policy server http://127\.0\.0\.1:9/v1/models"):
        ServerPolicy("http://127.0.0.1:9/v1", retry_seconds=0.001)


def test_no_more_requests_are_under_way_than_allowed(serve):
    def slow(body, number):
        time.sleep(0.05)
        return completions(body, number)

    server = serve(slow)
    prefixes = [Prefix(PREFIX.problem, (f"step {n}",), "prose") for n in range(9)]
    ServerPolicy(server.address + "?concurrency=3").complete(prefixes, 1, 0.7, 0)
    assert 2 <= server.most_busy <= 3


def test_the_key_goes_in_a_header_and_never_into_the_name(serve, monkeypatch):
    monkeypatch.setenv("MISSTEP_POLICY_KEY", "hush")
    server = serve(completions)
    policy = ServerPolicy(server.address)
    policy.complete([PREFIX], 1, 0.7, 0)
    assert server.headers[0]["Authorization"] == "Bearer hush"
    assert "hush" not in policy.name


def test_an_unknown_option_of_the_address_is_refused():
    with pytest.raises(MisstepError, match="options modle, expected"):
        ServerPolicy("http://127.0.0.1:9/v1?modle=x")


def test_an_unknown_policy_is_refused():
    with pytest.raises(MisstepError, match="policy 'pocked', expected pocket, a folder"):
        load_policy("pocked")


def test_tokens_are_shared_out_without_loss():
    assert _share(10, [1, 1, 1]) == [3, 4, 3] and sum(_share(7, [0, 0])) == 7 and _share(5, []) == []
