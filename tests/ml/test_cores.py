"""Pools of workers have the size of what this process may use."""

import pytest

from ml.cores import MOST_WORKERS, allotted_cores, worker_count
from ml.execution import Sandbox


@pytest.fixture
def cores(monkeypatch):
    def set_to(count: int, said: str | None = None) -> None:
        monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(count)))
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
        if said is not None:
            monkeypatch.setenv("OMP_NUM_THREADS", said)

    return set_to


@pytest.mark.parametrize(
    "count,said,allotted",
    [(8, None, 8), (8, "3", 3), (8, "99", 8), (8, "", 8), (8, "0", 1), (8, "4,2", 8), (1, None, 1)],
)
def test_a_process_uses_the_cores_that_it_may_run_on_or_as_many_as_it_is_told(cores, count, said, allotted):
    cores(count, said)
    assert allotted_cores() == allotted


def test_a_pool_of_workers_is_neither_empty_nor_without_bounds(cores):
    cores(1)
    assert (worker_count(), worker_count(least=2)) == (1, 2)
    cores(500)
    assert worker_count() == MOST_WORKERS


def test_a_sandbox_has_a_worker_of_each_layer_for_each_core_and_two_at_least(cores):
    for count, said, processes in ((6, None, 6), (6, "4", 4), (6, "1", 2), (1, None, 2)):
        cores(count, said)
        sandbox = Sandbox()
        assert sandbox._monty._processes == processes and len(sandbox._process._idle) == processes
        sandbox.close()
    assert len(Sandbox(processes=1)._process._idle) == 1
