"""What a child writes is read to its end, for as long as its step may take, and no word of it is believed too far."""

import os
import socket
import threading
import time

import pytest

from ml.execution.reports import REPORT_BYTES, Report, read_run


class Run:
    """The ends of a run's pipes and of the server's socket."""

    def __init__(self):
        self.output_read, self.output = os.pipe()
        self.report_read, self.report = os.pipe()
        self.connection, self.server = socket.socketpair()

    def read(self, seconds=5.0, most=100, steps=1):
        return read_run(self.connection, self.output_read, self.report_read, most, seconds, steps)

    def close(self):
        for handle in (self.output_read, self.output, self.report_read, self.report):
            os.close(handle)
        self.connection.close()
        self.server.close()


@pytest.fixture
def run():
    made = Run()
    yield made
    made.close()


def reported(body, steps=1):
    report = Report(steps)
    report.take(body)
    return report


def test_reports_are_read_line_by_line_and_the_last_word_counts():
    assert reported(b'{"step": 1}\n{"step": 2}\n').told == {"step": 2}
    assert reported(b'{"step": 1}\n' + b"[" * 4000 + b"\n").told == {"step": 1}
    assert reported(b'{"step": "x"}\n5\n{"done": true}\n').told == {"done": True}
    cut = Report()
    for byte in b'{"step": 1}\n{"step": 2}\n{"st':
        cut.take(bytes([byte]))
    assert cut.told == {"step": 2}


def test_a_child_is_done_only_once_its_last_step_has_begun():
    assert reported(b'{"done": true}\n').is_done
    assert not reported(b'{"done": true}\n', steps=3).is_done
    assert not reported(b'{"step": 2}\n{"done": true}\n', steps=3).is_done
    assert reported(b'{"step": 1}\n{"step": 2}\n{"done": true}\n', steps=3).is_done


@pytest.mark.parametrize("pipe", ["report", "output"])
def test_a_child_that_always_has_something_to_tell_gains_no_time(run, pipe):
    over = threading.Event()

    def drip():
        os.write(getattr(run, pipe), b"x\n" * 20_000)
        while not over.wait(0.005):
            os.write(getattr(run, pipe), b"x")

    dripping = threading.Thread(target=drip)
    dripping.start()
    started = time.monotonic()
    output, _ = run.read(seconds=0.3, most=REPORT_BYTES)
    seconds = time.monotonic() - started
    over.set()
    dripping.join()
    assert output is None and seconds < 1


def test_a_run_ends_with_its_process_though_another_one_holds_its_pipes(run):
    os.write(run.output, b"printed")
    os.write(run.report, b'{"step": 0, "error": "E"}')
    run.server.send(b'{"status": 256}\n')
    started = time.monotonic()
    output, report = run.read()
    assert (output, report.told) == (b"printed", {"step": 0, "error": "E"})
    assert time.monotonic() - started < 1
