"""How long a solution of a plain base may be where nobody says: as long as the base can hold."""

from __future__ import annotations

import json

from ml.prm.bases import HeadSettings, open_base
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
