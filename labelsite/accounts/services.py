"""Writes to people, their preferences and their tokens."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from labelsite.accounts.forms import OwnPasswordForm
from labelsite.accounts.keymap import ACTIONS, checked
from labelsite.accounts.models import ApiToken, Role, User
from labelsite.accounts.records import record, record_password

# What the apps to the right do when somebody becomes an annotator who can log in: called with the person and with who
# made them one, in that transaction. Each is entered by its app's `ready`.
Arrival = Callable[[User, User | None], None]
ARRIVALS: list[Arrival] = []


class LastAdmin(Exception):
    """The team would be left without an admin who can log in."""


@transaction.atomic
def create_person(username: str, role: str, by: User | None = None) -> tuple[User, str]:
    """A new person and the password made for them, which is shown once."""
    password = _made_password()
    user = User.objects.create_user(username=username, password=password, role=role)
    record("person", username, {"role": (None, str(role))}, by)
    if _is_at_work(user):
        _arrive(user, by)
    return user, password


def _is_at_work(user: User) -> bool:
    """Whether this is an annotator who can log in."""
    return user.role == Role.ANNOTATOR and user.is_active and not user.is_machine


def _arrive(user: User, by: User | None) -> None:
    for take_in in ARRIVALS:
        take_in(user, by)


def _made_password() -> str:
    return secrets.token_urlsafe(9)


@transaction.atomic
def update_person(pk: int, *, by: User | None = None, **changes: str | bool) -> User:
    """Changes those of role and switches that are given, and keeps at least one active admin."""
    user = User.objects.select_for_update().get(pk=pk, is_machine=False)
    admins = User.objects.select_for_update().filter(role=Role.ADMIN, is_active=True).exclude(pk=pk)
    steps_down = changes.get("role", Role.ADMIN) != Role.ADMIN or not changes.get("is_active", True)
    if user.is_admin and steps_down and not admins.exists():
        raise LastAdmin(_("This is the last admin. Make somebody else an admin first."))
    _change(user, changes, by)
    return user


def _change(user: User, wanted: Mapping[str, Any], by: User | None) -> None:
    record(
        "person", user.username, {name: (getattr(user, name), value) for name, value in wanted.items()}, by
    )
    was_at_work = _is_at_work(user)
    for name, value in wanted.items():
        setattr(user, name, value)
    user.save(update_fields=list(wanted))
    if _is_at_work(user) and not was_at_work:
        _arrive(user, by)


@transaction.atomic
def make_admin(username: str) -> str | None:
    """Make somebody an admin who can log in; returns the password of a new person, None for one that was there.

    Raises ValidationError for a name that imported labels belong to.
    """
    user = User.objects.select_for_update().filter(username__iexact=username).first()
    if user is None:
        return create_person(username, Role.ADMIN)[1]
    if user.is_machine:
        raise ValidationError(_("Imported labels belong to this name: nobody can log in with it."))
    _change(user, {"role": str(Role.ADMIN), "is_active": True}, None)
    return None


@transaction.atomic
def new_password(pk: int, by: User | None = None) -> tuple[User, str]:
    """A person's new password, to be shown once; all sessions and tokens of that person end with the old one."""
    user = User.objects.select_for_update().get(pk=pk, is_machine=False)
    password = _made_password()
    user.set_password(password)
    user.save(update_fields=["password"])
    user.api_tokens.all().delete()
    record_password(user, by)
    return user, password


@transaction.atomic
def own_password(form: OwnPasswordForm) -> User:
    """A password that somebody has changed for themselves. Their tokens stay: their scripts know none of it."""
    user: User = form.save()
    record_password(user, user)
    return user


@transaction.atomic
def set_excluded(pk: int, excluded: bool, by: User | None = None) -> None:
    """Keeps the labels of a person or of an imported source out of snapshots, or lets them in again."""
    _change(User.objects.select_for_update().get(pk=pk), {"labels_excluded": excluded}, by)


def set_preferences(user: User, **changes: Any) -> None:
    """Merges `changes` into the person's preferences; a value of None forgets the key."""
    with transaction.atomic():
        fresh = User.objects.select_for_update().get(pk=user.pk)
        fresh.preferences = {
            key: value for key, value in {**fresh.preferences, **changes}.items() if value is not None
        }
        fresh.save(update_fields=["preferences"])
    user.preferences = fresh.preferences


def set_keys(user: User, chosen: dict[str, str]) -> None:
    """Remaps the annotator's keys; raises KeyClash when one key would do two things."""
    keys = checked(chosen)
    changed = {action: key for action, key in keys.items() if key != ACTIONS[action].key}
    set_preferences(user, keys=changed or None)


def create_token(user: User, name: str) -> str:
    """A new API token. Only its digest is kept, so the returned text cannot be shown again."""
    token = secrets.token_urlsafe(32)
    ApiToken.objects.create(user=user, name=name, digest=ApiToken.digest_of(token))
    return token


def revoke_token(user: User, pk: int) -> bool:
    return bool(ApiToken.objects.filter(user=user, pk=pk).delete()[0])
