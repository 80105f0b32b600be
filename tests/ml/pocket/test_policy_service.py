"""Engines that serve many callers: merged calls, several processes, and one that ends too early."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from ml.errors import MisstepError
from ml.execution import sandbox
from ml.pocket.problems import generate
from ml.policies import engines_for
from ml.policies.protocol import Prefix
from ml.search import rstar
from ml.search.walk import Walk

torch = pytest.importorskip("torch")

from ml.pocket.lessons import prompt_text  # noqa: E402
from ml.pocket.policy import SHIPPED, PocketPolicy, load_pocket_policy  # noqa: E402
from ml.pocket.policy_cohort import Group, Sampling  # noqa: E402
from ml.pocket.policy_service import _as_json  # noqa: E402

PREFIXES = [Prefix(problem, (), "code") for problem in generate(6, seed=32)]


@pytest.fixture(scope="module")
def policy() -> PocketPolicy:
    torch.set_num_threads(1)
    return load_pocket_policy()


def texts(rows: list) -> list[list[tuple[str, ...]]]:
    return [[one.steps for one in row] for row in rows]


def test_calls_of_several_threads_are_merged_and_each_gets_its_own_answers(policy: PocketPolicy) -> None:
    expected = [texts(policy.next_steps([prefix], 2, 0.8, 1)) for prefix in PREFIXES]
    with ThreadPoolExecutor(len(PREFIXES)) as callers:
        together = list(callers.map(lambda prefix: policy.next_steps([prefix], 2, 0.8, 1), PREFIXES))
        cold = callers.submit(policy.complete, PREFIXES[:1], 3, 0.0, 1)
        warm = callers.submit(policy.complete, PREFIXES[:1], 1, 0.8, 1)
        assert len(set(texts(cold.result())[0])) == 1 and len(warm.result()[0]) == 1
    assert [texts(row) for row in together] == expected


def test_two_engines_search_the_trees_of_one_and_one_that_has_ended_says_so(policy: PocketPolicy) -> None:
    many = load_pocket_policy(engines=2)
    assert many.lanes == 2 * policy.lanes
    options = rstar.RStar(rollouts=2, candidates=3)

    def trees(policy: PocketPolicy, parallel: int) -> dict:
        searches = ((p.problem.id, rstar.search(p.problem, options, 0, style="code")) for p in PREFIXES)
        return {
            done.key: done.result.as_json()
            for done in Walk(policy, sandbox(), parallel=parallel).drive(searches)
        }

    assert trees(many, 6) == trees(policy, 1)
    many.close()
    with pytest.raises(MisstepError, match="engine process has ended"):
        many.complete(PREFIXES, 1, 0.8, 0)


def test_a_process_whose_owner_goes_in_the_middle_of_a_call_ends_without_a_word(policy: PocketPolicy) -> None:
    begin = tuple(policy.tokenizer.encode(prompt_text(PREFIXES[0].problem.text, "prose")).ids)

    def call(number: int, longest: int) -> str:
        group = Group((begin,), np.arange(64, dtype=np.uint64), Sampling(frozenset(), (), 0.8, longest))
        return json.dumps({"call": number, "groups": [_as_json(group)]}) + "\n"

    command = [sys.executable, "-m", "ml.pocket.policy_service", str(SHIPPED)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as served:
        assert served.stdin and served.stdout and served.stderr
        served.stdin.write(call(1, 2) + call(2, 400))
        served.stdin.flush()
        # The second call is under way once the first is answered.
        assert json.loads(served.stdout.readline())["call"] == 1
        time.sleep(0.1)
        served.stdin.close()
        assert (served.wait(60), served.stdout.read(), served.stderr.read()) == (0, "", "")


def test_a_failing_call_gets_its_error_and_the_engine_goes_on(
    policy: PocketPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(type(policy.engine), "forward", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            policy.complete([Prefix(generate(1, seed=5)[0], (), "prose")], 1, 0.8, 0)
    assert policy.next_steps(PREFIXES[:1], 1, 0.0, 0)[0][0].steps


def test_there_are_as_many_engines_as_cores_are_allotted_and_items_pay_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1, 2, 3})
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert [engines_for(items) for items in (1, 64, 100, 1000)] == [1, 2, 3, 4]
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert engines_for(1000) == 2
