"""Snapshots, checkpoints and jobs of each test lie in a folder of its own."""

import pytest


@pytest.fixture(autouse=True)
def _each_in_its(own_folder: None) -> None:
    pass
