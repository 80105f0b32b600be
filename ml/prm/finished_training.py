"""A training whose checkpoint stands at OUT already: asked for again it is finished, and no other takes its place."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ml.errors import MisstepError
from ml.file_hash import sha256_of
from ml.finished_run import refuse_another, tell_finished
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
    """What a command asks for by name, for the card. base: a name, or for each file that is read [bytes, when it
    changed, sha256]; the card has the sha256 of weights elsewhere, since they are long to read."""
    request = with_rule(request, snapshot.manifest)
    said = request.second_opinion.on_card() if request.second_opinion else None
    # The request's own number of updates and weight of the words stand before those that are found when a run begins.
    settings = {**asdict(request.examples), **asdict(request.training), **vars(request)}
    return {
        "snapshot": snapshot.sha256,
        **{name: value for name, value in settings.items() if name not in NO_SETTINGS},
        "rule": asdict(request.rule),
        "opinion_said": said,
        "base": request.base if request.base in NAMED_BASES else _files_of(Path(request.base)),
    }


def finished_card(request: Request) -> dict[str, Any] | None:
    """The card of the same training, whose checkpoint stands at OUT; None where nothing there says what was asked for.
    Says on stderr that nothing is done again. Of the snapshot its manifest alone is read, and no weights are, unless
    the base's files were touched since.

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
    asked = asked_for(request, opened(request, described_snapshot))
    base = _base_now(request, asked["base"], card)
    refuse_another(out, {**known, "base": _base_on(card)}, {**asked, "base": base})
    if not seems_whole(out):
        raise MisstepError(
            f"{out}: files differ from manifest.json, expected the checkpoint as written, or a new folder"
        )
    tell_finished(out)
    return card


def _base_on(card: Mapping[str, Any]) -> str:
    noted = card["asked"]["base"]
    return noted if isinstance(noted, str) else f"{card['base']['name']} {_digest(_hashes_on(card))}"


def _base_now(request: Request, files: Any, card: Mapping[str, Any]) -> str:
    """Its name, or what `_base_on` says where the folder, whatever it is called now, holds the very same."""
    if isinstance(files, str):
        return files
    noted, known, folder = card["asked"]["base"], _hashes_on(card), Path(request.base)
    found = {
        name: known[name]
        if name in known and noted[name][:2] == [length, changed]
        else digest or sha256_of(folder / name)
        for name, (length, changed, digest) in files.items()
    }
    return _base_on(card) if found == known else f"{folder.name} {_digest(found)}"


def _hashes_on(card: Mapping[str, Any]) -> dict[str, str]:
    """The sha256 of each of the base's files, as the card has them; none of a named base."""
    noted = card["asked"]["base"]
    if isinstance(noted, str):
        return {}
    weights = iter(card["base"]["sha256"])
    return {name: digest or next(weights) for name, (_, _, digest) in sorted(noted.items())}


def _files_of(folder: Path) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for path in sorted(folder.glob("*")):
        is_weights = path.suffix == ".safetensors"
        if is_weights or path.suffix in READ_WITH_WEIGHTS:
            # Nobody sets the time of a change: a file that was replaced has another one, whatever its own times say.
            about = path.stat()
            found[path.name] = [about.st_size, about.st_ctime_ns, None if is_weights else sha256_of(path)]
    return found


def _digest(found: Any) -> str:
    return hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()[:8]
