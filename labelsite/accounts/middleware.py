"""What stands around every view: who is asking, and what a browser may load."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import resolve_url
from django.utils.cache import patch_vary_headers
from django.utils.functional import SimpleLazyObject
from django.utils.http import url_has_allowed_host_and_scheme

from labelsite.accounts.access import HtmxHttpRequest
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


class PartOrPageMiddleware:
    """Tells the browser that an address may answer a page's own script with a part of the page.

    It would otherwise keep the part under that address, and show it alone to whoever comes back to the page.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        patch_vary_headers(response, ["HX-Request"])
        return response


class LoggedOutMiddleware:
    """What becomes of a page whose reader was logged out meanwhile, in another tab or by time.

    The login page is no part of a page, so one that fetches a part of itself is told 401, and says so (app.js). And
    whoever pressed a button comes back to the page with that button: its own address takes no visits.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HtmxHttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        login = f"{resolve_url(settings.LOGIN_URL)}?"
        if not isinstance(response, HttpResponseRedirect) or not response.url.startswith(login):
            return response
        if request.htmx:
            return HttpResponse(status=401)
        return redirect_to_login(_page_left(request)) if request.method == "POST" else response


def _page_left(request: HttpRequest) -> str:
    """The path of the page of ours that sent this; the start where the browser does not say."""
    page = request.headers.get("Referer", "")
    if not url_has_allowed_host_and_scheme(page, {request.get_host()}):
        return resolve_url(settings.LOGIN_REDIRECT_URL)
    return urlsplit(page)._replace(scheme="", netloc="", fragment="").geturl()
