"""A checkpoint is taken over whole and unchanged, or not at all."""

import hashlib
import json
import os

import pytest

from labelsite.training import checkpoints
from labelsite.training.models import Checkpoint
from labelsite.training.services import load_checkpoint, start_training
from ml.errors import MisstepError
from tests.training.test_pages import make_snapshot

pytestmark = pytest.mark.django_db


def write_checkpoint(folder, snapshot="0" * 64, snapshot_name="", parts=(), **card):
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"weights")
    trained_on = {"sha256": snapshot, "name": snapshot_name}
    if parts:
        trained_on["snapshots"] = [{"sha256": sha256, "name": name} for sha256, name in parts]
    body = {"format": "misstep-checkpoint", "snapshot": trained_on, **card}
    (folder / "card.json").write_text(json.dumps(body))
    names = ("model.safetensors", "card.json")
    hashes = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}
    (folder / "manifest.json").write_text(json.dumps(hashes))
    return folder


def test_a_checkpoint_is_kept_under_its_hash_and_loading_again_changes_nothing(tmp_path):
    run = start_training(make_snapshot(), "mixed")
    folder = write_checkpoint(tmp_path / "out")
    first = load_checkpoint(run, folder)
    second = load_checkpoint(run, folder)
    assert first.pk == second.pk
    kept = checkpoints.checkpoints_folder() / first.sha256
    assert (kept / "model.safetensors").read_bytes() == b"weights"
    assert [path.name for path in checkpoints.checkpoints_folder().iterdir()] == [first.sha256]


def test_a_kept_checkpoint_is_on_the_disk_before_its_row_is_written(tmp_path, monkeypatch):
    synced = []
    fsync = os.fsync

    def noted(descriptor):
        synced.append(os.fstat(descriptor).st_ino)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    load_checkpoint(start_training(make_snapshot(), "mixed"), write_checkpoint(tmp_path / "out"))
    root = checkpoints.checkpoints_folder()
    assert {path.stat().st_ino for path in [root, *root.rglob("*")]} <= set(synced)


def test_a_kept_checkpoint_that_a_power_loss_has_torn_is_kept_anew(tmp_path):
    run = start_training(make_snapshot(), "mixed")
    folder = write_checkpoint(tmp_path / "out")
    kept = checkpoints.checkpoints_folder() / load_checkpoint(run, folder).sha256
    (kept / "model.safetensors").unlink()
    load_checkpoint(run, folder)
    assert (kept / "model.safetensors").read_bytes() == b"weights"
    assert list(checkpoints.checkpoints_folder().iterdir()) == [kept]


def test_a_changed_file_is_refused(tmp_path):
    run = start_training(make_snapshot(), "mixed")
    folder = write_checkpoint(tmp_path / "out")
    (folder / "model.safetensors").write_bytes(b"other weights")
    with pytest.raises(MisstepError, match=r"model\.safetensors has sha256"):
        load_checkpoint(run, folder)
    assert not Checkpoint.objects.exists()


def test_a_torn_checkpoint_is_refused(tmp_path):
    run = start_training(make_snapshot(), "mixed")
    folder = write_checkpoint(tmp_path / "out")
    (folder / "manifest.json").unlink()
    with pytest.raises(MisstepError, match=r"manifest\.json is missing"):
        load_checkpoint(run, folder)


def test_a_checkpoint_of_another_snapshot_is_refused(tmp_path):
    run = start_training(make_snapshot(), "mixed")
    with pytest.raises(MisstepError, match="was trained on snapshot 9999"):
        load_checkpoint(run, write_checkpoint(tmp_path / "out", snapshot="9999"))


def test_a_manifest_cannot_name_files_elsewhere(tmp_path):
    run = start_training(make_snapshot(), "mixed")
    folder = write_checkpoint(tmp_path / "out")
    (tmp_path / "secret").write_text("secret")
    (folder / "manifest.json").write_text(json.dumps({"../secret": hashlib.sha256(b"secret").hexdigest()}))
    with pytest.raises(MisstepError, match="expected files of the folder itself"):
        load_checkpoint(run, folder)


def test_the_problems_of_a_whole_checkpoint_are_known_and_one_that_does_not_say_is_refused(tmp_path):
    folder = write_checkpoint(tmp_path / "out")
    with pytest.raises(MisstepError, match=r"has no training_problems\.txt, expected a checkpoint of"):
        checkpoints.training_problems(folder)
    add_problems(folder)
    assert checkpoints.training_problems(folder) == {"0123456789abcdef"}


@pytest.mark.parametrize("text,told", [(None, "is missing"), ("", "has sha256")])
def test_a_checkpoint_that_has_lost_its_problems_does_not_pass_for_one_that_saw_none(tmp_path, text, told):
    folder = write_checkpoint(tmp_path / "out")
    add_problems(folder)
    (folder / "training_problems.txt").unlink()
    if text is not None:
        (folder / "training_problems.txt").write_text(text)
    with pytest.raises(MisstepError, match=rf"training_problems\.txt {told}"):
        checkpoints.training_problems(folder)


def test_the_problems_of_a_checkpoint_that_is_gone_are_not_none(tmp_path):
    with pytest.raises(MisstepError, match=r"manifest\.json is missing, expected a whole checkpoint"):
        checkpoints.training_problems(tmp_path / "gone")


def add_problems(folder):
    text = "0123456789abcdef\n"
    (folder / "training_problems.txt").write_text(text)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["training_problems.txt"] = hashlib.sha256(text.encode()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))
