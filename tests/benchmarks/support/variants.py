"""The methods as benchmarks name them: what stands behind a comma is a variant, by its named options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

VARIANTS: Mapping[str, Mapping[str, Any]] = {"two right": {"needed_right": 2}}


def variant_of(name: str) -> tuple[str, Mapping[str, Any]]:
    """The method, and the options that the variant sets: ("omegaprm", needed_right 2) for "omegaprm, two right"."""
    method, _, variant = name.partition(", ")
    return method, VARIANTS[variant] if variant else {}
