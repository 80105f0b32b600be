"""`manage.py load_estimates DIR --campaign C --solutions FILE --format F [--name N]`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from labelsite.campaigns.models import Campaign
from labelsite.comparison.runs_from_files import load_folder
from labelsite.durability import require_durability_of_command
from ml import formats
from ml.errors import MisstepError


class Command(BaseCommand):
    help = "Take in the estimates that python -m ml autolabel made elsewhere of a campaign's solutions."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "folder", type=Path, metavar="DIR", help="what was --out of python -m ml autolabel"
        )
        parser.add_argument("--campaign", required=True, help="its name")
        parser.add_argument(
            "--solutions", required=True, type=Path, metavar="FILE", help="what was --solutions there"
        )
        parser.add_argument("--format", required=True, choices=formats.FORMATS, help="the file's format")
        parser.add_argument("--name", default="", help="the run's name on its page")

    def handle(self, *args: Any, **options: Any) -> None:
        require_durability_of_command()
        campaign = Campaign.objects.filter(name=options["campaign"]).first()
        if campaign is None:
            raise CommandError(f"there is no campaign {options['campaign']!r}, expected one that exists")
        try:
            run, counts = load_folder(
                campaign, options["folder"], options["solutions"], options["format"], options["name"]
            )
        except MisstepError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"run {run.pk}: {run.name}, estimates of {counts['solutions']} solutions and {counts['steps']} steps"
        )
