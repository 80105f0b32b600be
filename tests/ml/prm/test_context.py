"""How long a solution of a plain base may be where nobody says: as long as the base can hold."""

from __future__ import annotations

import json
import shutil

from ml.prm import preparing
from ml.prm.bases import HeadSettings, open_base
from ml.prm.checkpoint import seal
from tests.ml.prm.commands import snapshot_of, trained
from tests.ml.prm.foreign import base_of


def length_of(base, asked=None):
    return open_base(str(base), [], HeadSettings(), 0, asked, False).tokenizer.layout.maximum_length


def test_a_plain_base_reads_all_that_it_can_hold_unless_less_is_asked_for(tmp_path):
    base = base_of("llama", tmp_path / "base", max_position_embeddings=131072)
    assert (length_of(base), length_of(base, 512)) == (131072, 512)
    assert length_of(base_of("mistral", tmp_path / "seen", sliding_window=64)) == 64


def test_what_a_bases_layout_says_counts_and_where_it_says_nothing_the_base_does(tmp_path):
    base = base_of("llama", tmp_path / "base", max_position_embeddings=4096)
    (base / "steps.json").write_text(json.dumps({"separator": "\n", "maximum_length": 300}))
    assert length_of(base) == 300
    (base / "steps.json").write_text(json.dumps({"separator": "\n"}))
    assert length_of(base) == 4096


def context_of(checkpoint):
    return json.loads((checkpoint / "steps.json").read_text())["maximum_length"]


def test_an_unfinished_run_goes_on_with_the_context_that_it_began_with(tmp_path, capsys, monkeypatch):
    snapshot, base = snapshot_of(tmp_path), base_of("llama", tmp_path / "base", max_position_embeddings=4096)

    def read():
        out, _ = trained(tmp_path, capsys, "--base", str(base), "--keep-state", snapshot=snapshot)
        found = context_of(out)
        shutil.rmtree(out)
        return found

    assert read() == read() == 4096
    shutil.rmtree(tmp_path / "checkpoint.state")
    # As it was when the default was another.
    with monkeypatch.context() as patch:
        patch.setattr(preparing, "_length_begun_with", lambda _: 2048)
        assert read() == 2048
    assert read() == 2048
    for state in (tmp_path / "checkpoint.state").glob("step-*"):
        body = json.loads((state / "state.json").read_text())
        del body["context"]
        (state / "state.json").write_text(json.dumps(body))
        (state / "manifest.json").unlink()
        seal(state)
    assert read() == 2048
