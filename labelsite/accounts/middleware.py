"""What stands around every view: who is asking, and what a browser may load."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.functional import SimpleLazyObject

from labelsite.accounts.models import User
from labelsite.accounts.sessions import person_read_along


class PersonMiddleware(AuthenticationMiddleware):
    """As Django's, but without another query where the session brought the person along."""

    def process_request(self, request: HttpRequest) -> None:
        super().process_request(request)
        request.user = cast(User, SimpleLazyObject(lambda: _person(request)))


def _person(request: HttpRequest) -> User | AnonymousUser:
    return person_read_along(request) or get_user(request)


class ContentSecurityPolicyMiddleware:
    """One policy for every page that sets no stricter one: nothing inline, and nothing from elsewhere."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        directives = settings.CONTENT_SECURITY_POLICY.items()
        self.policy = "; ".join(f"{name} {source}" for name, source in directives)

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", self.policy)
        return response
