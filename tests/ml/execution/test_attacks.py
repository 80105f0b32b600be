"""A quick part of `python -m tests.ml.execution.attacks`: all attacks that do not live from burning time."""

import os
import signal
import subprocess
import sys

import pytest

from ml.execution.process import ProcessLayer
from tests.ml.execution import attacks, processes
from tests.ml.execution.attack_programs import attack_programs
from tests.ml.execution.honest_programs import honest_programs
from tests.ml.execution.test_sandbox import needs_confinement

SLOW = (
    "loops for ever",
    "counts for ever",
    "raises a tower",
    "loops past its own end",
    "ignores the time signal",
    "floods the report",
    "backtracks",
    "drips its report",
    "closes its pipes and waits",
    "forks a bomb",
    "nests a long sum",
)


@pytest.fixture(scope="module")
def levels():
    return attacks.levels()


def quick(*arguments):
    return {name: code for name, code in attack_programs(*arguments).items() if name not in SLOW}


def test_there_are_at_least_120_different_attacks(tmp_path):
    programs = attack_programs(os.getpid(), tmp_path / "secret", tmp_path)
    assert len(set(programs.values())) >= 120
    assert set(SLOW) < set(programs)


def level(levels, index):
    if index == len(levels) == 2:
        pytest.skip("bubblewrap is not installed, or may not make namespaces here")
    return list(levels.values())[index]


@needs_confinement
@pytest.mark.parametrize("index", [0, 1, 2], ids=["monty", "process", "bubblewrap"])
def test_no_attack_succeeds(levels, index, tmp_path, monkeypatch):
    monkeypatch.setattr(attacks, "attack_programs", quick)
    assert attacks.attack(level(levels, index), tmp_path) == []


@needs_confinement
@pytest.mark.parametrize("index", [1, 2], ids=["process", "bubblewrap"])
def test_every_honest_program_prints_what_it_should(levels, index):
    assert attacks.compute(level(levels, index).run, honest_programs(60)) == []


def test_an_attack_that_succeeds_is_reported(tmp_path):
    """The suite itself must be able to fail: outside any sandbox, reading a file works."""
    from ml.execution import Execution, Verdict

    def unprotected(code):
        lines = []
        try:
            exec(code, {"print": lambda *words: lines.append(" ".join(map(str, words)))})
        except Exception as error:
            return Execution(Verdict.PROGRAM_ERROR, "\n".join(lines), "none", 0, str(error))
        return Execution(Verdict.OK, "\n".join(lines), "none", 1)

    secret = tmp_path / "secret"
    secret.write_text("BROKEN secret")
    programs = attack_programs(os.getpid(), secret, tmp_path)
    assert "BROKEN" in unprotected(programs["reads the secret's bytes"]).output
    assert attacks.compute(lambda codes: unprotected(codes[0]), {"wrong": ("print(1)", "2")}) != []


@needs_confinement
def test_an_attack_that_costs_a_server_or_a_verdict_or_leaves_a_process_is_reported(monkeypatch):
    from ml.execution import Execution, Verdict

    layer = ProcessLayer(servers=1, wrapped=False)
    layer.run(["x = 1"], keep_states=True)
    (kept,) = processes.children(layer)
    os.kill(kept, signal.SIGCONT)
    monkeypatch.setattr(layer, "close", lambda: None)
    reported = attacks.ended(layer, {1, *processes.servers(layer)})
    assert "ended the server 1" in reported and f"the kept process {kept} is not stopped" in reported
    assert f"the process {kept} stays" in reported
    monkeypatch.undo()
    layer.close()
    ours = Execution(Verdict.INFRASTRUCTURE, "", "none", 0, "the fork server ended", 99.0)
    assert attacks.cost({"drips its report": ours, "x": ours}) == [
        "x: no verdict: the fork server ended", "drips its report: held its server", "x: held its server"
    ]  # fmt: skip


# One namespace and one process for all: what no sandbox may be. Duplicating handles stays out even here.
SHARED = """
from ml.execution import Execution, Verdict
from ml.execution.process import ProcessLayer
from tests.ml.execution import attacks, processes

namespaces = {}


def shared(codes):
    lines = []
    space = namespaces.setdefault(codes[0], {})
    space["print"] = lambda *words: lines.append(" ".join(map(str, words)))
    if "dup2" not in codes[0] and (len(codes) == 1 or "_exit" not in codes[1]):
        exec(codes[min(1, len(codes) - 1)], space)
    return Execution(Verdict.OK, "\\n".join(lines), "none", len(codes))


print(*attacks.attack_siblings(shared), sep="\\n")
"""


def test_a_sandbox_in_which_siblings_share_their_state_is_reported():
    """In a process of its own: what the attacks leave behind would last in ours."""
    done = subprocess.run([sys.executable, "-c", SHARED], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for name in ("a list", "a name", "a builtin", "a module", "an array", "the environment", "shared memory"):
        assert name in done.stdout
