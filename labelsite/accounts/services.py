"""Writes to people, their preferences and their tokens."""

from __future__ import annotations

import secrets
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from labelsite.accounts.keymap import ACTIONS, checked
from labelsite.accounts.models import ApiToken, Role, User


class LastAdmin(Exception):
    """The team would be left without an admin who can log in."""


def create_person(username: str, role: str) -> tuple[User, str]:
    """A new person and the password made for them, which is shown once."""
    password = _made_password()
    return User.objects.create_user(username=username, password=password, role=role), password


def _made_password() -> str:
    return secrets.token_urlsafe(9)


@transaction.atomic
def update_person(pk: int, *, role: str, is_paused: bool, labels_excluded: bool, is_active: bool) -> User:
    """Changes role and switches, and keeps at least one active admin."""
    user = User.objects.select_for_update().get(pk=pk, is_machine=False)
    admins = User.objects.select_for_update().filter(role=Role.ADMIN, is_active=True).exclude(pk=pk)
    if user.is_admin and (role != Role.ADMIN or not is_active) and not admins.exists():
        raise LastAdmin(_("This is the last admin. Make somebody else an admin first."))
    user.role, user.is_active = role, is_active
    user.is_paused, user.labels_excluded = is_paused, labels_excluded
    user.save(update_fields=["role", "is_active", "is_paused", "labels_excluded"])
    return user


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
    user.role, user.is_active = Role.ADMIN, True
    user.save(update_fields=["role", "is_active"])
    return None


@transaction.atomic
def new_password(pk: int) -> tuple[User, str]:
    """A person's new password, to be shown once; all sessions of that person end with the old one."""
    user = User.objects.select_for_update().get(pk=pk, is_machine=False)
    password = _made_password()
    user.set_password(password)
    user.save(update_fields=["password"])
    return user, password


def set_excluded(pk: int, excluded: bool) -> None:
    """Keeps the labels of a person or of an imported source out of snapshots, or lets them in again."""
    User.objects.filter(pk=pk).update(labels_excluded=excluded)


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
