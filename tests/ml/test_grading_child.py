"""A grading process ends when nobody waits for it any more."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ml.answer_grading import TRIES, GraderCrashed, GraderTimedOut, GradingPool
from ml.grading_child import GradingChild, TooLarge


def test_a_comparison_ends_its_child_in_the_end_also_when_nobody_waits_for_it():
    script = "import ml.grading_child as child; child.SECONDS_AT_MOST = 1; child._serve()"
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdin is not None and child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        child.stdin.write(b'["3^{2^{100}}", "8"]\n')
        child.stdin.flush()
        assert child.wait(60) == -signal.SIGALRM


def test_a_comparison_under_way_ends_at_once_when_its_parent_is_killed():
    script = (
        "from ml.grading_child import GradingChild; child = GradingChild(); print(child.process.pid, flush=True);"
        'child.ask(b\'["x+1", "1+x"]\\n\'); assert child.reply(60); child.ask(b\'["3^{2^{100}}", "8"]\\n\');'
        "import time; time.sleep(1); print('asked', flush=True); child.reply(100)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = Path("/proc") / parent.stdout.readline().decode().strip()
        assert parent.stdout.readline() == b"asked\n" and child.exists()
        parent.kill()
    deadline = time.monotonic() + 20
    while is_running(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_running(child)


def test_a_child_that_takes_too_much_memory_gives_no_verdict(monkeypatch):
    monkeypatch.setattr("ml.grading_child.MEMORY_BYTES", 100 * 2**20)
    greedy = "print('ready', flush=True); input(); x = bytearray(b'1' * 300_000_000); print('false', flush=input())"
    child = GradingChild.__new__(GradingChild)
    child.process = subprocess.Popen(
        [sys.executable, "-c", greedy], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child._read_line(60) == b"ready\n"
    child.ask(b'["1", "2"]\n')
    with pytest.raises(OSError, match="the grading process took more than"):
        child.reply(60)
    child.end()


def test_a_pair_that_takes_too_much_memory_each_time_is_no_verdict_at_once_the_next_times(monkeypatch):
    asked, pool = [], GradingPool(size=1, seconds=20.0)

    def too_large(question: bytes, is_late: bool, is_fresh: bool) -> bool:
        asked.append(question)
        raise TooLarge("it took more")

    monkeypatch.setattr(pool, "_ask", too_large)
    with pytest.raises(GraderCrashed, match="it took more"):
        pool.compare("x+1", "1+x")
    with pytest.raises(GraderTimedOut, match="GiB of memory at several tries"):
        pool.compare("x+1", "1+x")
    assert len(asked) == TRIES


def is_running(process: Path) -> bool:
    """Not even when it has ended and waits to be collected."""
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
