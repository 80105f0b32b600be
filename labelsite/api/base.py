"""What every endpoint shares: problems for errors, pages by cursor, roles, the person behind the token."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, cast

from django.http import Http404
from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import ParseError
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.pagination import CursorPagination
from rest_framework.parsers import BaseParser, JSONParser
from rest_framework.permissions import SAFE_METHODS, BasePermission, IsAuthenticated
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.serializers import BaseSerializer
from rest_framework.views import APIView

from labelsite.accounts.models import User
from labelsite.api import problems
from labelsite.api.known_fields import complaint
from labelsite.storable import may_be_stored

# What the address of a list may say besides.
PAGING = ("cursor", "page_size")


class IsReviewer(BasePermission):
    """Reviewers and admins: whoever may see everyone's labels."""

    message = _("Only reviewers and admins may do this.")

    def has_permission(self, request: Request, view: APIView) -> bool:
        return bool(request.user.is_authenticated and request.user.is_reviewer)


class IsAdmin(BasePermission):
    message = _("Only admins may do this.")

    def has_permission(self, request: Request, view: APIView) -> bool:
        return bool(request.user.is_authenticated and request.user.is_admin)


class AdminWrites(BasePermission):
    """Everyone who may look may look; only admins change anything."""

    message = IsAdmin.message

    def has_permission(self, request: Request, view: APIView) -> bool:
        return request.method in SAFE_METHODS or bool(request.user.is_authenticated and request.user.is_admin)


class JsonBody(JSONParser):
    """Also refuses what is nested deeper than anybody can read."""

    def parse(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().parse(*args, **kwargs)
        except RecursionError as error:
            raise ParseError("JSON parse error - nested too deeply") from error


class OneShape(DefaultContentNegotiation):
    """Answers in the one shape that there is, whatever was asked for.

    Downloads and problems are of other media types than the renderer's, which would refuse whoever asks for these.
    """

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        only = next(iter(renderers))
        return only, only.media_type


class Endpoint(APIView):
    """A view whose refusals are problems. `needs` are permissions on top of being logged in.

    asks: what its address may say behind the "?", each with the values that it may have where these are few.
    """

    asks: Mapping[str, Sequence[str]] = {}
    needs: Sequence[type[BasePermission]] = ()
    parser_classes: Sequence[type[BaseParser]] = (JsonBody,)
    renderer_classes = (JSONRenderer,)
    content_negotiation_class = OneShape

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if not may_be_stored(kwargs.values()):
            raise Http404
        self._refuse_unknown(request.query_params)

    def _refuse_unknown(self, said: Mapping[str, str]) -> None:
        """A pull whose `after` is misspelt would begin anew, and nobody would hear of it."""
        known = {**self.asks, **dict.fromkeys(PAGING if hasattr(self, "pagination_class") else (), ())}
        for name, value in said.items():
            if name not in known:
                raise problems.BadRequest(f"{name}={value!r}, {complaint(name, known)}")
            if known[name] and value not in known[name]:
                raise problems.BadRequest(f"{name}={value!r}, expected one of {', '.join(known[name])}")

    def get_permissions(self) -> list[Any]:
        needed: tuple[type[BasePermission], ...] = (IsAuthenticated, *self.needs)
        return [permission() for permission in needed]

    def get_exception_handler(self) -> Callable[[Exception, dict[str, Any]], Any]:
        return problems.handle

    def body_as(self, shape: type[BaseSerializer[Any]], instance: Any = None, **options: Any) -> Any:
        """What the request's body says in this shape; raises ValidationError, a 400, where it has another."""
        wanted = shape(instance, data=self.request.data, **options)
        wanted.is_valid(raise_exception=True)
        return wanted.validated_data

    @functools.cached_property
    def person(self) -> User:
        return cast(User, self.request.user)


class NewestFirst(CursorPagination):
    """Pages by id, so that page 1,000 costs what page 1 does."""

    ordering = "-id"
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 500
