"""Requests that are safe to repeat: a script that got no answer sends the same again, with the same key."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from hashlib import blake2b
from typing import TypeVar
from uuid import UUID

from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models import Model, QuerySet
from django.db.models.functions import Now
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework.exceptions import APIException
from rest_framework.request import Request

from labelsite.annotations.conflicts import KeyReused
from labelsite.api.models import KeyedRequest
from labelsite.api.problems import BadRequest

KEY_HEADER = "Idempotency-Key"
# As long as an upload waits to be imported: whoever still got no answer then looks at what was started.
KEPT_DAYS = 7
KEY = OpenApiParameter(KEY_HEADER, OpenApiTypes.UUID, OpenApiParameter.HEADER)


M = TypeVar("M", bound=Model)


class Gone(APIException):
    """What the first request under a key made was deleted since; making it again would be no repetition."""

    status_code = 410
    default_code = "gone"
    default_detail = "What this key started was deleted since, expected another key to start it again."


def key_of(request: Request) -> UUID | None:
    header = request.headers.get(KEY_HEADER)
    try:
        return UUID(header) if header else None
    except ValueError as error:
        raise BadRequest(f"{KEY_HEADER} is {header!r}, expected a UUID") from error


def started_once(request: Request, start: Callable[[], M], rows: QuerySet[M]) -> M:
    """What `start` makes, or what it made when the same request came with this key before, as one of `rows`.

    What is refused keeps no key. Raises KeyReused for another request under a key that was used, Gone where what it
    made is no longer there.
    """
    key = key_of(request)
    if key is None:
        return rows.get(pk=start().pk)
    digest = _digest_of(request)
    KeyedRequest.objects.filter(created_at__lt=Now() - timedelta(days=KEPT_DAYS)).delete()
    with transaction.atomic():
        # Of two at once the second waits here until the first has come to its end.
        kept, is_new = KeyedRequest.objects.get_or_create(key=key, defaults={"digest": digest})
        if kept.digest != digest:
            raise KeyReused
        if is_new:
            kept.made = start().pk
            kept.save(update_fields=["made"])
    found = rows.filter(pk=kept.made).first()
    if found is None:
        raise Gone
    return found


def _digest_of(request: Request) -> str:
    """Of who asked for what, where; of a file it is what the file holds."""
    asked = json.dumps([request.user.pk, request.path, request.data], sort_keys=True, default=_content_of)
    return blake2b(asked.encode(), digest_size=16).hexdigest()


def _content_of(file: UploadedFile) -> list[str]:
    content = blake2b(digest_size=16)
    for chunk in file.chunks():
        content.update(chunk)
    return [file.name or "", content.hexdigest()]
