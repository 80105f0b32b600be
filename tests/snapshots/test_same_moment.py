"""Two who freeze the same campaign in the same moment, as a double click does: both get a snapshot."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, BrokenBarrierError

import pytest
from django.db import connection

from labelsite.campaigns.models import Campaign
from labelsite.snapshots import services
from labelsite.snapshots.models import Snapshot
from ml.snapshot import read_snapshot
from tests.factories import make_annotation, make_campaign, make_task, make_user

pytestmark = pytest.mark.django_db(transaction=True)


def test_both_of_a_double_click_get_a_snapshot_of_their_own_name(monkeypatch: pytest.MonkeyPatch):
    campaign = make_campaign("Arithmetic")
    make_annotation(make_task(campaign), make_user(), [1, -1])
    both_have_written, settle = Barrier(2, timeout=60), services.settle

    def settle_together(*arguments) -> None:
        both_have_written.wait()
        settle(*arguments)

    def freeze_once(_number: int) -> Snapshot:
        try:
            return services.freeze(Campaign.objects.get(pk=campaign.pk), "human", name="N")
        except BaseException:
            # The other one need not wait for who will not come.
            both_have_written.abort()
            raise
        finally:
            connection.close()

    monkeypatch.setattr(services, "settle", settle_together)
    with ThreadPoolExecutor(2) as pool:
        clicks = [pool.submit(freeze_once, number) for number in range(2)]
    # What stopped one is told before what that made of the other.
    clicks.sort(key=lambda click: isinstance(click.exception(), BrokenBarrierError))
    made = [click.result() for click in clicks]
    assert sorted(snapshot.name for snapshot in made) == ["N", "N (2)"]
    assert all(snapshot.manifest["name"] == snapshot.name for snapshot in Snapshot.objects.all())
    assert made[0].folder == made[1].folder
    assert len(list(read_snapshot(services.folder_of(made[0])))) == 1


def test_who_finds_every_name_taken_meanwhile_is_told_so(monkeypatch: pytest.MonkeyPatch):
    campaign = make_campaign("Arithmetic")
    make_annotation(make_task(campaign), make_user(), [1, -1])
    services.freeze(campaign, "human", name="N")
    monkeypatch.setattr(services, "free_names", lambda wanted: iter([wanted] * 100))
    with pytest.raises(services.MisstepError, match="the name “N” was taken meanwhile"):
        services.freeze(campaign, "human", name="N")
    assert Snapshot.objects.count() == 1
