"""Which folders the embedded servers use, and which they refuse; without a server."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from labelsite.embedded.errors import EmbeddedError
from labelsite.embedded.folders import private_folder, socket_folder


@pytest.fixture
def deep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A VAR whose path leaves no room for a socket's name; the short folders lie in a folder of the test's own."""
    var = tmp_path / ("a-folder-with-a-long-name-" * 4)
    var.mkdir(mode=0o700)
    short = Path(tempfile.mkdtemp(prefix="misstep-test-"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short))
    yield var
    shutil.rmtree(short)


def test_a_copy_of_a_deep_folder_never_reaches_the_sockets_of_the_original(deep: Path) -> None:
    original = socket_folder(deep)
    copy = shutil.copytree(deep, deep.with_name(deep.name + "-restored"), copy_function=shutil.copy2)
    own = socket_folder(copy)
    assert own != original and socket_folder(copy) == own
    assert socket_folder(deep) == original


def test_a_folder_below_one_that_hands_its_group_on_is_as_private(tmp_path: Path) -> None:
    tmp_path.chmod(0o2700)
    made = private_folder(tmp_path / "run")
    made.chmod(0o2700)
    assert private_folder(made) == made
    made.chmod(0o2750)
    with pytest.raises(EmbeddedError, match="mode 0750, expected 0700; run: chmod 700"):
        private_folder(made)
