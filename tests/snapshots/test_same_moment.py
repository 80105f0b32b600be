"""Two who freeze the same campaign in the same moment, as a double click does: both get a snapshot."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from django.db import connection

from labelsite.campaigns.models import Campaign
from labelsite.snapshots import services
from labelsite.snapshots.models import Snapshot
from ml.snapshot import read_snapshot
from tests.factories import make_annotation, make_campaign, make_task, make_user

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def own_folder(settings, tmp_path: Path) -> None:
    settings.VAR = tmp_path / "var"


def test_both_of_a_double_click_get_a_snapshot_of_their_own_name(monkeypatch: pytest.MonkeyPatch):
    campaign = make_campaign("Arithmetic")
    make_annotation(make_task(campaign), make_user(), [1, -1])
    both_have_written, settle = Barrier(2, timeout=20), services.settle

    def settle_together(*arguments) -> None:
        both_have_written.wait()
        settle(*arguments)

    def freeze_once(_number: int) -> Snapshot:
        try:
            return services.freeze(Campaign.objects.get(pk=campaign.pk), "human", name="N")
        finally:
            connection.close()

    monkeypatch.setattr(services, "settle", settle_together)
    with ThreadPoolExecutor(2) as clicks:
        made = list(clicks.map(freeze_once, range(2)))
    assert sorted(snapshot.name for snapshot in made) == ["N", "N (2)"]
    assert all(snapshot.manifest["name"] == snapshot.name for snapshot in Snapshot.objects.all())
    assert made[0].folder == made[1].folder
    assert len(list(read_snapshot(services.folder_of(made[0])))) == 1


def test_who_finds_every_name_taken_meanwhile_is_told_so(monkeypatch: pytest.MonkeyPatch):
    campaign = make_campaign("Arithmetic")
    make_annotation(make_task(campaign), make_user(), [1, -1])
    services.freeze(campaign, "human", name="N")
    monkeypatch.setattr(services, "free_names", lambda wanted: iter([wanted] * 100))
    with pytest.raises(services.MisstepError, match="the name 'N' was taken meanwhile"):
        services.freeze(campaign, "human", name="N")
    assert Snapshot.objects.count() == 1
