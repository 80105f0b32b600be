"""A training whose checkpoint stands at OUT already: asked for again it is finished, and no other takes its place."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ml.errors import MisstepError
from ml.file_hash import sha256_of
from ml.finished_run import refuse_another, tell_finished
from ml.prm.bases import hashes_of_weights
from ml.prm.checkpoint import seems_whole
from ml.prm.request import Request, opened, with_rule
from ml.snapshot import Snapshot, described_snapshot
from ml.training_choices import NAMED_BASES

# Of a request: where things lie, where it runs, and what `with_rule` makes the rule of. All else, also what a later
# version adds, makes another run.
NO_SETTINGS = (
    *("out", "snapshot", "more_snapshots", "manifests", "device", "is_sharded", "keep_state", "save_every"),
    *("labels", "asked", "second_opinion", "examples", "training"),
)
# Of a base's folder, beside its weights: what its texts are read by, and how it is built.
READ_WITH_WEIGHTS = (".json", ".txt", ".model", ".jinja")


def asked_for(request: Request, snapshot: Snapshot) -> dict[str, Any]:
    """What a command asks for by name, for the card. base: a name, or the sha256 of each file that is read beside its
    weights, whose own the card has elsewhere."""
    request = with_rule(request, snapshot.manifest)
    said = request.second_opinion.on_card() if request.second_opinion else None
    # The request's own number of updates and weight of the words stand before those that are found when a run begins.
    settings = {**asdict(request.examples), **asdict(request.training), **vars(request)}
    return {
        "snapshot": snapshot.sha256,
        **{name: value for name, value in settings.items() if name not in NO_SETTINGS},
        "rule": asdict(request.rule),
        "opinion_said": said,
        "base": request.base if request.base in NAMED_BASES else _read_beside(Path(request.base)),
    }


def finished_card(request: Request) -> dict[str, Any] | None:
    """The card of the same training, whose checkpoint stands at OUT; None where nothing there says what was asked for.
    Says on stderr that nothing is done again. Of the snapshot its manifest alone is read, of the base all files.

    Raises MisstepError where the checkpoint is another training's, or not whole.
    """
    out = request.out
    try:
        card: dict[str, Any] = json.loads((out / "card.json").read_text(encoding="utf-8"))
        known = card["asked"]
    except (OSError, ValueError, LookupError, TypeError):
        return None
    if not (out / "manifest.json").exists():
        # Killed while its files were moved: the same command moves them again.
        return None
    # First of all: what a card says that somebody changed is nothing to compare with.
    if not seems_whole(out):
        raise MisstepError(
            f"{out}: files differ from manifest.json, expected the checkpoint as written, or a new folder"
        )
    asked = asked_for(request, opened(request, described_snapshot))
    had = _told(known["base"], card["base"].get("sha256"))
    wanted = told_of_base(request.base)
    refuse_another(out, {**known, "base": had}, {**asked, "base": wanted})
    tell_finished(out)
    return card


def told_of_base(base: str) -> str:
    """Its name, or a hash of all that is read of its folder."""
    if base in NAMED_BASES:
        return base
    folder = Path(base)
    return _told(_read_beside(folder), hashes_of_weights(folder))


def _told(base: Any, weights: Any) -> str:
    """The base's name, or a hash of all that is read of its folder, whatever that is called now."""
    if isinstance(base, str):
        return base
    return "files " + hashlib.sha256(json.dumps([base, weights], sort_keys=True).encode()).hexdigest()[:8]


def _read_beside(folder: Path) -> dict[str, str]:
    return {
        path.name: sha256_of(path) for path in sorted(folder.glob("*")) if path.suffix in READ_WITH_WEIGHTS
    }
