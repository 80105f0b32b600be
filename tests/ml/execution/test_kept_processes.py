"""A process that is kept for a path's next step does nothing meanwhile, and ends with those that keep it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ml.execution import Verdict
from ml.execution.process import ProcessLayer
from ml.execution.snapshots import PRIVATE_BYTES
from tests.ml.execution.processes import children, live, own_memory, state
from tests.ml.execution.test_sandbox import needs_confinement

WAIT = "import select\n_ = select.poll().poll(30_000)\n"
DONE = "import os\nos.write(3, b'{\"done\": true}\\n')\n"
# Neither it nor its forks end with the server, as far as they can help it.
DEAF = """
import ctypes, select, sys
ctypes.CDLL(None).prctl(1, 0, 0, 0, 0)
main, snapshots = sys.modules['__main__'], sys.modules['snapshots']
class Deaf:
    syscall = snapshots._libc.syscall
    prctl = staticmethod(lambda *arguments: 0)
snapshots._libc = Deaf
take = main.receive
def stay(control):
    order = take(control)
    while order[0] is None:
        select.poll().poll(1_000)
    return order
main.receive = stay
"""
GROWS_WHEN_ASKED = """
import sys
confinement, held = sys.modules['confinement'], []
number = confinement.fork_number
def grow():
    held.append(bytearray(b'1' * 150_000_000))
    return number()
confinement.fork_number = grow
"""
BURNS_WHEN_ASKED = """
import sys, time
confinement = sys.modules['confinement']
number = confinement.fork_number
def burn():
    began = time.process_time()
    while time.process_time() - began < 3.5:
        pass
    return number()
confinement.fork_number = burn
"""


@pytest.fixture
def layer():
    made = ProcessLayer(servers=1, wall_seconds=5.0, wrapped=False)
    yield made
    made.close()


@needs_confinement
def test_a_kept_process_neither_computes_nor_grows_whatever_it_said(layer):
    grows = DONE + "x = []\nwhile True:\n    x.append(bytearray(b'1' * 1_000_000))"
    assert layer.run([grows], keep_states=True).ok
    (kept,) = children(layer)
    assert state(kept) == "T"
    before = own_memory(kept), time.clock_gettime((~kept << 3) | 2)
    time.sleep(0.3)
    assert (own_memory(kept), time.clock_gettime((~kept << 3) | 2)) == before
    assert before[0] - own_memory(layer._idle[0].process.pid) < PRIVATE_BYTES


@needs_confinement
def test_a_process_that_is_honestly_kept_is_stopped_before_and_after_its_fork(layer):
    layer.run(["x = 1"], keep_states=True)
    assert layer.run(["x = 1", "print(x)"], keep_states=True).output == "1\n"
    assert layer.run(["x = 1", "print(x + 1)"]).output == "2\n"
    assert [state(pid) for pid in children(layer)] == ["T", "T"]


@needs_confinement
@pytest.mark.parametrize("spoils", [GROWS_WHEN_ASKED, BURNS_WHEN_ASKED], ids=["memory", "time"])
def test_a_kept_process_that_takes_too_much_in_the_moment_of_its_fork_is_kept_no_longer(layer, spoils):
    layer.run([spoils], keep_states=True)
    assert layer.run([spoils, "print(2)"]).output == "2\n"
    assert children(layer) == []
    assert layer.run([spoils, "print(3)"]).output == "3\n"


@needs_confinement
def test_no_process_outlives_a_parent_that_is_killed_while_a_step_runs():
    script = (
        "import json, sys\nfrom ml.execution.process import ProcessLayer\n"
        "from tests.ml.execution.processes import children\n"
        "from tests.ml.execution.test_kept_processes import DEAF, WAIT\n"
        "layer = ProcessLayer(servers=1, wrapped=False)\n"
        "for steps in ([DEAF], [DEAF, 'x = 1'], ['x = 1']):\n    layer.run(steps, keep_states=True)\n"
        "print(json.dumps([layer._idle[0].process.pid, *children(layer)]), flush=True)\n"
        "layer.run([DEAF, WAIT])"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        server, *kept = json.loads(parent.stdout.readline())
        assert len(kept) == 3
        path = Path(f"/proc/{server}/task/{server}/children")
        while len(path.read_text().split()) < 4:
            time.sleep(0.01)
        running = [int(pid) for pid in path.read_text().split()]
        parent.kill()
    assert live([server, *kept, *running]) == []


@needs_confinement
def test_no_fork_outlives_a_server_that_is_killed_once_that_is_known(layer):
    layer.run([DEAF], keep_states=True)
    layer.run([DEAF, "x = 1"], keep_states=True)
    kept = children(layer)
    os.kill(layer._idle[0].process.pid, signal.SIGKILL)
    assert layer.run(["print(1)"]).verdict is Verdict.INFRASTRUCTURE
    assert len(kept) == 2 and live(kept) == []


@needs_confinement
@pytest.mark.parametrize(
    "waits",
    [
        f"import os\nfor fd in (1, 2, 3):\n    os.close(fd)\n{WAIT}",
        f"import os\nos.write(3, b'{{\"error\": 1}}\\n')\n{WAIT}",
        f"import os\nos.write(3, b'x' * 65_000)\n{WAIT}",
    ],
    ids=["closes its pipes", "reports an error", "fills its report"],
)
def test_a_program_that_waits_costs_neither_the_server_nor_what_it_keeps(layer, waits):
    layer.wall_seconds = 0.5
    layer.run(["x = 1"], keep_states=True)
    before = layer._idle[0].process.pid, children(layer)
    stuck = layer.run([waits])
    assert (stuck.verdict, stuck.error) == (Verdict.INFRASTRUCTURE, "stopped after 0.5 s")
    assert (layer._idle[0].process.pid, children(layer)) == before
