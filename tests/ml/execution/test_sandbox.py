"""Running steps: states that are resumed, verdicts by exit status, layers in order, and failing closed."""

import os
import resource
import signal
import time
from contextlib import closing
from pathlib import Path

import pytest

from ml.execution import Execution, Sandbox, Verdict, bubblewrap
from ml.execution import sandbox as shared
from ml.execution.confinement import landlock_version, machine
from ml.execution.monty import Doubt, MontyLayer
from ml.execution.outcome import path_keys
from ml.execution.process import SNAPSHOTS_KEPT, ProcessLayer
from ml.execution.self_test import ATTACKS, broken_promises

needs_confinement = pytest.mark.skipif(
    landlock_version() == 0 or machine() not in ("x86_64", "aarch64"),
    reason="this kernel has no Landlock, or this processor no table: the process sandbox refuses to run here",
)


@pytest.fixture(scope="module")
def process():
    layer = ProcessLayer(servers=1, wrapped=False)
    yield layer
    layer.close()


@pytest.fixture(scope="module")
def sandbox():
    made = Sandbox()
    yield made
    made.close()


def test_steps_share_one_namespace_and_only_the_last_output_counts():
    execution = shared().execute(["x = 2\nprint('early')", "y = x + 1", "print(x * y)"])
    assert (execution.verdict, execution.output, execution.ran) == (Verdict.OK, "6\n", 3)
    assert execution.last_line == "6"


def test_a_failing_step_is_named_and_later_steps_do_not_run():
    execution = shared().execute(["x = 1", "x = x / 0", "print(x)"])
    assert execution.verdict is Verdict.PROGRAM_ERROR
    assert execution.ran == 1 and execution.error.startswith("ZeroDivisionError")


def test_the_word_error_in_the_output_is_no_verdict():
    assert shared().execute(["print('Error: this is a fine program, error')"]).ok


def test_siblings_never_see_each_other_s_writes():
    shared().execute(["numbers = [1]", "numbers.append(2)"])
    assert shared().execute(["numbers = [1]", "print(numbers)"]).output == "[1]\n"


def test_a_child_step_resumes_its_parent_s_state_instead_of_running_it_again():
    layer = MontyLayer(processes=1)
    slow = "x = 0\nwhile x < 300000:\n    x += 1"
    first = layer.run([slow]).execution
    child = layer.run([slow, "print(x)"]).execution
    layer.close()
    assert child.output == "300000\n"
    assert child.seconds * 3 < first.seconds


def test_the_cost_of_a_step_does_not_grow_with_its_depth():
    layer = MontyLayer(processes=1)
    paths = [[f"x{i} = {i + path}\nfor _ in range(20000):\n    pass" for i in range(40)] for path in range(3)]
    seconds = [[layer.run(codes[: depth + 1]).execution.seconds for depth in range(40)] for codes in paths]
    layer.close()
    # A machine that is busy with something else only ever adds: the quickest step is the one that says what it costs.
    early, late = (min(min(path[steps]) for path in seconds) for steps in (slice(1, 11), slice(30, 40)))
    # Run from the first step each time, the last steps would take some seven times as long as the early ones.
    assert late < 3 * early


@pytest.mark.parametrize(
    "code",
    ["x = '\ud800'", "print('a\0b')", "(" * 5000, "x = 1\n" * 100_000, "x = []\nx.append(x)\nx", "", "1 \\"],
    ids=["surrogate", "null", "brackets", "long", "cycle", "empty", "backslash"],
)
@needs_confinement
def test_odd_programs_get_a_verdict_like_any_other(sandbox, code):
    assert sandbox.execute([code]).verdict in (Verdict.OK, Verdict.PROGRAM_ERROR)


def test_prefixes_have_keys_that_do_not_depend_on_how_code_is_cut():
    assert path_keys(["ab", "c"]) != path_keys(["a", "bc"])
    assert path_keys(["a", "b"])[0] == path_keys(["a"])[0]


@pytest.mark.parametrize(
    "code,doubt",
    [
        ("import sympy", Doubt.LIKELY_OURS),
        ("def f():\n    yield 1", Doubt.LIKELY_OURS),
        ("globals()", Doubt.LIKELY_OURS),
        ("undefined_name", Doubt.NONE),
        ("1 / 0", Doubt.NONE),
        ("int('x')", Doubt.POSSIBLE),
        ("{}[1]", Doubt.POSSIBLE),
        ("pow(3, -1, 7)", Doubt.LIKELY_OURS),
        ("any(1 / x for x in (1, 0))", Doubt.POSSIBLE),
        ("(1).missing", Doubt.POSSIBLE),
    ],
)
def test_monty_s_errors_are_doubted_only_where_monty_may_lack_something(code, doubt):
    layer = MontyLayer(processes=1)
    assert layer.run([code]).doubt is doubt
    layer.close()


