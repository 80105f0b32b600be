"""JSON in, JSON out: what the annotation page's small requests share."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from labelsite.annotations.judgement import Unlawful
from labelsite.annotations.refusals import refusal_of
from labelsite.storable import may_be_stored

Rest = ParamSpec("Rest")
Body = dict[str, Any]
JsonView = Callable[Concatenate[HttpRequest, Body, Rest], dict[str, Any]]


def answer(data: dict[str, Any], status: int = 200) -> JsonResponse:
    """What is said of a task is true only now."""
    return JsonResponse(data, status=status, headers={"Cache-Control": "no-store"})


def problem(status: int, code: str, message: str, **more: Any) -> JsonResponse:
    return answer({"code": code, "message": message, **more}, status)


def json_post(view: JsonView[Rest]) -> Callable[Concatenate[HttpRequest, Rest], HttpResponse]:
    """A POST whose body is one JSON object; every refusal of the services becomes a status and a code.

    Anonymous callers get 401 as JSON, because a script cannot follow a redirect to a login page.
    """

    @require_POST
    @wraps(view)
    def handle(request: HttpRequest, *args: Rest.args, **kwargs: Rest.kwargs) -> HttpResponse:
        if not request.user.is_authenticated:
            return problem(
                401, "logged_out", _("You are logged out. Log in again in another tab; nothing is lost.")
            )
        if not may_be_stored(kwargs.values()):
            return problem(404, "not_found", _("There is no such task of yours."))
        try:
            body = json.loads(request.body or b"{}")
            if not isinstance(body, dict):
                raise ValueError("not an object")
        except (ValueError, RecursionError):
            return problem(400, "malformed", _("The request was no JSON object."))
        try:
            return answer(view(request, body, *args, **kwargs))
        except Http404:
            # Of a page that is none a script could tell only the number.
            text = _(
                "This is not open to you any more: its campaign may have been archived, or your membership ended."
            )
            return problem(404, "not_found", text)
        except Exception as error:
            if (refusal := refusal_of(error)) is None:
                raise
            return problem(refusal.status, refusal.code, refusal.text, **refusal.more)

    return handle


def uuid_in(body: Body, name: str) -> str:
    """A UUID field of the body; raises Unlawful when it is none."""
    try:
        return str(UUID(str(body.get(name))))
    except ValueError as error:
        raise Unlawful("malformed", _("“%(name)s” must be a UUID.") % {"name": name}) from error


def whole_in(body: Body, name: str) -> int:
    value = body.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**31:
        raise Unlawful("malformed", _("“%(name)s” must be a whole number.") % {"name": name})
    return value
