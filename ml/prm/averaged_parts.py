"""The checkpoints of an average, and whether the mean of their weights can mean anything."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import safe_open

from ml.errors import MisstepError
from ml.prm.checkpoint import MANIFEST, check_whole, manifest_hash

# What says how a model is read: one that mixed two ways would be read in neither.
READ_ALIKE = ("objective", "outputs", "head")
# The same, of one objective each.
CONFIGURED_ALIKE = {"preference": "preference_output", "outcome": "outcome_tokens"}
# Whether a model's token means the same: the vocabulary, and what stands between the texts.
FILES_ALIKE = ("steps.json", "tokenizer.json")


@dataclass(frozen=True)
class Part:
    """One of the checkpoints. share: of the mean; all shares add up to 1. places: in which file each tensor stands."""

    folder: Path
    share: float
    card: dict[str, Any]
    sha256: str
    places: dict[str, Path]


def read_parts(folders: Sequence[Path], shares: Sequence[float] | None) -> list[Part]:
    """The checkpoints with their shares, in proportion; None for equal ones.

    Raises MisstepError for less than two, for one that is not whole or stands there twice, for a wrong number of
    shares, and for checkpoints that do not have the same shape, words and reading or never were the same model.
    """
    if len(folders) < 2:
        raise MisstepError("one checkpoint, expected two at least to average")
    shares = [1.0] * len(folders) if shares is None else shares
    if len(shares) != len(folders):
        raise MisstepError(f"{len(shares)} weights for {len(folders)} checkpoints, expected one for each")
    parts: list[Part] = []
    for folder, share in zip(folders, shares, strict=True):
        card = check_whole(folder)
        part = Part(folder, share / sum(shares), card, manifest_hash(folder) or "", _places(folder))
        if twin := next((other for other in parts if other.sha256 == part.sha256), None):
            raise MisstepError(f"{folder} is the same checkpoint as {twin.folder}, expected each once")
        parts.append(part)
    for part in parts[1:]:
        _refuse_unlike(parts[0], part)
    _refuse_strangers(parts)
    return parts


def _refuse_unlike(first: Part, other: Part) -> None:
    """Raises MisstepError where two checkpoints are read in other ways, or have other words or tensors."""
    for name in READ_ALIKE:
        _refuse_other(other.folder, name, other.card.get(name), first.card.get(name))
    if first.card["objective"] in CONFIGURED_ALIKE:
        name = CONFIGURED_ALIKE[first.card["objective"]]
        found, expected = (part.card["config"].get(name) for part in (other, first))
        _refuse_other(other.folder, name, found, expected)
    if first.card["outputs"] == 3:
        rules = [part.card["label_rule"]["neutral"] for part in (other, first)]
        _refuse_other(other.folder, "neutral", *rules)
    for name in FILES_ALIKE:
        if _content(other.folder / name) != _content(first.folder / name):
            raise MisstepError(
                f"{other.folder / name} differs from that of {first.folder}, expected the same"
            )
    if other.places.keys() != first.places.keys():
        odd = min(other.places.keys() ^ first.places.keys())
        raise MisstepError(
            f"{other.folder}: {odd} is in one of it and {first.folder}, expected the same tensors"
        )
    for name in first.places:
        _refuse_other(other.folder, f"the shape of {name}", _shape(other, name), _shape(first, name))


def _refuse_other(folder: Path, name: str, found: Any, expected: Any) -> None:
    if found != expected:
        raise MisstepError(f"{folder}: {name} is {found}, expected {expected} as in the first checkpoint")


def _refuse_strangers(parts: Sequence[Part]) -> None:
    """Raises MisstepError where a checkpoint did not begin where another did, or at another: the mean of weights that
    never were the same computes nothing."""
    related, waiting = origins(parts[0]), list(parts[1:])
    while met := [part for part in waiting if related & origins(part)]:
        related = related.union(*map(origins, met))
        waiting = [part for part in waiting if part not in met]
    if waiting:
        began = waiting[0].card["base"].get("name")
        raise MisstepError(
            f"{waiting[0].folder} began from {began!r}, and neither from the weights nor from the base of another,"
            " expected checkpoints that once were the same model"
        )


def origins(part: Part) -> set[str]:
    """Marks of the weights that it has and of those that it began from, or of all that an average's parts have of them.
    Random weights, those of layers on top among them, are those of their seed."""
    hashes = json.loads((part.folder / MANIFEST).read_text(encoding="utf-8"))
    own = json.dumps([hashes[path.name] for path in sorted(set(part.places.values()))])
    if "origins" in part.card:
        return {own, *part.card["origins"]}
    base = part.card["base"]
    began = base.get("sha256") or [base.get("name"), part.card["seed"]]
    # A folder's weights are listed file by file; those that are shipped are one file.
    began = [began] if isinstance(began, str) else began
    if extra := base.get("extra_layers"):
        began = [*began, extra, part.card["seed"]]
    return {own, json.dumps(began)}


def _places(folder: Path) -> dict[str, Path]:
    found = {}
    names = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    for path in sorted(folder / name for name in names if name.endswith(".safetensors") and "/" not in name):
        with safe_open(path, framework="pt") as file:
            found.update(dict.fromkeys(file.keys(), path))
    return found


def _shape(part: Part, name: str) -> list[int]:
    with safe_open(part.places[name], framework="pt") as file:
        shape: list[int] = file.get_slice(name).get_shape()
    return shape


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None
