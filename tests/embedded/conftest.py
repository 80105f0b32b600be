from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


def processes_of(var: Path) -> list[str]:
    """The command lines of all processes that name `var`, or run with it in their environment."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        try:
            words = (folder / "cmdline").read_bytes()
            variables = (folder / "environ").read_bytes()
        except OSError:
            continue
        if words and (os.fsencode(var) in words or b"VAR=" + os.fsencode(var) in variables.split(b"\0")):
            found.append(f"{folder.name} {words.replace(bytes(1), b' ').decode(errors='replace')}")
    return found


@pytest.fixture
def var() -> Iterator[Path]:
    """A folder for one installation, with a short name (pytest's own are too long for a socket)."""
    folder = Path(tempfile.mkdtemp(prefix="misstep-"))
    yield folder
    for line in processes_of(folder):
        subprocess.run(["kill", "-9", line.split()[0]], check=False)
    shutil.rmtree(folder, ignore_errors=True)