def test_without_a_second_layer_what_monty_lacks_is_no_evidence():
    alone = Sandbox(use_processes=False)
    assert alone.execute(["import sympy"]).verdict is Verdict.INFRASTRUCTURE
    assert alone.execute(["1 / 0"]).verdict is Verdict.PROGRAM_ERROR
    assert alone.execute(["(1).missing"]).verdict is Verdict.PROGRAM_ERROR
    assert alone.infrastructure == 1
    alone.close()


def test_an_incomplete_sandbox_refuses_unless_the_unsafe_switch_is_set(monkeypatch):
    monkeypatch.setattr("ml.execution.layers.broken_promises", lambda run, pid: ["opens a socket"])
    refusing = Sandbox()
    refused = refusing.execute(["import fractions\nprint(1)"])
    assert refused.verdict is Verdict.INFRASTRUCTURE and "opens a socket" in refused.error
    monkeypatch.setenv("MISSTEP_ALLOW_UNSAFE_EXEC", "1")
    allowed = refusing.execute(["import fractions\nprint(1)"])
    assert allowed.ok and allowed.level.endswith("UNSAFE")
    refusing.close()


@needs_confinement
def test_what_monty_lacks_runs_in_the_process_sandbox_and_says_so(sandbox):
    execution = sandbox.execute(["from fractions import Fraction", "print(Fraction(1, 3) + 1)"])
    assert (execution.output, execution.verdict) == ("4/3\n", Verdict.OK)
    assert execution.level.removeprefix("bwrap+").startswith("process:landlock")
    assert sandbox.execute(["print(1)"]).level == "monty"
    assert sandbox.level == f"monty, {execution.level}"


@needs_confinement
def test_sympy_and_numpy_are_there(sandbox):
    assert sandbox.execute(["import sympy\nprint(sympy.sqrt(8))"]).output == "2*sqrt(2)\n"
    assert sandbox.execute(["import numpy as np\nprint(int(np.arange(5).sum()))"]).output == "10\n"


@needs_confinement
def test_the_self_test_finds_no_broken_promise_here(process):
    assert broken_promises(process.run, os.getpid()) == []


def test_the_self_test_notices_every_attack_that_succeeds():
    def careless(codes):
        output = "16" if "comb" in codes[0] else "BROKEN"
        return Execution(Verdict.OK, output, "none", 1)

    assert broken_promises(careless, os.getpid()) == list(ATTACKS)


@needs_confinement
@pytest.mark.parametrize(
    "code,verdict",
    [
        ("print(1)", Verdict.OK),
        ("raise SystemExit(0)", Verdict.OK),
        ("raise SystemExit(2)", Verdict.PROGRAM_ERROR),
        ("raise ValueError('x')", Verdict.PROGRAM_ERROR),
        ("x = bytearray(2**34)", Verdict.PROGRAM_ERROR),
        ("print('x' * 10**6)", Verdict.PROGRAM_ERROR),
        ("import invented_module", Verdict.PROGRAM_ERROR),
        ("import pandas", Verdict.INFRASTRUCTURE),
        ("while True: pass", Verdict.PROGRAM_ERROR),
    ],
)
def test_verdicts_come_from_how_the_process_ended(process, code, verdict):
    assert process.run([code]).verdict is verdict


@needs_confinement
def test_a_run_that_the_wall_clock_stops_is_no_evidence():
    layer = ProcessLayer(servers=1, wall_seconds=0.3)
    layer.run(["print(1)"])
    stuck = layer.run(["while True: pass"])
    assert stuck.verdict is Verdict.INFRASTRUCTURE and "stopped after 0.3 s" in stuck.error
    assert layer.run(["print(2)"]).output == "2\n"
    layer.close()


@needs_confinement
def test_a_killed_fork_server_is_replaced(process):
    process.run(["print(1)"])
    os.kill(process._idle[0].process.pid, signal.SIGKILL)
    time.sleep(0.05)
    assert process.run(["print(1)"]).verdict is Verdict.INFRASTRUCTURE
    assert process.run(["print(1)"]).output == "1\n"


