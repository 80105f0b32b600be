"""Who changed what that decides over people and labels: written beside each change, never changed, read by admins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labelsite.accounts.models import Change, User


def record(kind: str, name: str, values: Mapping[str, tuple[Any, Any]], by: User | None = None) -> None:
    """Note each field whose value (old, new) differs; call it in the transaction of the change itself.

    `by`: None for what a command on the server or a job did.
    """
    Change.objects.bulk_create(
        [
            Change(by=by, kind=kind, name=name[:200], field=field, old=old, new=new)
            for field, (old, new) in values.items()
            if old != new
        ]
    )


def record_password(user: User, by: User | None = None) -> None:
    """That there is a new password, and not a word of it: neither an old nor a new value."""
    Change.objects.create(by=by, kind="person", name=user.username, field="password")
