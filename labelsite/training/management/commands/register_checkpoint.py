"""`manage.py register_checkpoint DIR [--name NAME]`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from labelsite.training.registering import register_checkpoint
from ml.errors import MisstepError


class Command(BaseCommand):
    help = (
        "Take in a checkpoint that python -m ml train made elsewhere, from a snapshot that was frozen here."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, metavar="DIR", help="what was --out of python -m ml train")
        parser.add_argument("--name", default="", help="the run's name on its page")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            checkpoint = register_checkpoint(options["folder"], options["name"])
        except MisstepError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"checkpoint {checkpoint.pk}: {checkpoint.run.name}, sha256 {checkpoint.sha256}, "
            f"page /training/checkpoints/{checkpoint.pk}/"
        )
