"""`manage.py load_scores FILE --campaign C --checkpoint N --solutions FILE --format F`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from labelsite.campaigns.models import Campaign
from labelsite.durability import require_durability_of_command
from labelsite.training.models import Checkpoint
from labelsite.training.scores_from_files import load_file
from ml import formats
from ml.errors import MisstepError


class Command(BaseCommand):
    help = "Take in the scores that python -m ml score made elsewhere of a campaign's solutions."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE", help="what was --out of python -m ml score")
        parser.add_argument("--campaign", required=True, help="its name")
        parser.add_argument(
            "--checkpoint",
            required=True,
            type=int,
            metavar="N",
            help="the number of the checkpoint on this site, as register_checkpoint tells it",
        )
        parser.add_argument(
            "--solutions", required=True, type=Path, metavar="FILE", help="what was --solutions there"
        )
        parser.add_argument("--format", required=True, choices=formats.FORMATS, help="the file's format")

    def handle(self, *args: Any, **options: Any) -> None:
        require_durability_of_command()
        campaign = Campaign.objects.filter(name=options["campaign"]).first()
        checkpoint = Checkpoint.objects.select_related("run").filter(pk=options["checkpoint"]).first()
        if campaign is None:
            raise CommandError(f"there is no campaign {options['campaign']!r}, expected one that exists")
        if checkpoint is None:
            raise CommandError(
                f"there is no checkpoint {options['checkpoint']}, expected one of this site: register_checkpoint takes"
                " one in"
            )
        try:
            run, counts = load_file(
                campaign, options["file"], checkpoint, options["solutions"], options["format"]
            )
        except MisstepError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"scores {run.pk}: {run.name}, of {counts['solutions']} solutions and {counts['steps']} steps, "
            f"page /training/scores/{run.pk}/"
        )
