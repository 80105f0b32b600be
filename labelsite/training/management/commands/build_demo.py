from __future__ import annotations

import signal
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from labelsite.durability import require_durability_of_command
from labelsite.training.demo import build
from ml.errors import MisstepError


class Command(BaseCommand):
    help = "Build the two demo campaigns of pocket problems; what is already there is kept."

    def handle(self, *args: Any, **options: Any) -> None:
        require_durability_of_command()
        # Leaving through an exception hands a job back, and takes the sampling along.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        try:
            build(lambda line: self.stdout.write(line))
        except MisstepError as refusal:
            raise CommandError(str(refusal)) from refusal
