"""Which device computes, and where a narrow format is worth it."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from ml.devices import narrow_is_fast  # noqa: E402


@pytest.mark.parametrize("has_units", [True, False])
def test_a_cpu_multiplies_narrow_numbers_fast_only_with_units_for_them(
    monkeypatch: pytest.MonkeyPatch, has_units: bool
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True, "amx_bf16": has_units})
    assert narrow_is_fast("cpu") is has_units


def test_a_processor_of_another_make_has_no_such_units(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"neon": True})
    assert not narrow_is_fast("cpu")


def test_a_gpu_multiplies_narrow_numbers_fast() -> None:
    assert narrow_is_fast("cuda:0")
