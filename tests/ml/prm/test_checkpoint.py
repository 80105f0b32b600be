"""Checkpoint writes: killed at any moment, something whole is always there and nothing torn is loaded."""

from __future__ import annotations

import errno
import json
import os
import random
import signal
import time

import pytest
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models

from ml.errors import MisstepError
from ml.file_hash import sha256_of
from ml.prm import checkpoint
from ml.prm.checkpoint import (
    TrainingState,
    check_whole,
    publish,
    refused_by_the_system,
    said_by_newest,
    save_state,
    seal,
)
from ml.prm.out_folder import refuse_occupied
from tests.ml.prm.toys import newest_state_of


def state(step: int) -> TrainingState:
    return TrainingState(step, {"history": [step]}, {"weights": torch.full((200_000,), float(step))})


def is_consistent(loaded: TrainingState) -> bool:
    return bool((loaded.tensors["weights"] == loaded.step).all()) and loaded.body["history"] == [loaded.step]


def test_a_full_disk_is_told_as_the_system_tells_it_whichever_library_writes(tmp_path):
    (tmp_path / "full").symlink_to("/dev/full")
    with pytest.raises(OSError) as full, refused_by_the_system(tmp_path):
        Tokenizer(models.BPE()).save(str(tmp_path / "full"))
    assert (full.value.errno, full.value.filename) == (errno.ENOSPC, str(tmp_path))
    with pytest.raises(FileNotFoundError), refused_by_the_system(tmp_path):
        save_file({"a": torch.zeros(1)}, tmp_path / "gone" / "a.safetensors")


def test_a_hundred_kills_inside_a_write_always_leave_a_loadable_state(tmp_path):
    generator, newest = random.Random(0), 0
    save_state(tmp_path, state(0))
    for _ in range(100):
        begun, tell = os.pipe()
        child = os.fork()
        if not child:
            for step in range(newest + 1, newest + 1000):
                os.write(tell, b".")
                save_state(tmp_path, state(step))
            os._exit(0)
        # However slow the machine is, the child is inside its first or second write when the moment is drawn.
        os.read(begun, 1)
        if generator.random() < 0.5:
            os.read(begun, 1)
        time.sleep(generator.uniform(0.0, 0.02))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(begun)
        os.close(tell)
        loaded = newest_state_of(tmp_path)
        assert loaded is not None and is_consistent(loaded)
        assert loaded.step >= newest
        newest = loaded.step
    assert newest > 20


def test_a_kill_at_every_single_system_step_leaves_the_old_state_or_the_new(tmp_path, monkeypatch):
    class Killed(BaseException):
        pass

    def dying_after(calls: int) -> None:
        remaining = [calls]

        def counted(real):
            def call(*arguments):
                if not remaining[0]:
                    raise Killed
                remaining[0] -= 1
                return real(*arguments)

            return call

        monkeypatch.setattr(checkpoint, "sync", counted(sync))
        monkeypatch.setattr(checkpoint.os, "replace", counted(replace))

    sync, replace = checkpoint.sync, os.replace
    deaths = 0
    for calls in range(12):
        folder = tmp_path / str(calls)
        save_state(folder, state(1))
        dying_after(calls)
        try:
            save_state(folder, state(2))
        except Killed:
            deaths += 1
        monkeypatch.undo()
        loaded = newest_state_of(folder)
        assert loaded is not None and is_consistent(loaded)
    assert deaths >= 5


@pytest.mark.parametrize("damage", ["cut", "flip", "remove"])
def test_a_torn_state_is_passed_over_for_the_one_before(tmp_path, damage):
    save_state(tmp_path, state(1))
    newest = save_state(tmp_path, state(2)) / "state.safetensors"
    content = newest.read_bytes()
    if damage == "remove":
        newest.unlink()
    else:
        newest.write_bytes(content[:-100] if damage == "cut" else content[:-1] + b"\x01")
    loaded = newest_state_of(tmp_path)
    assert loaded is not None and loaded.step == 1


