"""Proves at start that the process sandbox holds here: each promise is tried by a program that would break
it.

A child that can do any of these things is not confined, whatever the kernel's version says; then the layer is
not used. The whole attack suite is in the tests; this is the part that a start can afford (some 0.2 s).
"""

from __future__ import annotations

from collections.abc import Callable

from ml.execution.outcome import Execution, Verdict

# A probe that we could not run says nothing of the layer; a busy machine may start a process at the next try.
TRIES = 3

HONEST = "import math\nprint(math.comb(6, 2) + 1)"
HONEST_OUTPUT = "16"

# Each program prints BROKEN if it gets what it must not get. {pid} is the launching process.
ATTACKS = {
    "reads a file outside the libraries": "print('BROKEN' if open('/etc/passwd').read() else '')",
    "reads the launcher's environment": "print('BROKEN' if open('/proc/{pid}/environ').read() else 'BROKEN')",
    "lists the root folder": "import os\nprint('BROKEN', os.listdir('/'))",
    "writes a file": "open('/tmp/misstep-self-test', 'w').write('x')\nprint('BROKEN')",
    "writes to shared memory": "open('/dev/shm/misstep-self-test', 'w').write('x')\nprint('BROKEN')",
    "opens a socket": "import socket\nsocket.socket()\nprint('BROKEN')",
    "forks": "import os\nprint('BROKEN') if os.fork() else None",
    "starts a program": "import os\nos.execv('/bin/echo', ['echo', 'BROKEN'])",
    "signals the launcher": "import os\nos.kill({pid}, 0)\nprint('BROKEN')",
    "takes 10 GiB": "x = bytearray(10 * 2**30)\nprint('BROKEN')",
    "lifts its own limits": (
        "import resource\nresource.setrlimit(resource.RLIMIT_NPROC, (99, 99))\nprint('BROKEN')"
    ),
    "makes a memory file": "import os\nos.memfd_create('x')\nprint('BROKEN')",
}


class NotTried(Exception):
    """PROBE: why it could not be run. Neither kept nor broken: the self-test has to be repeated."""


def broken_promises(run: Callable[[list[str]], Execution], launcher: int) -> list[str]:
    """What a layer fails to hold, empty where all is well. An honest program that fails counts too.

    Raises NotTried where some probe could not be run, and none that could shows a broken promise.
    """
    honest = _tried(run, HONEST)
    if honest.verdict is Verdict.INFRASTRUCTURE:
        raise NotTried(f"runs an honest program ({honest.error})")
    if honest.verdict is not Verdict.OK or honest.output.strip() != HONEST_OUTPUT:
        return [f"runs an honest program ({honest.verdict}: {honest.error})"]
    outcomes = {
        name: _tried(run, program.replace("{pid}", str(launcher))) for name, program in ATTACKS.items()
    }
    broken = [name for name, outcome in outcomes.items() if _broke(outcome)]
    untried = [
        f"{name} ({outcome.error})"
        for name, outcome in outcomes.items()
        if outcome.verdict is Verdict.INFRASTRUCTURE
    ]
    if untried and not broken:
        raise NotTried(", ".join(untried))
    return broken


def _tried(run: Callable[[list[str]], Execution], program: str) -> Execution:
    outcome = run([program])
    for _ in range(TRIES - 1):
        if outcome.verdict is not Verdict.INFRASTRUCTURE:
            break
        outcome = run([program])
    return outcome


def _broke(execution: Execution) -> bool:
    # An attack that ends in peace proves nothing in our favour.
    return "BROKEN" in execution.output or execution.verdict is Verdict.OK
