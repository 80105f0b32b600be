"""A base is read in whole float32, and what no reading shows is refused by its config."""

from types import SimpleNamespace

import pytest
import torch

from ml.errors import MisstepError
from ml.prm import self_check
from ml.prm.self_check import refuse_attention_dropout, refuse_wrong_readings
from tests.ml.prm.toys import tiny_model


@pytest.mark.parametrize("name", ["attention_dropout", "attn_pdrop"])
def test_dropped_attention_is_refused_on_a_gpu_before_anything_is_read(name):
    model = SimpleNamespace(config=SimpleNamespace(**{name: 0.1}))
    with pytest.raises(MisstepError, match=r"drops 0\.1 of its attention, expected 0 .* or --device cpu"):
        refuse_attention_dropout(model, "cuda:1")
    refuse_attention_dropout(model, "cpu")
    refuse_attention_dropout(SimpleNamespace(config=SimpleNamespace(**{name: 0.0})), "cuda")


PRODUCTS = torch.backends.cuda.matmul


@pytest.fixture(params=[True, False])
def allowed(request):
    before = PRODUCTS.allow_tf32
    PRODUCTS.allow_tf32 = request.param
    yield request.param
    PRODUCTS.allow_tf32 = before


@pytest.mark.parametrize("off", [0.0, 1.0])
def test_a_base_is_checked_without_tensorfloat_whatever_the_host_allows_elsewhere(monkeypatch, allowed, off):
    seen = []
    monkeypatch.setattr(self_check, "_differences", lambda *_: seen.append(PRODUCTS.allow_tf32) or [off, 0.0])
    if off:
        with pytest.raises(MisstepError, match="reads packed rows otherwise"):
            refuse_wrong_readings(tiny_model())
    else:
        refuse_wrong_readings(tiny_model())
    assert set(seen) == {False} and PRODUCTS.allow_tf32 is allowed
