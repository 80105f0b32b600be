"""People, their roles, and the tokens of their scripts."""

from __future__ import annotations

import hashlib
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser, UserManager
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models, transaction
from django.utils.translation import gettext_lazy as _


class Role(models.TextChoices):
    ANNOTATOR = "annotator", _("annotator")
    REVIEWER = "reviewer", _("reviewer")
    ADMIN = "admin", _("admin")


class People(UserManager["User"]):
    def who_can_log_in(self) -> models.QuerySet[User]:
        """People, not machines, and only those that no admin has locked out."""
        return self.filter(is_machine=False, is_active=True)

    def create_superuser(
        self, username: str, email: str | None = None, password: str | None = None, **fields: Any
    ) -> User:
        """Django's own superusers are admins here: nothing else would let them do anything."""
        with transaction.atomic(using=self.db):
            user = super().create_superuser(username, email, password, **{"role": Role.ADMIN, **fields})
            Change.objects.create(kind="person", name=user.username, field="role", new=str(user.role))
        return user


class User(AbstractUser):
    """A person, or (`is_machine`) the labeler that imported labels belong to, which cannot log in."""

    role = models.CharField(max_length=16, choices=Role.choices, default=Role.ANNOTATOR)
    is_machine = models.BooleanField(default=False)
    # The two halves of one switch: no new tasks and no scripts, and no labels in snapshots.
    is_paused = models.BooleanField(default=False)
    labels_excluded = models.BooleanField(default=False)
    # Remapped keys, theme and language, written by the annotator's own settings page.
    preferences = models.JSONField(default=dict, blank=True)

    objects: ClassVar[People] = People()

    @property
    def is_reviewer(self) -> bool:
        """Reviewers and admins see everyone's labels."""
        return self.role in (Role.REVIEWER, Role.ADMIN)

    @property
    def is_admin(self) -> bool:
        return self.role == Role.ADMIN


class FailedLogins(models.Model):
    """Wrong passwords for one name from one address, of which only a digest is kept."""

    digest = models.CharField(max_length=64, primary_key=True)
    count = models.PositiveIntegerField()
    last_at = models.DateTimeField(db_index=True)


class ApiToken(models.Model):
    """A script's key. Only its digest is kept; the token itself is shown once."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=80)
    digest = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    @staticmethod
    def digest_of(token: str) -> str:
        return hashlib.sha256(token.encode()).hexdigest()


class Change(models.Model):
    """One line of the record of changes, which the database lets nobody change or delete."""

    at = models.DateTimeField(auto_now_add=True)
    # None: a command on the server, or a job.
    by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    # "person", "campaign", "member", "task" or "import" (of a campaign), and its name at that time.
    kind = models.CharField(max_length=20)
    name = models.CharField(max_length=200)
    field = models.CharField(max_length=60)
    old = models.JSONField(null=True, encoder=DjangoJSONEncoder)
    new = models.JSONField(null=True, encoder=DjangoJSONEncoder)
