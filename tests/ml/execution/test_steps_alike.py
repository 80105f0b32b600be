"""A step's verdict and output are the same, whether its path runs from scratch or from a kept process."""

import os
import time
from pathlib import Path

import pytest

from ml.execution import Verdict
from ml.execution.process import ProcessLayer
from tests.ml.execution.test_sandbox import needs_confinement

BURN = "import time\nbegan = time.process_time()\nwhile time.process_time() - began < {}:\n    pass\nprint('burnt')"
TRACEBACK = "import traceback\ntry:\n    f()\nexcept ZeroDivisionError:\n    print(traceback.format_exc())"
FLOOD = "print('x' * 70_000)"

PATHS = {
    "keeps a writer": ["import sys\nwrite = sys.stdout.write", "n = write('kept\\n')\nprint(n)"],
    "replaces the stream": ["import io, sys\nsys.stdout = io.StringIO()\nprint('lost')", "print('seen')"],
    "prints to its own file": ["import sys\nout = sys.stdout", "print('a', file=out)", "print('b', file=out)"],
    "reconfigures": ["import sys\nsys.stdout.reconfigure(line_buffering=True)", "print('é')"],
    "changes the encoding": ["import sys\nsys.stdout.reconfigure(encoding='ascii')", "print('é')", "print('ü')"],
    "uses the buffer": ["import sys\nn = sys.stdout.buffer.write(b'bytes')", "sys.stdout.buffer.write(b'more\\n')"],
    "asks what it has": ["import sys\nprint(sys.stdout.fileno())", "print(sys.stdout.encoding, sys.stdout.isatty())"],
    "is the same object": ["import sys\nkept = sys.stdout", "print(kept is sys.stdout is sys.__stdout__)"],
    "closes the stream": ["import sys\nsys.stdout.close()", "print('open again')", "print('and now')"],
    "detaches the stream": ["import sys\nraw = sys.stdout.detach()", "print('whole again')"],
    "redirects": ["import contextlib, io\nwith contextlib.redirect_stdout(io.StringIO()):\n    print(1)", "print(2)"],
    "leaves a line open": ["print('half', end='')", "print('whole')", "print('end', end='')"],
    "writes to the handle": ["import os\nn = os.write(1, b'early')", "n = os.write(1, b'late')"],
    "prints errors": ["import sys\nprint('early', file=sys.stderr)", "print('late', file=sys.stderr)"],
    "fails in the middle": ["x = 1", "print('before')\nx = x / 0", "print('after')"],
    "fails at the start": ["print('before')\nraise KeyError('k')", "x = 1", "print('after')"],
    "misses a module": ["x = 1", "print('before')\nimport pandas", "print('after')"],
    "floods in the middle": ["x = 1", FLOOD, "print('after')"],
    "floods and catches": ["x = 1", f"try:\n    {FLOOD}\nexcept BaseException:\n    pass", "print('after')"],
    "floods at the end": ["x = 1", FLOOD],
    "floods bit by bit": ["print('x' * 40_000)", "print('x' * 40_000)", "print('done')"],
    "shows a traceback": ["x = 0", "def f():\n    return 1 / x", TRACEBACK],
    "leaves early": ["x = 1\nraise SystemExit", "print('goes on')\nraise SystemExit(0)", "print(x)"],
    "overflows the stack": [
        "x = 1", "import sys\nsys.setrecursionlimit(10**9)\ndef f(): return [f()]\nf()", "print(x)"
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def layers():
    made = ProcessLayer(servers=1, wrapped=False), ProcessLayer(servers=1, wrapped=False)
    yield made
    for layer in made:
        layer.close()


def seen(execution):
    return execution.verdict, execution.output, execution.ran, execution.error


def run_both(layers, codes):
    """The outcome from scratch, and the outcome after each step was run by itself, as a search does."""
    scratch, kept = layers
    from_scratch = scratch.run(codes)
    for length in range(1, len(codes)):
        kept.run(codes[:length], keep_states=True)
    return seen(from_scratch), seen(kept.run(codes, keep_states=True))


@needs_confinement
@pytest.mark.parametrize("codes", PATHS.values(), ids=PATHS)
def test_a_path_says_the_same_from_scratch_and_from_a_kept_process(layers, codes):
    from_scratch, from_kept = run_both(layers, codes)
    assert from_scratch == from_kept


@needs_confinement
def test_what_the_last_step_prints_is_seen_whatever_an_earlier_one_did_to_the_stream(layers):
    for name, output in (
        ("keeps a writer", "kept\n5\n"),
        ("replaces the stream", "seen\n"),
        ("closes the stream", "and now\n"),
        ("uses the buffer", "more\n"),
        ("writes to the handle", "late"),
    ):
        execution = layers[0].run(PATHS[name])
        assert (execution.verdict, execution.output) == (Verdict.OK, output), name


@needs_confinement
def test_each_step_has_its_own_processor_time(layers):
    steps = [BURN.format(1.3), BURN.format(1.3) + "\n"]
    from_scratch, from_kept = run_both(layers, steps)
    assert from_scratch == from_kept == (Verdict.OK, "burnt\n", 2, "")


@needs_confinement
def test_a_step_that_takes_too_long_is_named_and_those_after_it_do_not_run(layers):
    from_scratch, from_kept = run_both(layers, ["x = 1", "print(x)\nwhile True: pass", "print(2)"])
    assert from_scratch == from_kept == (Verdict.PROGRAM_ERROR, "", 1, "CPU time limit")


@needs_confinement
def test_a_kept_process_s_steps_may_together_take_longer_than_the_path_that_it_ran(layers):
    kept = layers[1]
    kept.run(["x = 2"], keep_states=True)
    assert kept.run(["x = 2", BURN.format(1.3), BURN.format(1.4), "print(x)"]).output == "2\n"


@needs_confinement
def test_a_program_that_switches_its_time_limit_off_is_ended_by_the_server(layers):
    off = "import signal\nsignal.setitimer(signal.ITIMER_PROF, 0)\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\n"
    started = time.monotonic()
    execution = layers[0].run([off + "while True: pass"])
    assert (execution.verdict, execution.error) == (Verdict.PROGRAM_ERROR, "CPU time limit")
    assert time.monotonic() - started < 15


@needs_confinement
def test_each_step_has_its_own_wall_clock():
    layer = ProcessLayer(servers=1, wall_seconds=1.0, wrapped=False)
    wait = "import select\n_ = select.poll().poll({})\nprint('waited')"
    layer.run(["x = 1"])
    assert layer.run([wait.format(700), wait.format(701)]).output == "waited\n"
    stuck = layer.run(["x = 1", wait.format(1900), "print(x)"])
    assert stuck.verdict is Verdict.INFRASTRUCTURE and stuck.error == "stopped after 1 s"
    layer.close()


@needs_confinement
def test_a_process_with_much_memory_of_its_own_is_not_kept_and_its_path_runs_again():
    kept = ProcessLayer(servers=1, wrapped=False)
    large, small = "x = bytearray(b'1' * 100_000_000)\nprint(len(x))", "y = bytearray(b'1' * 10_000_000)"
    server = kept._idle[0]
    assert kept.run([large], keep_states=True).output == "100000000\n"
    assert len(server.kept) == 0
    assert kept.run([large, "print(x[5])"], keep_states=True).output == "49\n"
    kept.run([small], keep_states=True)
    assert len(server.kept) == 1
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    page = os.sysconf("SC_PAGE_SIZE")
    own = [int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * page for pid in children]
    base = int(Path(f"/proc/{server.process.pid}/statm").read_text().split()[1]) * page
    assert max(own) - base < 80_000_000
    kept.close()
