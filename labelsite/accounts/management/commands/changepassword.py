"""`manage.py changepassword [NAME]`: Django's own, which ends tokens and notes it in the record of changes."""

from __future__ import annotations

import getpass
from typing import Any

from django.contrib.auth.management.commands import changepassword
from django.db import transaction

from labelsite.accounts.models import User
from labelsite.accounts.records import record_password


class Command(changepassword.Command):
    help = "Set a person's password, and record that there is a new one."

    def handle(self, *args: Any, **options: Any) -> str | None:
        name = options["username"] or getpass.getuser()
        # One transaction: no password without its line. It has locked nothing while somebody types.
        with transaction.atomic():
            done = super().handle(*args, **{**options, "username": name})
            user = User.objects.get(username=name)
            # As where an admin gives one: whoever had the old one may have made them.
            user.api_tokens.all().delete()
            record_password(user)
        return done
