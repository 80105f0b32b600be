"""Steps of code with blank lines inside, and steps that are too long, from a server that honours stops."""

from __future__ import annotations

import warnings

import pytest

from ml.execution import sandbox
from ml.policies.openai_options import LONGEST_STEP
from ml.policies.openai_server import ServerPolicy
from ml.policies.prompt import load_prompt
from ml.policies.protocol import Prefix
from ml.records import Problem
from ml.search import rest_mcts, rstar
from ml.search.math_shepherd import MathShepherd
from ml.search.math_shepherd import search as sample_and_roll_out
from ml.search.tree import CORRECT
from ml.search.walk import Walk
from ml.segmentation import ends_in_fence

STEPS = [
    "Define it.\n```python\ndef f(x):\n    y = x + 2\n\n\n\n    return y\n```",
    "Print it.\n```python\nprint(f(3))\n```",
]
SOLUTION = "".join(f"{step}\n\n" for step in STEPS) + "<end of solution>"
PROBLEM = Problem("p", "What is 3 + 2?", "5")


def writes(solution, tells=True, longest=10**6):
    """A server of a model that knows one solution, and goes on from wherever it is asked to, stop strings dropped."""

    def reply(body, number):
        done = body["prompt"].rpartition("Solution:\n\n")[2]
        text = solution.removeprefix(done) if solution.startswith(done) else "?"
        found = [(text.find(stop), stop) for stop in body["stop"] if stop in text]
        at, stop = min(found, default=(len(text), None))
        choice = {"text": text[:at], "finish_reason": "stop"} | ({"stop_reason": stop} if tells else {})
        tokens = len(choice["text"]) // 4 + 1
        if tokens > min(longest, body["max_tokens"]):
            choice |= {"text": text[: 4 * body["max_tokens"]], "finish_reason": "length"}
            tokens = body["max_tokens"]
        count = body.get("n", 1)
        return 200, {"choices": [choice] * count, "usage": {"completion_tokens": tokens * count}}

    return reply


@pytest.mark.parametrize("tells", [True, False])
def test_a_step_with_blank_lines_in_its_code_is_asked_for_to_its_end(serve, tells):
    server = serve(writes(SOLUTION, tells))
    (written,) = ServerPolicy(server.address).next_steps([Prefix(PROBLEM, (), "code")], 2, 0.7, 0)
    assert [one.steps for one in written] == [(STEPS[0],)] * 2
    assert not any(one.finished or one.cut for one in written)
    # One request for both, then two more for each: what they cost is counted, and leaves less for the rest.
    assert [body["n"] for body in server.requests] == [2, 1, 1, 1, 1]
    first = (2 * 12) // 2
    assert [one.tokens for one in written] == [first + 1 + 5] * 2
    asked = sorted(body["max_tokens"] for body in server.requests)
    assert asked == [LONGEST_STEP - first - 1] * 2 + [LONGEST_STEP - first] * 2 + [LONGEST_STEP]
    assert len({body["seed"] for body in server.requests}) == 5


@pytest.mark.parametrize("method", ["rstar", "rest-mcts"])
def test_a_search_over_code_with_blank_lines_reaches_its_end(serve, method):
    walk = Walk(ServerPolicy(serve(writes(SOLUTION)).address), sandbox())
    if method == "rstar":
        search = rstar.search(PROBLEM, rstar.RStar(rollouts=2, candidates=2), 0, style="code")
    else:
        search = rest_mcts.search(PROBLEM, rest_mcts.RestMcts(rollouts=4, candidates=2), 0, style="code")
    tree = next(iter(walk.drive([("only", search)]))).result
    assert tree.nodes[1].text == STEPS[0]
    (end,) = tree.terminals()
    assert end.terminal == CORRECT and tree.steps(end) == tuple(STEPS)


def test_a_model_that_writes_nothing_but_blank_lines_is_given_up(serve):
    server = serve(writes("Define it.\n```python\ny = 1" + "\n" * 400, tells=False))
    (written,) = ServerPolicy(server.address).next_steps([Prefix(PROBLEM, (), "code")], 1, 0.7, 0)
    assert written[0].cut and len(server.requests) < 9


def test_a_step_that_fills_the_context_behind_a_blank_line_is_cut_off_and_not_begun_anew(serve):
    answered = writes("One.\n\n" + SOLUTION)

    def reply(body, number):
        if number > 1:
            said = "This model's maximum context length is 500 tokens. However, your prompt is longer."
            return 400, {"error": {"message": said, "code": 400}}
        return answered(body, number)

    server = serve(reply)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        prefix = Prefix(PROBLEM, ("One.",), "code")
        (written,) = ServerPolicy(server.address).next_steps([prefix], 2, 0.7, 0)
    assert [(one.cut, one.finished) for one in written] == [(True, False)] * 2
    assert [body["n"] for body in server.requests] == [2, 1, 1] and all(one.tokens > 0 for one in written)


def test_a_step_that_is_cut_off_at_its_longest_is_no_node_to_go_on_from(serve):
    server = serve(writes("So on and on" + " and on" * 400))
    walk = Walk(ServerPolicy(server.address + "?max_step_tokens=7"), sandbox())
    search = rstar.search(PROBLEM, rstar.RStar(rollouts=3, candidates=2), 0)
    tree = next(iter(walk.drive([("only", search)]))).result
    assert [(node.pruned, node.children) for node in tree.nodes[1:]] == [("cut off at the longest step", [])]
    assert tree.root.exhausted and walk.texts == {"steps": 2, "cut_off_steps": 2}
    assert [body["max_tokens"] for body in server.requests] == [7]


def test_the_torn_last_step_of_a_completion_that_was_cut_off_is_no_node(serve):
    whole = "First.\n\nSecond.\n\nThen"
    server = serve(writes(whole + " and on" * 400))
    walk = Walk(ServerPolicy(server.address + "?max_tokens=8"), sandbox())
    search = sample_and_roll_out(PROBLEM, MathShepherd(rollouts=1, candidates=2), 0)
    tree = next(iter(walk.drive([("only", search)]))).result
    assert [node.text for node in tree.nodes] == ["", "First.", "Second."]


def test_the_longest_step_is_an_option_that_names_the_policy(serve):
    address = "http://host:80/v1?model=x"
    assert ServerPolicy(address + "&max_step_tokens=400").name == ServerPolicy(address).name
    assert "max_step_tokens=800" in ServerPolicy(address + "&max_step_tokens=800").name


@pytest.mark.parametrize(
    ("text", "is_open"),
    [
        ("```python\nx = 1", True),
        ("```python", True),
        ("```python\nx = 1\n```", False),
        ("```python\nx = 1\n```\nThen.", False),
        ("````\n```\n", True),
        ("No code at all.", False),
        ("```\na\n```\n```python\nb", True),
    ],
)
def test_a_fence_is_open_until_it_is_closed(text, is_open):
    assert ends_in_fence(text) is is_open


def test_a_step_ends_at_the_first_blank_line_outside_its_code():
    prompt = load_prompt("code")
    assert prompt.boundary(SOLUTION) == len(STEPS[0])
    assert prompt.boundary("\n\n" + STEPS[0]) is None
    assert prompt.one_step(STEPS[0][:40], 9, stopped=False, ended=False).cut
