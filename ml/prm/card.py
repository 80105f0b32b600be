"""What a checkpoint says of itself: from which labels, by which rule, how, and how well."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from ml.joined_snapshot import JoinedSnapshot
from ml.prm.distributed import Group
from ml.prm.identity import config_of
from ml.prm.preparing import Prepared
from ml.snapshot import Snapshot

DEPENDENCIES = ("torch", "transformers", "tokenizers", "safetensors", "peft", "numpy")


def begun_card(ready: Prepared, snapshot: Snapshot, group: Group, code: Mapping[str, Any]) -> dict[str, Any]:
    """The card of a run that begins, by this code (see `made_by`): all but how it went."""
    request, settings = ready.request, ready.settings
    # The layers themselves, also where nobody named any.
    adapted = {"lora_targets": list(ready.lora_targets)} if request.lora_rank else {}
    return {
        "format": "misstep-checkpoint",
        "version": 1,
        "objective": settings.objective,
        "outputs": request.examples.outputs,
        "head": request.head,
        "snapshot": {
            "sha256": snapshot.sha256,
            "name": snapshot.manifest.get("name", ""),
            **(snapshot.on_card() if isinstance(snapshot, JoinedSnapshot) else {}),
        },
        "label_rule": asdict(request.rule),
        "base": ready.base.origin,
        "seed": settings.seed,
        "config": {
            **config_of(request, settings),
            **adapted,
            "processes": group.size,
            "sharded": group.is_sharded,
            "threads": torch.get_num_threads(),
        },
        "counts": dict(ready.counts),
        **code,
    }


def made_by() -> dict[str, Any]:
    """The code that makes a checkpoint, for its card."""
    return {"commit": code_commit(), "dependencies": dependency_versions()}


def dependency_versions() -> dict[str, str]:
    """The versions that a rerun would need."""
    found = {"python": platform.python_version()}
    for name in DEPENDENCIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def code_commit() -> str | None:
    """The commit of the code, with `+changes` when the tree differs from it; None outside git."""
    root = Path(__file__).resolve().parents[2]
    head = _git(root, "rev-parse", "HEAD")
    if head is None:
        return None
    return head + ("+changes" if _git(root, "status", "--porcelain", "--", "ml") else "")


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
