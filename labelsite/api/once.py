"""Requests that are safe to repeat: a script that got no answer sends the same again, with the same key."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import blake2b
from uuid import UUID

from django.db import transaction
from django.db.models import Model
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request

from labelsite.annotations.conflicts import KeyReused
from labelsite.api.models import KeyedRequest
from labelsite.api.problems import BadRequest

KEY_HEADER = "Idempotency-Key"
KEY = OpenApiParameter(KEY_HEADER, OpenApiTypes.UUID, OpenApiParameter.HEADER)


def key_of(request: Request) -> UUID | None:
    header = request.headers.get(KEY_HEADER)
    try:
        return UUID(header) if header else None
    except ValueError as error:
        raise BadRequest(f"{KEY_HEADER} is {header!r}, expected a UUID") from error


def started_once(request: Request, start: Callable[[], Model]) -> int:
    """The id of what `start` makes, or of what it made when the same request came with this key before.

    What is refused keeps no key. Raises KeyReused for another request under a key that was used.
    """
    key = key_of(request)
    if key is None:
        return int(start().pk)
    asked = json.dumps([request.user.pk, request.path, request.data], sort_keys=True)
    digest = blake2b(asked.encode(), digest_size=16).hexdigest()
    with transaction.atomic():
        # Of two at once the second waits here until the first has come to its end.
        kept, is_new = KeyedRequest.objects.get_or_create(key=key, defaults={"digest": digest})
        if kept.digest != digest:
            raise KeyReused
        if is_new:
            kept.made = start().pk
            kept.save(update_fields=["made"])
    return int(kept.made or 0)
