"""`manage.py verify_snapshots`: reads every byte of every snapshot and compares it with what was frozen."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from labelsite.snapshots.models import Snapshot
from labelsite.snapshots.services import folder_of
from labelsite.snapshots.verifying import damage_in, forget


class Command(BaseCommand):
    help = "Compare the files of every snapshot with the hashes that were frozen; ends with 1 if one differs."

    def handle(self, *args: Any, **options: Any) -> None:
        forget()
        damaged = count = 0
        for snapshot in Snapshot.objects.order_by("pk").iterator():
            count += 1
            complaints = list(damage_in(folder_of(snapshot), snapshot.manifest))
            damaged += bool(complaints)
            for complaint in complaints:
                self.stdout.write(f"{snapshot.name}: {complaint}")
        if damaged:
            raise CommandError(f"damaged: {damaged} of {count} snapshots")
        self.stdout.write(f"as they were frozen: {count} of {count} snapshots")
