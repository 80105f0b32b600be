"""The client of OpenAI-compatible servers against a small server that behaves and misbehaves on demand."""

import time

import pytest

from ml.errors import MisstepError
from ml.execution import sandbox
from ml.policies import load_policy
from ml.policies.openai_server import ServerPolicy
from ml.policies.protocol import Continuation, Prefix
from ml.records import Problem
from ml.search import math_shepherd, rstar
from ml.search.pairs import preference_pairs
from ml.search.self_critic import question, says_solved
from ml.search.trajectory import best_trajectory
from ml.search.tree import CORRECT, Tree
from ml.search.walk import Walk
from tests.ml.policies.small_server import PREFIX, completions


def test_the_model_is_the_server_s_first_and_names_the_policy(serve):
    server = serve(completions)
    policy = load_policy(server.address)
    assert policy.name == f"{server.address}?model=served-model&max_tokens=1024"


def test_policies_that_write_something_else_have_other_names():
    addresses = [
        f"http://{place}?model={model}{options}"
        for place in ("host:80/a/v1", "host:80/b/v1", "host:81/a/v1")
        for model in ("org/x", "org/y")
        for options in ("", "&prompts=pocket", "&max_tokens=9", "&stop=no")
    ]
    names = [ServerPolicy(address).name for address in addresses]
    assert len(set(names)) == len(addresses)
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


def test_a_server_is_asked_whether_a_problem_is_solved_in_a_prompt_of_its_own(serve):
    server = serve(lambda body, n: completions(body, n, "solved", stop_reason="\n"))
    asked = question(Tree(PREFIX.problem, PREFIX.steps), Tree(PREFIX.problem, PREFIX.steps).root)
    ((reply,),) = ServerPolicy(server.address).next_steps([asked], 1, 0.0, 0)
    assert reply.steps == ("solved",) and says_solved(reply.steps[0])
    body = server.requests[0]
    assert body["stop"] == ["\n", "<end of verdict>"] and body["temperature"] == 0.0
    assert body["prompt"].endswith("Problem: What is 1 + 1?\n\nSolution so far:\n\nAdd them.\n\nVerdict:\n")


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
