"""`import_solutions FILE --format F --campaign C [--create-campaign] [--section S] [--revise] [--dry-run]`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from labelsite.annotations.importers import import_file, lines_in
from labelsite.durability import require_durability_of_command
from ml import formats
from ml.errors import MisstepError
from ml.progress import Progress


class Command(BaseCommand):
    help = "Import a file of solutions, with the labels that it holds, as tasks of a campaign."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="JSON Lines, plain or .gz")
        parser.add_argument(
            "--format", required=True, choices=formats.FORMATS, help="docs/formats.md has an example of each"
        )
        parser.add_argument("--campaign", required=True, help="its name")
        parser.add_argument(
            "--create-campaign",
            action="store_true",
            help="make the campaign when there is none of that name, open to every annotator",
        )
        parser.add_argument(
            "--section", default="", help="the part of the campaign that the new tasks belong to"
        )
        parser.add_argument(
            "--revise",
            action="store_true",
            help="take over what the file says otherwise than is stored; without it such a file is refused",
        )
        parser.add_argument("--dry-run", action="store_true", help="read and check everything, keep nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        require_durability_of_command()
        path = Path(options["file"])
        progress = Progress(unit="lines", total=lines_in(path))
        try:
            summary = import_file(
                path,
                options["format"],
                options["campaign"],
                section=options["section"].strip(),
                dry_run=options["dry_run"],
                report=progress.report,
                revises=options["revise"],
                create=options["create_campaign"],
            )
        except MisstepError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(str(summary))
