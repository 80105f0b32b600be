"""One checkpoint whose weights are the mean of several: as cheap as one of them, and often better than each.

Models that began from the same weights lie close enough to be averaged: runs with other seeds, labels or settings
(Wortsman et al. 2022, "Model soups"; for reward models Ramé et al. 2024, "WARM", whom it makes steadier where solutions
are unlike those that were labelled), or a finished run and the model that it began from (Wortsman et al. 2022, "Robust
fine-tuning of zero-shot models").
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from ml.finished_run import refuse_another, tell_finished
from ml.prm.averaged_parts import READ_ALIKE, Part, origins, read_parts
from ml.prm.card import made_by
from ml.prm.checkpoint import (
    MANIFEST,
    PROBLEMS,
    check_whole,
    problems_taught,
    publish,
    refused_by_the_system,
    write_story,
)
from ml.prm.distributed import Group
from ml.prm.out_folder import partial_of, refuse_occupied, refuse_overtaken, refuse_unmovable, writing_alone
from ml.progress import Progress
from ml.targets import LabelRule

# A checkpoint's own story, which an average does not share.
OWN_FILES = ("card.json", "manifest.json", "metrics.jsonl", PROBLEMS)


def average(folders: Sequence[Path], shares: Sequence[float] | None, out: Path) -> dict[str, Any]:
    """Write the checkpoint of the mean weights to OUT; returns its card. shares: in proportion; None for equal ones.

    Raises MisstepError for checkpoints that are not whole, were given twice, do not have the same shape, words and
    reading, or did not begin from the same weights; and where nothing can be written.
    """
    parts = read_parts(folders, shares)
    card = averaged_card(parts)
    if (earlier := _finished(out, card)) is not None:
        return earlier
    refuse_occupied(out, "")
    with writing_alone(out, Group()):
        refuse_unmovable(out)
        partial = partial_of(out)
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        with refused_by_the_system(partial):
            _write_means(parts, partial)
        _write_rest(parts, partial, card)
        refuse_overtaken(out)
        publish(partial, out)
    return card


def _finished(out: Path, card: Mapping[str, Any]) -> dict[str, Any] | None:
    """The card of the same average that stands at OUT already; None where none stands there.

    Raises MisstepError where it is another, or not whole.
    """
    if not (out / "manifest.json").exists() or not (out / "card.json").exists():
        return None
    known = check_whole(out)
    if "averaged" not in known:
        return None
    had, asked = (
        [[part["manifest_sha256"], part["share"]] for part in each["averaged"]] for each in (known, card)
    )
    refuse_another(out, {"checkpoints": had}, {"checkpoints": asked})
    tell_finished(out)
    return known


def averaged_card(parts: Sequence[Part]) -> dict[str, Any]:
    """What an average says of itself: what its parts agree on, and each of them."""
    first = parts[0].card
    cards = [part.card for part in parts]
    return {
        **{name: first[name] for name in ("format", "version", *READ_ALIKE)},
        "snapshot": _snapshots([card["snapshot"] for card in cards]),
        "label_rule": _rule_of_all([card["label_rule"] for card in cards]),
        "base": first["base"],
        "seed": first["seed"] if all(card["seed"] == first["seed"] for card in cards) else None,
        "config": _agreed([card["config"] for card in cards]),
        "averaged": [_told(part) for part in parts],
        "origins": sorted(set().union(*map(origins, parts))),
        **made_by(),
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _rule_of_all(rules: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What the parts' label rules share, whatever their order. Labels that are not alike are called mixed, and by a
    mixture that leaves some to rollouts alone where one of the rules does: a score means another thing then.
    """
    shared = _agreed(rules)
    shared.setdefault("labels", "mixed")
    known = [_known(rule) for rule in rules]
    has_rollouts = any(rule.has_labels_of_rollouts for rule in known)
    if _known(shared).has_labels_of_rollouts == has_rollouts:
        return shared
    mixtures = [] if has_rollouts else [rule.mixture for rule in known if rule.labels == "mixed"]
    # Left out, it is people's override, as in every rule.
    others = {name: value for name, value in shared.items() if name != "mixture"}
    return {**others, **({"mixture": min(mixtures)} if mixtures else {})}


def _known(rule: Mapping[str, Any]) -> LabelRule:
    """A card's rule, as far as this version knows its parts."""
    return LabelRule.of({k: value for k, value in rule.items() if k in LabelRule.__dataclass_fields__})


def _write_means(parts: Sequence[Part], partial: Path) -> None:
    """The mean of each tensor, in files as the first checkpoint has them: no more than one is in memory."""
    first = parts[0]
    files = sorted(set(first.places.values()))
    progress = Progress("files of weights", len(files))
    for done, path in enumerate(files, start=1):
        means = {name: _mean(parts, name) for name, place in first.places.items() if place == path}
        save_file(means, partial / path.name, metadata={"format": "pt"})
        progress.report(done)


def _mean(parts: Sequence[Part], name: str) -> torch.Tensor:
    """In float64, then as narrow as it was: bfloat16 would lose what few checkpoints differ by."""
    total: torch.Tensor | None = None
    for part in parts:
        with safe_open(part.places[name], framework="pt") as file:
            own = file.get_tensor(name)
        share = own.double() * part.share
        total = share if total is None else total + share
    assert total is not None
    return total.to(own.dtype).contiguous()


def _write_rest(parts: Sequence[Part], partial: Path, card: Mapping[str, Any]) -> None:
    first = parts[0].folder
    # Of what its manifest names: other files may stand in the folder.
    for name in json.loads((first / MANIFEST).read_text(encoding="utf-8")):
        if "/" not in name and name not in OWN_FILES and not name.endswith(".safetensors"):
            shutil.copyfile(first / name, partial / name)
    write_story(partial, card, problems_taught([], [part.folder for part in parts]))


def _snapshots(named: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The snapshot of all parts, or each of theirs once, as a training on several says it."""
    found: dict[str, Mapping[str, Any]] = {}
    for snapshot in named:
        for each in snapshot.get("snapshots") or [snapshot]:
            found.setdefault(each["sha256"], each)
    if all(snapshot == named[0] for snapshot in named):
        return dict(named[0])
    alone = list(found.values())
    if len(alone) == 1:
        return dict(alone[0])
    return {
        "sha256": sha256("".join(sorted(found)).encode()).hexdigest(),
        "name": " + ".join(str(each.get("name", "")) for each in alone),
        "snapshots": [dict(each) for each in alone],
    }


def _agreed(configs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What all of them say, alike."""
    return {
        name: value for name, value in configs[0].items() if all(c.get(name, ...) == value for c in configs)
    }


def _told(part: Part) -> dict[str, Any]:
    return {
        "name": part.folder.name,
        "manifest_sha256": part.sha256,
        "share": round(part.share, 6),
        **{name: part.card.get(name) for name in ("snapshot", "label_rule", "seed")},
    }
