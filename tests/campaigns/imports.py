"""Files for tests of what an import brings, and of how it is taken back."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

from django.core.management import call_command

from labelsite.campaigns.models import Campaign, Task
from tests.factories import make_task


def import_solutions(folder: Path, count: int, first: int = 0) -> Campaign:
    """Imports a file of so many solutions, of which nobody has said anything, into the campaign C."""
    path = folder / f"from-{first}.jsonl"
    path.write_text("".join(_line(number) for number in range(first, first + count)))
    call_command("import_solutions", str(path), format="records", campaign="C", create_campaign=True)
    return Campaign.objects.get(name="C")


def _line(number: int) -> str:
    steps = ["We add one.", f"So it is {number + 1}."]
    return json.dumps({"id": f"s{number}", "problem": f"What is {number} + 1?", "steps": steps}) + "\n"


def brought_at(campaign: Campaign, count: int, moment: datetime) -> list[Task]:
    """Tasks as an import of that moment made them: all that a test imports in one transaction is of one."""
    tasks = [make_task(campaign) for _ in range(count)]
    Task.objects.filter(pk__in=[task.pk for task in tasks]).update(created_at=moment)
    return tasks
