"""A training whose checkpoint stands at OUT already: asked for again it is finished, and no other takes its place."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ml.errors import MisstepError
from ml.file_hash import sha256_of
from ml.finished_run import refuse_another, tell_finished
from ml.prm.checkpoint import seems_whole
from ml.prm.identity import config_of
from ml.prm.request import Request, language_weight, opened, with_rule
from ml.snapshot import described_snapshot
from ml.training_choices import NAMED_BASES

# Of a card's settings: when states are saved, and among how many processes the work was divided, made no other model.
NO_SETTINGS = ("save_every", "processes", "sharded")
# Of a base's folder, beside its weights: what its texts are read by, and how it is built.
READ_WITH_WEIGHTS = (".json", ".txt", ".model", ".jinja")


def asked_for(request: Request) -> dict[str, Any]:
    """What the card keeps of the command where its settings say what came of it. base: a name, or for each file that is
    read [bytes, when it changed, sha256]; the card has the sha256 of weights elsewhere, since they are long to read."""
    return {
        "steps": request.steps,
        "lora_targets": list(request.lora_targets),
        "base": request.base if request.base in NAMED_BASES else _files_of(Path(request.base)),
    }


def finished_card(request: Request) -> dict[str, Any] | None:
    """The card of the same training, whose checkpoint stands at OUT; None where nothing there says what was asked for.
    Says on stderr that nothing is done again. Of the snapshot its manifest alone is read, and no weights are, unless
    the base's files were touched since.

    Raises MisstepError where the checkpoint is another training's, or not whole.
    """
    try:
        card = json.loads((request.out / "card.json").read_text(encoding="utf-8"))
        asked = card["asked"]
    except (OSError, ValueError, LookupError, TypeError):
        return None
    if not (request.out / "manifest.json").exists():
        # Killed while its files were moved: the same command moves them again.
        return None
    known = _named(card["config"], asked, _base_on(card), card["snapshot"]["sha256"], card["label_rule"])
    refuse_another(request.out, known, _settings_of(request, card))
    if not seems_whole(request.out):
        raise MisstepError(
            f"{request.out}: files differ from manifest.json, expected the checkpoint as written, or a new folder"
        )
    tell_finished(request.out)
    found: dict[str, Any] = card
    return found


def _settings_of(request: Request, card: Mapping[str, Any]) -> dict[str, Any]:
    """What this command would put on its card. card: of the checkpoint that it is compared with."""
    snapshot = opened(request, described_snapshot)
    request = with_rule(request, snapshot.manifest)
    if request.second_opinion:
        request = replace(request, opinion_said=request.second_opinion.on_card())
    settings = replace(request.training, language_weight=language_weight(request))
    asked = asked_for(request)
    base = _base_now(request, asked["base"], card)
    return _named(config_of(request, settings), asked, base, snapshot.sha256, asdict(request.rule))


def _named(
    config: Mapping[str, Any], asked: Mapping[str, Any], base: str, snapshot: str, rule: Mapping[str, Any]
) -> dict[str, Any]:
    known = {**config, **asked, "base": base}
    return {"snapshot": snapshot, "rule": rule, **{k: v for k, v in known.items() if k not in NO_SETTINGS}}


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
