from __future__ import annotations

import signal
import sys
from argparse import ArgumentTypeError
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from labelsite.durability import require_durability_of_command
from labelsite.jobs.poller import PATIENCE_SECONDS, Poller
from labelsite.jobs.shared_folder import refusal_if_known


def _queues(text: str) -> list[str]:
    chosen = text.split(",")
    if unknown := sorted(set(chosen) - set(settings.JOB_QUEUES)):
        raise ArgumentTypeError(f"{', '.join(unknown)}, expected some of {','.join(settings.JOB_QUEUES)}")
    return chosen


class Command(BaseCommand):
    help = (
        "Queue jobs again whose worker has vanished, and run jobs that no worker takes. Runs until stopped."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--queues",
            type=_queues,
            default=settings.JOB_QUEUES,
            help="run jobs of these only, with commas; jobs of the others are still woken and queued again",
        )
        parser.add_argument(
            "--patience", type=float, default=PATIENCE_SECONDS, help="seconds given to a worker"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        require_durability_of_command()
        if refused := refusal_if_known():
            raise CommandError(refused)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        try:
            Poller(options["patience"], options["queues"]).run_forever()
        except KeyboardInterrupt:
            sys.exit(0)
