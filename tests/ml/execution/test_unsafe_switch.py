"""On a system that cannot confine a program, real Python runs only where an operator says so, and then it does."""

import shutil
from pathlib import Path

import pytest

from ml.execution import Sandbox, Verdict
from ml.execution import process as layer_module
from ml.execution.layers import UNSAFE_SWITCH
from ml.execution.process import ProcessLayer
from tests.ml.execution.processes import children

DOUBTED = "import fractions\nprint(fractions.Fraction(1, 2))"
LACKS = {
    "Landlock": "_OLDEST_LANDLOCK = 99",
    "a table of system calls": "def machine():\n    return 'riscv64'",
    "both": "_OLDEST_LANDLOCK = 99\n\n\ndef machine():\n    return 'riscv64'",
}


@pytest.fixture(params=LACKS.values(), ids=LACKS)
def lacking(request, tmp_path, monkeypatch):
    """This system, as a kernel or processor without a part of what confines."""
    folder = shutil.copytree(Path(layer_module.__file__).parent, tmp_path / "execution")
    confinement = folder / "confinement.py"
    confinement.write_text(f"{confinement.read_text()}\n\n{request.param}\n")
    monkeypatch.setattr(layer_module, "_SERVER", folder / "fork_server.py")
    monkeypatch.setattr("ml.execution.layers.is_possible", lambda: False)


def test_a_system_that_cannot_confine_runs_real_python_by_the_unsafe_switch_alone(lacking, monkeypatch):
    sandbox = Sandbox()
    refused = sandbox.execute([DOUBTED])
    assert refused.verdict is Verdict.INFRASTRUCTURE and "no Landlock" in refused.error
    monkeypatch.setenv(UNSAFE_SWITCH, "1")
    allowed = sandbox.execute([DOUBTED])
    assert (allowed.verdict, allowed.output) == (Verdict.OK, "1/2\n")
    assert allowed.level.endswith("UNSAFE")
    assert sandbox.execute([DOUBTED, "print(fractions.Fraction(1, 3))"]).output == "1/3\n"
    # No process is kept that could not be forked.
    layer = ProcessLayer(servers=1, wrapped=False)
    for steps in ([DOUBTED], [DOUBTED, "print(1)"]):
        assert layer.run(steps, keep_states=True, is_partial=True).verdict is Verdict.OK
    assert len(children(layer)) == sum(len(server.kept) for server in layer._idle)
    layer.close()
    # What Monty may be wrong about has a verdict, too.
    assert sandbox.execute(["(1).missing"]).verdict is Verdict.PROGRAM_ERROR
    sandbox.close()


def test_a_layer_that_is_not_told_to_go_without_runs_nothing(lacking):
    layer = ProcessLayer(servers=1)
    refused = layer.run([DOUBTED])
    assert refused.verdict is Verdict.INFRASTRUCTURE and refused.error.startswith("not confined")
    layer.close()
