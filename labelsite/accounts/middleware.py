"""Who is asking: as Django's middleware, but without another query where the session brought the person along."""

from __future__ import annotations

from typing import cast

from django.contrib.auth import get_user
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from labelsite.accounts.models import User
from labelsite.accounts.sessions import person_read_along


class PersonMiddleware(AuthenticationMiddleware):
    def process_request(self, request: HttpRequest) -> None:
        super().process_request(request)
        request.user = cast(User, SimpleLazyObject(lambda: _person(request)))


def _person(request: HttpRequest) -> User | AnonymousUser:
    return person_read_along(request) or get_user(request)
