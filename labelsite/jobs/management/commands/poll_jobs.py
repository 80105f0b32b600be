from __future__ import annotations

import signal
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from labelsite.jobs.poller import PATIENCE_SECONDS, Poller


class Command(BaseCommand):
    help = (
        "Queue jobs again whose worker has vanished, and run jobs that no worker takes. Runs until stopped."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--patience", type=float, default=PATIENCE_SECONDS, help="seconds given to a worker"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        try:
            Poller(options["patience"]).run_forever()
        except KeyboardInterrupt:
            sys.exit(0)