@needs_confinement
def test_a_forged_report_cannot_move_the_blame_out_of_the_path(process):
    forged = 'import os\nos.write(3, b\'{"step": 99, "error": 5}\')\nos._exit(1)'
    execution = process.run(["x = 1", forged])
    assert execution.verdict is Verdict.PROGRAM_ERROR and execution.ran == 1
    garbage = "import os\nos.write(3, b'[' * 4000)\nos._exit(1)"
    assert process.run([garbage]).verdict is Verdict.PROGRAM_ERROR


@needs_confinement
def test_the_child_has_no_environment_of_ours(monkeypatch):
    for name in ("MISSTEP_TEST_SECRET", "MISSTEP_POLICY_KEY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "do not tell")
    # One that began before would not have it either way.
    with closing(ProcessLayer(servers=1, wrapped=False)) as begun_since:
        told = begun_since.run(["import os\nprint(os.environ)"]).output
    assert told.startswith("environ(") and "do not tell" not in told and "'HOME'" not in told


@needs_confinement
def test_a_step_goes_on_in_a_fork_of_the_process_that_ran_its_parent(process):
    drawn = "import random\nx = random.SystemRandom().random()\nprint(x)"
    first = process.run([drawn], keep_states=True).output
    # A path that was run again would have drawn another number.
    left = process.run([drawn, "y = [x]\nprint(x)"], keep_states=True)
    right = process.run([drawn, "print(x, 'y' in globals())"], keep_states=True)
    assert (left.output, right.output) == (first, f"{first.strip()} False\n")
    below = process.run([drawn, "y = [x]\nprint(x)", "y.append(1)\nprint(y == [x, 1])"])
    assert (below.output, below.ran) == ("True\n", 3)
    failed = process.run([drawn, "y = [x]\nprint(x)", "z = 1", "1 / 0"])
    assert (failed.verdict, failed.ran) == (Verdict.PROGRAM_ERROR, 3)


@needs_confinement
def test_only_so_many_processes_are_kept_and_none_outlives_its_server(process):
    for index in range(SNAPSHOTS_KEPT + 4):
        assert process.run([f"x = {index}"], keep_states=True).ok
    server = process._idle[0]
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
    kept = children.read_text().split()
    assert len(kept) == len(server.kept) == SNAPSHOTS_KEPT
    process.close()
    assert [pid for pid in kept if Path(f"/proc/{pid}").exists()] == []


@needs_confinement
def test_a_path_whose_kept_process_is_gone_runs_again_from_its_start(process):
    process.run(["x = 5"], keep_states=True)
    server = process._idle[0]
    (kept,) = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()[-1:]
    os.kill(int(kept), signal.SIGKILL)
    assert process.run(["x = 5", "print(x)"], keep_states=True).output == "5\n"


@needs_confinement
@pytest.mark.parametrize(
    "spoiled",
    [
        "import os\nos.write(3, b'{\"done\": true}')\nwhile True: pass",
        "import socket\nsocket.socket.recvmsg = None",
        "import os\nos.dup2 = None",
        "import os\nos.dup2(0, 4)",
        "import json\njson.loads = lambda text: 5",
    ],
    ids=["is not done", "receives nothing", "copies no handle", "cuts its line", "reads orders wrong"],
)
def test_a_step_that_spoils_the_process_it_leaves_harms_only_its_own_path(process, spoiled):
    process.run([spoiled], keep_states=True)
    process.run([spoiled, "print(2)"], keep_states=True)
    assert process.run(["x = 1"], keep_states=True).ok
    assert process.run(["x = 1", "print(x)"]).output == "1\n"


def test_the_sandbox_is_wrapped_in_bubblewrap_exactly_where_it_works(monkeypatch):
    assert ProcessLayer().wrapped is bubblewrap.is_available()
    monkeypatch.setenv("PATH", "/nowhere")
    bubblewrap.tried.cache_clear()
    assert ProcessLayer().level.startswith("process:")
    bubblewrap.tried.cache_clear()


def test_a_run_whose_pipes_have_high_numbers_is_read(process):
    # A run with a thousand connections has such handles.
    most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most[1] < 2_000:
        pytest.skip("this system allows fewer open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(most[0], 2_000), most[1]))
    held = [os.open(os.devnull, os.O_RDONLY)]
    try:
        while held[-1] < 1_100:
            held.append(os.dup(held[0]))
        assert process.run(["print(6 * 7)"]).output == "42\n"
    finally:
        for handle in held:
            os.close(handle)
        resource.setrlimit(resource.RLIMIT_NOFILE, most)
