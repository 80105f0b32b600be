"""`manage.py export_snapshot --campaign C --labels human|automatic|mixed --out DIR`."""

from __future__ import annotations

import json
from argparse import ArgumentTypeError
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from labelsite.campaigns.models import Campaign
from labelsite.snapshots.models import LabelSource
from labelsite.snapshots.services import export, freeze
from ml.errors import MisstepError
from ml.progress import Progress
from ml.snapshot import refuse_used
from ml.targets.named_rules import named_rule


class Command(BaseCommand):
    help = "Freeze a campaign's labels and write them to a folder: manifest.json and parts/*.jsonl."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--campaign", required=True, help="name of the campaign")
        parser.add_argument("--labels", required=True, choices=LabelSource.values)
        parser.add_argument("--out", required=True, type=Path, help="a new or empty folder")
        parser.add_argument("--name", help="the snapshot's name on its page")
        parser.add_argument(
            "--rule", type=a_rule, default={}, help='choices of the label rule, e.g. \'{"target": "soft"}\''
        )

        parser.add_argument(
            "--keep-unlabelled",
            action="store_true",
            help="keep solutions without any label whose answer is known to be right or wrong",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        progress = Progress(unit="solutions")
        try:
            campaign = Campaign.objects.filter(name=options["campaign"]).first()
            if campaign is None:
                raise MisstepError(f"no campaign {options['campaign']!r}, expected one of {_names()}")
            out = Path(options["out"])
            # Before the long work, which would be for nothing.
            refuse_used(out)
            rule = named_rule(options["labels"], options["rule"])
            snapshot = freeze(
                campaign,
                options["labels"],
                rule,
                name=options["name"],
                report=progress.report,
                keep_unlabelled=options["keep_unlabelled"],
            )
            export(snapshot, out)
        except MisstepError as error:
            raise CommandError(str(error)) from error
        counts = snapshot.manifest["counts"]
        self.stdout.write(
            f"{snapshot.name}: {counts['rows']} solutions, {counts['labelled_steps']} labelled steps,"
            f" sha256 {snapshot.sha256}"
        )


def a_rule(text: str) -> dict[str, Any]:
    """An object of the rule's choices, from the command line."""
    try:
        value = json.loads(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is not JSON") from error
    if not isinstance(value, dict):
        raise ArgumentTypeError(f"{text!r} is not a JSON object")
    return value


def _names() -> str:
    names = list(Campaign.objects.order_by("-pk").values_list("name", flat=True)[:10])
    return ", ".join(repr(name) for name in names) or "those made by import_solutions"
