"""What no reading of a base shows is refused by its config."""

from types import SimpleNamespace

import pytest

from ml.errors import MisstepError
from ml.prm.self_check import refuse_attention_dropout


@pytest.mark.parametrize("name", ["attention_dropout", "attn_pdrop"])
def test_dropped_attention_is_refused_on_a_gpu_before_anything_is_read(name):
    model = SimpleNamespace(config=SimpleNamespace(**{name: 0.1}))
    with pytest.raises(MisstepError, match=r"drops 0\.1 of its attention, expected 0 .* or --device cpu"):
        refuse_attention_dropout(model, "cuda:1")
    refuse_attention_dropout(model, "cpu")
    refuse_attention_dropout(SimpleNamespace(config=SimpleNamespace(**{name: 0.0})), "cuda")
