"""A snapshot's folder: whole on the disk, shared by equal snapshots, and read by each with its own manifest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from labelsite.campaigns.models import Campaign
from labelsite.snapshots.services import folder_of, freeze, snapshots_folder
from ml.snapshot import read_snapshot
from tests.factories import make_annotation, make_campaign, make_task, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def campaign() -> Campaign:
    return make_campaign("Arithmetic")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [cut, empty, Path.unlink])
@pytest.mark.parametrize("file", ["manifest.json", "annotations.jsonl", "parts/part-00000.jsonl"])
def test_freezing_again_mends_a_folder_that_a_power_loss_has_torn(
    campaign: Campaign, file: str, damage: Callable[[Path], None]
):
    make_annotation(make_task(campaign), make_user(), [1, -1])
    first = freeze(campaign, "human")
    whole = (folder_of(first) / file).read_bytes()
    damage(folder_of(first) / file)
    second = freeze(campaign, "human", name=first.name)
    assert second.folder == first.folder
    assert [row.first_mistake for row in read_snapshot(folder_of(first))] == [1]
    if file != "manifest.json":
        assert (folder_of(first) / file).read_bytes() == whole
    assert [path.name for path in snapshots_folder().iterdir()] == [first.folder]


def test_a_whole_folder_is_left_as_it_is(campaign: Campaign):
    make_annotation(make_task(campaign), make_user(), [1, -1])
    first = freeze(campaign, "human", name="One")
    before = {path: path.stat().st_ino for path in folder_of(first).rglob("*")}
    freeze(campaign, "human", name="Two")
    assert {path: path.stat().st_ino for path in folder_of(first).rglob("*")} == before
