"""One run at a time writes to a folder, and a finished checkpoint stays."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ml.errors import EXIT_IN_USE, FolderInUse, MisstepError
from ml.prm import run as running
from ml.prm.checkpoint import check_whole
from ml.prm.distributed import Group
from ml.prm.out_folder import refuse_occupied, writing_alone
from tests.data import ROOT
from tests.ml.prm.commands import QUICK, snapshot_of, trained
from tests.ml.prm.processes import ended, started, trained_in_group


def wait_for(path):
    deadline = time.monotonic() + 60
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
        assert ended(first)[0] == 143
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
        found = [ended(process) for process in trained_in_group(snapshot, [out, out])]
    assert [status for status, _ in found] == [EXIT_IN_USE, EXIT_IN_USE]
    assert all(f"{out}: another run is writing here" in words for _, words in found)
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
    with pytest.raises(FolderInUse, match="another run has finished here meanwhile"):
        trained(tmp_path, capsys)
    assert [path.name for path in out.iterdir()] == ["manifest.json"]


def test_a_file_in_the_folders_place_is_refused_before_training(tmp_path, capsys):
    (tmp_path / "checkpoint").write_text("notes")
    with pytest.raises(MisstepError, match="checkpoint is no folder, expected a new folder"):
        trained(tmp_path, capsys)
    (tmp_path / "inside").write_text("notes")
    with pytest.raises(MisstepError, match=r"inside/checkpoint: .*, expected a folder that can be written"):
        trained(tmp_path, capsys, snapshot=tmp_path / "snapshot", out="inside/checkpoint")
    assert sorted(path.name for path in tmp_path.glob("*")) == ["checkpoint", "inside", "snapshot"]


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "model.safetensors.index.json"])
def test_anothers_model_is_not_written_over(tmp_path, capsys, name):
    out = tmp_path / "checkpoint"
    out.mkdir()
    (out / name).write_text("another's")
    with pytest.raises(MisstepError, match=f"already holds another's {name}, expected a new folder"):
        trained(tmp_path, capsys)
    with pytest.raises(MisstepError, match="is the base itself, expected a new folder"):
        trained(tmp_path, capsys, "--base", str(out), snapshot=tmp_path / "snapshot")
    assert (out / name).read_text() == "another's" and not (tmp_path / "checkpoint.state").exists()


def test_a_folder_with_other_files_gets_the_checkpoint_beside_them(tmp_path, capsys):
    (tmp_path / "checkpoint").mkdir()
    (tmp_path / "checkpoint" / "notes.txt").write_text("mine")
    out, _ = trained(tmp_path, capsys)
    assert (out / "notes.txt").read_text() == "mine" and check_whole(out)["objective"] == "classifier"


def test_a_link_in_the_folders_place_is_refused_before_training(tmp_path, capsys):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "checkpoint").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(MisstepError, match="checkpoint is a symbolic link, expected a new folder"):
        trained(tmp_path, capsys)
    (tmp_path / "elsewhere").rmdir()
    with pytest.raises(MisstepError, match="checkpoint is a symbolic link, expected a new folder"):
        trained(tmp_path, capsys, snapshot=tmp_path / "snapshot")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint", "snapshot"]


@pytest.mark.skipif(not os.path.ismount("/dev/shm"), reason="no mount point is known here")
def test_a_mount_point_in_the_folders_place_is_refused():
    with pytest.raises(
        MisstepError, match="/dev/shm is a mount point, expected a new folder, which may lie inside"
    ):
        refuse_occupied(Path("/dev/shm"), "pocket")


def can_bind() -> bool:
    """Whether this user may mount folders where nobody else sees it."""
    bind = ["unshare", "-rm", "mount", "--bind", "/tmp", "/tmp"]
    return shutil.which("unshare") is not None and subprocess.run(bind, capture_output=True).returncode == 0


@pytest.mark.skipif(not can_bind(), reason="unshare -rm is not there or not allowed")
def test_a_folder_of_the_same_file_system_that_is_bound_to_another_place_is_refused_before_training(tmp_path):
    snapshot, big, out = snapshot_of(tmp_path), tmp_path / "big", tmp_path / "out"
    big.mkdir()
    out.mkdir()
    train = [sys.executable, "-m", "ml", "train", "--snapshot", str(snapshot), "--out", str(out), *QUICK]
    bound = ["unshare", "-rm", "sh", "-c", 'mount --bind "$1" "$2" && shift 2 && exec "$@"', "sh"]
    found = subprocess.run([*bound, str(big), str(out), *train], cwd=ROOT, capture_output=True, text=True)
    assert found.returncode == 1
    assert f"{out} is a mount point, expected a new folder, which may lie inside it" in found.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["big", "out", "snapshot"]
    assert not any(big.iterdir())
