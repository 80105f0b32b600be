"""Which of Monty's states are kept, and that a path goes on all the same after one that is not."""

from ml.execution import Verdict
from ml.execution.monty import MontyLayer
from ml.execution.outcome import path_keys


def test_a_step_whose_state_cannot_be_dumped_ran_all_the_same_and_runs_again_for_its_children():
    layer = MontyLayer(processes=1)
    huge = "x = 'ab' * 10_000_000\nprint(len(x))"
    for _ in range(2):
        execution = layer.run([huge]).execution
        assert (execution.verdict, execution.output, execution.ran) == (Verdict.OK, "20000000\n", 1)
    assert layer.run([huge, "x = x[:2]", "print(x)"]).execution.output == "ab\n"
    # A small state after it is kept again.
    assert layer.run([huge, "x = x[:3]\nprint(x)"]).execution.output == "aba\n"
    left = layer._states.get(path_keys([huge, "x = x[:3]\nprint(x)"])[-1])
    assert left is not None and left.state
    failed = layer.run([huge, "1 / 0"]).execution
    assert (failed.verdict, failed.ran) == (Verdict.PROGRAM_ERROR, 1)
    layer.close()


def test_a_large_state_is_not_kept_and_its_step_runs_again_for_its_children():
    layer = MontyLayer(processes=1)
    large = "x = list(range(1_000_000))\nprint('done')"
    assert layer.run([large]).execution.output == layer.run([large]).execution.output == "done\n"
    assert layer.run([large, "print(x[-1])"]).execution.output == "999999\n"
    assert layer._states.bytes < 4000
    layer.close()


def test_the_oldest_states_go_when_all_of_them_are_too_many_bytes():
    layer = MontyLayer(processes=1)
    layer.run(["x = 0"])
    layer._states.bytes_kept = 3 * layer._states.bytes
    for number in range(1, 6):
        layer.run([f"x = {number}"])
    kept = [number for number in range(6) if layer._states.get(path_keys([f"x = {number}"])[0])]
    assert kept == [3, 4, 5]
    assert layer.run(["x = 0", "print(x)"]).execution.output == "0\n"
    layer.close()
