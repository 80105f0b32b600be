"""One run at a time writes to a folder, and a finished checkpoint stays."""

from __future__ import annotations

import signal
import time

import pytest

from ml.errors import EXIT_IN_USE, MisstepError
from ml.prm import run as running
from ml.prm.distributed import Group
from ml.prm.out_folder import writing_alone
from ml.prm.train import EXIT_TERMINATED
from tests.ml.prm.commands import snapshot_of, trained
from tests.ml.prm.processes import TORCHRUN, ended, started


def wait_for(path, seconds=60):
    deadline = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not come"
        time.sleep(0.05)


def test_a_second_start_is_turned_away_while_the_first_trains_and_goes_on_after_it(tmp_path):
    snapshot, out = snapshot_of(tmp_path), tmp_path / "out"
    first = started(snapshot, out, "--steps", "100000", "--save-every", "1")
    try:
        wait_for(tmp_path / "out.state")
        status, words = ended(started(snapshot, out, "--steps", "100000", "--save-every", "1"))
        assert status == EXIT_IN_USE and f"{out}: another run is writing here" in words
        first.send_signal(signal.SIGTERM)
        assert ended(first)[0] == EXIT_TERMINATED
    finally:
        first.kill()
    states = {path.name for path in (tmp_path / "out.state").iterdir()}
    assert states and not (tmp_path / "out.lock").exists()
    third = started(snapshot, out, "--steps", "100000", "--save-every", "1")
    try:
        deadline = time.monotonic() + 60
        while {path.name for path in (tmp_path / "out.state").iterdir()} == states:
            assert time.monotonic() < deadline, "it did not go on"
            time.sleep(0.05)
        # What a kill leaves of the lock is in nobody's way.
        third.kill()
        third.wait()
        with writing_alone(out, Group()):
            pass
    finally:
        third.kill()
        third.communicate()


def test_every_process_of_a_group_that_is_turned_away_ends(tmp_path):
    snapshot, out = snapshot_of(tmp_path), tmp_path / "out"
    with writing_alone(out, Group()):
        status, words = ended(started(snapshot, out, under=TORCHRUN))
    assert status and words.count(f"{out}: another run is writing here") == 2
    assert not out.exists()


def test_a_checkpoint_that_came_while_a_run_trained_is_not_written_over(tmp_path, capsys, monkeypatch):
    """As on a file system without locks."""
    out, train = tmp_path / "checkpoint", running.train

    def overtaken(*given):
        run = train(*given)
        out.mkdir()
        (out / "manifest.json").write_text("another's")
        return run

    monkeypatch.setattr(running, "train", overtaken)
    with pytest.raises(MisstepError, match="already holds a checkpoint"):
        trained(tmp_path, capsys)
    assert [path.name for path in out.iterdir()] == ["manifest.json"]
