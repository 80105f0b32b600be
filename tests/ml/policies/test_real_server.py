"""The server policy against `transformers serve`, a server that nobody here wrote. It serves the pocket model, whose
tokenizer takes no stop strings, and a model of random weights with a byte-level one, which does.
"""

import importlib.util
import os
import subprocess
import sys
import threading
import time
import urllib.request

import pytest

pytest.importorskip("torch", reason="the extra `ml` is not installed")

from ml.execution import sandbox
from ml.pocket.problems import generate
from ml.policies import openai_texts
from ml.policies.openai_client import Client
from ml.policies.openai_server import ServerPolicy
from ml.policies.prompt import load_prompt
from ml.policies.protocol import Prefix
from ml.search import math_shepherd
from ml.search.walk import Walk
from tests.ml.policies.pocket_folder import make_pocket_folder
from tests.ml.policies.random_folder import make_random_folder
from tests.ports import free_port

MISSING = [name for name in ("fastapi", "uvicorn", "openai") if importlib.util.find_spec(name) is None]
pytestmark = pytest.mark.skipif(
    bool(MISSING),
    reason=f"`transformers serve` needs {', '.join(MISSING)} (pip install transformers[serving])",
)
PROBLEMS = generate(6, seed=11)


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """The server's address; it loads a folder's model when one is asked for."""
    hub = tmp_path_factory.mktemp("hub")
    port = free_port()
    script = os.path.join(os.path.dirname(sys.executable), "transformers")
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(hub)}
    server = subprocess.Popen(
        [script, "serve", "--port", str(port), "--device", "cpu"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + 120
    while True:
        try:
            opener.open(f"http://localhost:{port}/v1/models", timeout=5).read()
            break
        except OSError:
            assert server.poll() is None and time.monotonic() < deadline, "the server did not start"
            time.sleep(0.5)
    yield f"http://localhost:{port}/v1"
    server.terminate()
    server.wait(30)


@pytest.fixture(scope="module")
def pocket(served, tmp_path_factory):
    folder = make_pocket_folder(tmp_path_factory.mktemp("served") / "pocket")
    # The pocket tokenizer has no text that every stop string can be looked for in: texts are cut by the
    # client.
    return f"{served}?model={folder}&prompts=pocket&stop=no&max_tokens=400"


@pytest.fixture(scope="module")
def stopping(served, tmp_path_factory):
    folder = make_random_folder(tmp_path_factory.mktemp("served") / "random")
    return f"{served}?model={folder}&max_tokens=120&max_step_tokens=60"


@pytest.fixture
def answers(monkeypatch):
    """What the server answers, as it comes."""
    seen, read = [], openai_texts.choices_of

    def watch(answer, limit):
        seen.append(answer)
        return read(answer, limit)

    monkeypatch.setattr(openai_texts, "choices_of", watch)
    return seen


def written(answers):
    return sum(answer["usage"]["completion_tokens"] for answer in answers)


def test_steps_and_completions_come_from_a_real_server(pocket):
    policy = ServerPolicy(pocket)
    prefix = Prefix(generate(1, seed=3)[0], (), "code")
    whole = policy.complete([prefix], 2, 0.8, 0)[0]
    assert all(one.finished and len(one.steps) >= 2 and one.tokens > 10 for one in whole)
    step = policy.next_steps([prefix], 1, 0.8, 0)[0][0]
    assert len(step.steps) == 1 and not step.finished and "```python" in step.steps[0]
    following = Prefix(prefix.problem, step.steps, "code")
    assert policy.next_steps([following], 1, 0.8, 0)[0][0].steps != step.steps


def test_a_search_runs_over_a_real_server(pocket):
    walk = Walk(ServerPolicy(pocket), sandbox())
    options = math_shepherd.MathShepherd(rollouts=1, candidates=2)
    search = math_shepherd.search(generate(1, seed=4)[0], options, 0, style="code")
    tree = next(iter(walk.drive([("x", search)]))).result
    assert any(end.final_answer is not None for end in tree.terminals())
    assert walk.cost.tokens > 0 and walk.cost.executions > 0


def test_the_server_itself_stops_at_a_step_s_boundary(stopping, answers):
    prompt, prefixes = load_prompt("prose"), [Prefix(problem, (), "prose") for problem in PROBLEMS[:3]]
    steps = [one for row in ServerPolicy(stopping).next_steps(prefixes, 4, 0.8, 0) for one in row]
    texts = [answer["choices"][0]["text"] for answer in answers]
    stopped = [answer["choices"][0]["finish_reason"] == "stop" for answer in answers]
    # It keeps the stop string, and ends with the token that holds it; a few texts end by the model's own end token.
    at_stop = [text.endswith((prompt.separator, prompt.end)) or "\n\n" in text[-8:] for text in texts]
    assert sum(map(min, at_stop, stopped)) > len(answers) / 2
    for text in texts:
        assert prompt.boundary(text.rstrip()) is None or prompt.is_inside_code(text.strip())
    for one in steps:
        assert len(one.steps) <= 1 and all(prompt.boundary(step) is None for step in one.steps)
    assert sum(one.tokens for one in steps) == written(answers)
    assert any(one.steps and not one.finished and not one.cut for one in steps)


def test_fewer_tokens_are_paid_for_where_the_server_stops(stopping, answers):
    prefix, paid = Prefix(PROBLEMS[0], (), "prose"), []
    for address in (stopping, f"{stopping}&stop=no"):
        answers.clear()
        steps = ServerPolicy(address).next_steps([prefix], 4, 0.8, 0)[0]
        assert sum(one.tokens for one in steps) == written(answers)
        paid.append(written(answers))
    assert paid[0] < paid[1] / 2


def test_a_server_that_writes_one_text_a_request_is_asked_for_each(stopping, answers):
    whole = ServerPolicy(stopping).complete([Prefix(PROBLEMS[0], (), "prose")], 5, 0.8, 0)[0]
    # `n` is ignored.
    assert len(answers) == len(whole) == 5 and all(len(answer["choices"]) == 1 for answer in answers)
    assert len({one.steps for one in whole}) > 1
    assert sum(one.tokens for one in whole) == written(answers)
    assert all(one.finished or one.tokens >= 120 for one in whole)


def test_one_request_at_a_time_is_answered_the_same_again(stopping):
    prefix = Prefix(PROBLEMS[0], (), "prose")
    first, again, other = (
        ServerPolicy(f"{stopping}&concurrency=1").next_steps([prefix], 3, 0.8, seed)[0] for seed in (1, 1, 2)
    )
    assert first == again != other


def test_trees_are_searched_over_several_requests_at_once(stopping, answers, monkeypatch):
    most, under_way, lock, post = [0], [0], threading.Lock(), Client.post

    def watch(*arguments):
        with lock:
            under_way[0] += 1
            most[0] = max(most[0], under_way[0])
        try:
            return post(*arguments)
        finally:
            with lock:
                under_way[0] -= 1

    monkeypatch.setattr(Client, "post", watch)
    walk = Walk(ServerPolicy(f"{stopping}&concurrency=4"), sandbox())
    options = math_shepherd.MathShepherd(rollouts=1, candidates=2)
    searches = [(p.id, math_shepherd.search(p, options, 0, style="prose")) for p in PROBLEMS[:3]]
    trees = {done.key: done.result for done in walk.drive(searches)}
    assert set(trees) == {problem.id for problem in PROBLEMS[:3]}
    assert all(tree.terminals() for tree in trees.values())
    assert most[0] == 4
    assert walk.cost.tokens == written(answers) and walk.texts["completions"] > 0
