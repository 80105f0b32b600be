"""Figures of first mistakes as pages and scripts show them: what no solution could show is unknown, and not 0."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ml.evaluation.first_mistake import AT_THRESHOLD


def measured(figures: Mapping[str, Any] | None) -> dict[str, Any]:
    """The figures with None for those that nothing was measured for; {} where there are none at all.

    ProcessBench's formula gives an accuracy of 0 where there is no solution of its kind, and with it an F1 of 0:
    beside other models' figures, a perfect model would look the worst. A card leaves out what its validation split
    could not show.
    """
    found = dict(figures or {})
    if "f1" not in found and 0 in (found.get("count_wrong"), found.get("count_right")):
        found = dict.fromkeys(AT_THRESHOLD) | found
    for kind in ("wrong", "right"):
        if found.get(f"count_{kind}") == 0:
            found |= {f"accuracy_{kind}": None, "f1": None}
    return found


def measured_throughout(figures: Mapping[str, Any]) -> dict[str, Any]:
    """The same of an evaluation's figures and of each set of figures in them, such as `held_out`."""
    found = measured(figures) if "f1" in figures else figures
    return {
        name: measured_throughout(value) if isinstance(value, Mapping) else value
        for name, value in found.items()
    }
