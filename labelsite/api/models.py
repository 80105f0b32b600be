"""Which requests came with a key, and what they started."""

from __future__ import annotations

from django.db import models


class KeyedRequest(models.Model):
    """A request that starts something, sent with an idempotency key, and the id of the row that it made."""

    key = models.UUIDField(primary_key=True)
    # Of who asked for what, where: tells a repeated request from another one under its key.
    digest = models.CharField(max_length=32)
    made = models.BigIntegerField(null=True)
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)
