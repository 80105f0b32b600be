"""`manage.py execute_steps --campaign C`."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from labelsite.autolabels.executions import start_executions, without_outcome
from labelsite.durability import require_durability_of_command
from labelsite.jobs.models import JobState
from labelsite.jobs.tasks import run_here


class Command(BaseCommand):
    help = "Run a campaign's code that nobody has run yet, or that the sandbox failed, here and now."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--campaign", required=True, help="name")

    def handle(self, *args: Any, **options: Any) -> None:
        require_durability_of_command()
        jobs = start_executions(without_outcome(options["campaign"]))
        for job in jobs:
            run_here(job)
            job.refresh_from_db()
            if job.state not in (JobState.DONE, JobState.RUNNING):
                raise CommandError(f"job {job.pk} is {job.state}: {job.error}")
        steps = sum((job.result or {}).get("steps", 0) for job in jobs)
        self.stdout.write(f"{steps} steps of {options['campaign']} were run")
