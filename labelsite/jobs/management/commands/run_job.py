from __future__ import annotations

import signal
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from labelsite.durability import require_durability_of_command
from labelsite.jobs.models import Job
from labelsite.jobs.shared_folder import refusal
from labelsite.jobs.tasks import run_here


class Command(BaseCommand):
    help = "Run one queued job in this process, without a worker or a broker."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("job", type=int)

    def handle(self, *args: Any, **options: Any) -> None:
        require_durability_of_command()
        # Leaving through an exception hands the job back; dying of the signal would leave it to its lease.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        if refused := refusal():
            raise CommandError(refused)
        job = Job.objects.filter(pk=options["job"]).first()
        if job is None:
            raise CommandError(f"there is no job {options['job']}")
        run_here(job)
        job.refresh_from_db()
        self.stdout.write(f"{job}: {job.state} {job.error}".rstrip())
