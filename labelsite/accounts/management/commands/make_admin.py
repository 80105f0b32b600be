"""`manage.py make_admin NAME`: the first admin of a site, or another one."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from labelsite.accounts.models import User
from labelsite.accounts.services import make_admin


class Command(BaseCommand):
    help = "Make somebody an admin; a new person's password is shown once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="the name to log in with")

    def handle(self, *args: Any, **options: Any) -> None:
        name = options["name"]
        try:
            User._meta.get_field("username").clean(name, None)
            password = make_admin(name)
        except ValidationError as refusal:
            raise CommandError("; ".join(refusal.messages)) from refusal
        if password is None:
            self.stdout.write(f"{name} is an admin now; the password stays")
        else:
            self.stdout.write(f"{name} is an admin; password {password}")
