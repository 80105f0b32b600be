"""Which folder is VAR, for the settings and for the embedded servers alike."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.data import ROOT

ASKED = """
from labelsite import settings
from labelsite.embedded import demo
print(settings.VAR)
print(demo.var_folder())
"""


@pytest.mark.parametrize("value", [None, "", "here"])
def test_the_settings_and_the_embedded_servers_mean_the_same_folder(
    value: str | None, tmp_path: Path
) -> None:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    given = {} if value is None else {"VAR": value}
    done = subprocess.run(
        [sys.executable, "-c", ASKED],
        cwd=tmp_path,
        env={**kept, **given, "PYTHONPATH": str(ROOT), "SECRET_KEY": "x" * 40},
        capture_output=True,
        text=True,
        check=True,
    )
    expected = tmp_path / "here" if value else ROOT / "var"
    assert done.stdout.split() == [str(expected)] * 2
