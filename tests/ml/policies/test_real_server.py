"""The server policy against `transformers serve`, a server that nobody here wrote, serving the pocket
model.
"""

import importlib.util
import os
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

pytest.importorskip("torch", reason="the extra `ml` is not installed")

from ml.execution import sandbox
from ml.pocket.problems import generate
from ml.policies.openai_server import ServerPolicy
from ml.policies.protocol import Prefix
from ml.search import math_shepherd
from ml.search.walk import Walk
from tests.ml.policies.pocket_folder import make_pocket_folder

MISSING = [name for name in ("fastapi", "uvicorn", "openai") if importlib.util.find_spec(name) is None]
pytestmark = pytest.mark.skipif(
    bool(MISSING),
    reason=f"`transformers serve` needs {', '.join(MISSING)} (pip install transformers[serving])",
)


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = make_pocket_folder(tmp_path_factory.mktemp("served") / "pocket")
    (folder.parent / "hub").mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    script = os.path.join(os.path.dirname(sys.executable), "transformers")
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(folder.parent / "hub")}
    server = subprocess.Popen(
        [script, "serve", str(folder), "--port", str(port), "--device", "cpu"],
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
    # The pocket tokenizer has no text that every stop string can be looked for in: texts are cut by the
    # client.
    yield f"http://localhost:{port}/v1?model={folder}&prompts=pocket&stop=no&max_tokens=400"
    server.terminate()
    server.wait(30)


def test_steps_and_completions_come_from_a_real_server(address):
    policy = ServerPolicy(address)
    prefix = Prefix(generate(1, seed=3)[0], (), "code")
    whole = policy.complete([prefix], 2, 0.8, 0)[0]
    assert all(one.finished and len(one.steps) >= 2 and one.tokens > 10 for one in whole)
    step = policy.next_steps([prefix], 1, 0.8, 0)[0][0]
    assert len(step.steps) == 1 and not step.finished and "```python" in step.steps[0]
    following = Prefix(prefix.problem, step.steps, "code")
    assert policy.next_steps([following], 1, 0.8, 0)[0][0].steps != step.steps


def test_a_search_runs_over_a_real_server(address):
    walk = Walk(ServerPolicy(address), sandbox())
    options = math_shepherd.MathShepherd(rollouts=1, candidates=2)
    search = math_shepherd.search(generate(1, seed=4)[0], options, 0, style="code")
    tree = next(iter(walk.drive([("x", search)]))).result
    assert any(end.final_answer is not None for end in tree.terminals())
    assert walk.cost.tokens > 0 and walk.cost.executions > 0
