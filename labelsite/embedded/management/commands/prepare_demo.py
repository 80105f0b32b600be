from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import transaction

from labelsite.accounts.models import Role, User
from labelsite.accounts.services import create_person


class Command(BaseCommand):
    help = "Make tables, static files and a person of each role (passwords go to VAR/passwords.json)."

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("migrate", interactive=False, verbosity=0)
        call_command("collectstatic", interactive=False, verbosity=0)
        made = self._make_people(settings.VAR / "passwords.json")
        self.stdout.write(f"tables are up to date; people made: {', '.join(made) or 'none, all are there'}")

    @transaction.atomic
    def _make_people(self, kept: Path) -> list[str]:
        passwords: dict[str, str] = json.loads(kept.read_text()) if kept.exists() else {}
        known = set(User.objects.filter(username__in=Role.values).values_list("username", flat=True))
        made = [role for role in Role.values if role not in known]
        for role in made:
            passwords[role] = create_person(role, role)[1]
        if made:
            # Written before the commit: a person without a known password would be worse than the reverse.
            partial = kept.with_suffix(".partial")
            partial.unlink(missing_ok=True)
            with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                json.dump(passwords, file, indent=1)
            partial.replace(kept)
        return made