def test_whose_a_state_is_can_be_said_without_reading_its_tensors(tmp_path, monkeypatch):
    for step, fingerprint in ((1, "mine"), (2, "mine, later"), (3, "cut")):
        body = {"fingerprint": fingerprint}
        newest = save_state(tmp_path, TrainingState(step, body, {"weights": torch.zeros(3)}))
    (newest / "state.json").write_text('{"fingerprint": "c')
    read = []
    monkeypatch.setattr(checkpoint, "sha256_of", lambda path: read.append(path.name) or sha256_of(path))
    said = said_by_newest(tmp_path)
    assert said is not None and said["fingerprint"] == "mine, later"
    assert set(read) == {"state.json"}


def test_only_the_last_two_states_are_kept(tmp_path):
    for step in range(5):
        save_state(tmp_path, state(step))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000003", "step-00000004"]


def finished(folder, name="partial", adapter=False):
    partial = folder / name
    partial.mkdir()
    if adapter:
        (partial / "adapter").mkdir()
        (partial / "adapter" / "adapter_model.safetensors").write_bytes(b"adapter")
    (partial / "model.safetensors").write_bytes(b"weights")
    (partial / "card.json").write_text(json.dumps({"objective": "classifier"}))
    return partial


def test_a_checkpoint_moves_into_a_folder_that_somebody_else_uses(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "spec.json").write_text("{}")
    publish(finished(tmp_path), tmp_path / "out")
    assert check_whole(tmp_path / "out") == {"objective": "classifier"}
    assert (tmp_path / "out" / "spec.json").exists() and not (tmp_path / "partial").exists()


@pytest.mark.parametrize("moves", range(4))
def test_a_checkpoint_whose_move_was_killed_is_moved_again_by_the_same_command(tmp_path, monkeypatch, moves):
    out, replace, remaining = tmp_path / "out", os.replace, [moves]
    out.mkdir()
    (out / "spec.json").write_text("{}")

    def dying(*arguments):
        if not remaining[0]:
            raise InterruptedError
        remaining[0] -= 1
        replace(*arguments)

    monkeypatch.setattr(checkpoint.os, "replace", dying)
    with pytest.raises(InterruptedError):
        publish(finished(tmp_path, "out.partial", adapter=True), out)
    monkeypatch.undo()
    refuse_occupied(out, "pocket")
    publish(finished(tmp_path, "again", adapter=True), out)
    assert check_whole(out) == {"objective": "classifier"}
    with pytest.raises(MisstepError, match="already holds a checkpoint"):
        refuse_occupied(out, "pocket")


def test_a_sealed_folder_s_own_folders_are_on_the_disk_too(tmp_path, monkeypatch):
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter" / "weights").write_text("w")
    synced = []
    monkeypatch.setattr(checkpoint, "sync", lambda path: synced.append(path.relative_to(tmp_path)))
    checkpoint.seal(tmp_path)
    assert [str(path) for path in synced] == ["adapter", "adapter/weights", "manifest.json", "."]


def test_a_checkpoint_with_a_changed_byte_is_not_loaded(tmp_path):
    publish(finished(tmp_path), tmp_path / "out")
    (tmp_path / "out" / "model.safetensors").write_bytes(b"Weights")
    with pytest.raises(MisstepError, match=r"differ from manifest\.json"):
        check_whole(tmp_path / "out")


def test_a_checkpoint_without_its_manifest_is_not_loaded(tmp_path):
    partial = finished(tmp_path)
    with pytest.raises(MisstepError, match="expected the checkpoint as written"):
        check_whole(partial)
    seal(partial)
    assert check_whole(partial)["objective"] == "classifier"


def test_what_killed_and_torn_writes_left_takes_no_room_and_no_other_states_place(tmp_path):
    for name in ("step-00000009", "partial-00000008"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "state.safetensors").write_bytes(b"torn")
    for step in (1, 2, 3):
        save_state(tmp_path, state(step))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000002", "step-00000003"]
