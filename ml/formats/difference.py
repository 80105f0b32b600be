"""What a JSON value has beyond the one that could be derived: the remainder that makes an import lossless.

A difference is itself JSON (string keys, no tuples), so that it can lie in a database column.
"""

from __future__ import annotations

from typing import Any


def difference(derived: Any, actual: Any) -> dict[str, Any] | None:
    """What `apply` needs to turn derived into actual; None where they are equal already.

    Objects: {"set": {key: value}, "drop": [key], "in": {key: difference}}.
    Arrays: {"length": n, "at": {index: difference}}. Everything else: {"is": value}.
    """
    if derived == actual and _same_types(derived, actual):
        return None
    if isinstance(derived, dict) and isinstance(actual, dict):
        return _of_objects(derived, actual)
    if isinstance(derived, list) and isinstance(actual, list):
        return _of_arrays(derived, actual)
    return {"is": actual}


def apply(derived: Any, remainder: dict[str, Any] | None) -> Any:
    """The actual value again; derived is not changed."""
    if remainder is None:
        return derived
    if "is" in remainder:
        return remainder["is"]
    if "length" in remainder:
        changes = remainder.get("at", {})
        known: list[Any] = [*derived, *[None] * remainder["length"]][: remainder["length"]]
        return [apply(item, changes.get(str(index))) for index, item in enumerate(known)]
    dropped, inner = remainder.get("drop", ()), remainder.get("in", {})
    kept = {key: apply(value, inner.get(key)) for key, value in derived.items() if key not in dropped}
    return kept | remainder.get("set", {})


def _same_types(derived: Any, actual: Any) -> bool:
    """Python calls 1, 1.0 and True equal; JSON does not. Only leaves matter: containers recurse first."""
    if isinstance(derived, dict) and isinstance(actual, dict):
        return all(_same_types(value, actual[key]) for key, value in derived.items())
    if isinstance(derived, list) and isinstance(actual, list):
        return all(map(_same_types, derived, actual))
    return type(derived) is type(actual)


def _of_objects(derived: dict[str, Any], actual: dict[str, Any]) -> dict[str, Any]:
    shared = {key: difference(derived[key], actual[key]) for key in derived if key in actual}
    parts: dict[str, Any] = {
        "set": {key: value for key, value in actual.items() if key not in derived},
        "drop": [key for key in derived if key not in actual],
        "in": {key: inner for key, inner in shared.items() if inner is not None},
    }
    return {name: part for name, part in parts.items() if part}


def _of_arrays(derived: list[Any], actual: list[Any]) -> dict[str, Any]:
    padded = [*derived, *[None] * len(actual)]
    inner = {str(index): difference(padded[index], item) for index, item in enumerate(actual)}
    changed = {index: item for index, item in inner.items() if item is not None}
    return {"length": len(actual), **({"at": changed} if changed else {})}
