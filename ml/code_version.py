"""Which code made a result: stored with every run."""

from __future__ import annotations

import hashlib
import importlib.metadata
from pathlib import Path


def code_version() -> str:
    """The package's version and a hash of its own source, so that a changed copy is not taken for a
    release.
    """
    try:
        version = importlib.metadata.version("misstep")
    except importlib.metadata.PackageNotFoundError:
        version = "0"
    digest = hashlib.sha256()
    root = Path(__file__).resolve().parent
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return f"{version}+{digest.hexdigest()[:12]}"
