"""Errors as `application/problem+json` (RFC 9457): what happened, in words and with a code for programs."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from django.views import defaults
from rest_framework import exceptions, status
from rest_framework.response import Response

from labelsite.annotations.refusals import refusal_of
from labelsite.campaigns.removal import TaskKept
from labelsite.snapshots.verifying import Damaged
from labelsite.wording import translated
from ml.errors import MisstepError

CONTENT_TYPE = "application/problem+json"


class BadRequest(exceptions.APIException):
    """Something in the request is not what the documentation says."""

    status_code = status.HTTP_400_BAD_REQUEST
    default_code = "malformed"


def handle(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception handler: a problem for every refusal; None (a 500) for what nobody foresaw."""
    refusal = _of_the_services(error) or _of_the_framework(error, context)
    if refusal is None:
        return None
    response = Response(refusal, status=refusal["status"], content_type=CONTENT_TYPE)
    if header := getattr(error, "auth_header", None):
        response["WWW-Authenticate"] = header
    if wait := getattr(error, "wait", None):
        response["Retry-After"] = str(int(wait))
    return response


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """The site's answer to addresses that nothing has: a problem below /api/, and a page everywhere else."""
    if not request.path.startswith("/api/"):
        return defaults.page_not_found(request, exception)
    body = problem(404, "not_found", _("There is no such thing, or it is not yours to see."))
    return JsonResponse(body, status=404, content_type=CONTENT_TYPE)


def problem(status_code: int, code: str, detail: str, **more: Any) -> dict[str, Any]:
    return {"type": "about:blank", "status": status_code, "code": code, "detail": detail, **more}


def _of_the_services(error: Exception) -> dict[str, Any] | None:
    if refusal := refusal_of(error):
        return problem(refusal.status, refusal.code, refusal.text, **refusal.more)
    if isinstance(error, Damaged):
        return problem(500, "damaged", str(error))
    if isinstance(error, TaskKept):
        return problem(409, "task_kept", str(error), reason=error.reason.value)
    return problem(422, "refused", translated(error.as_said)) if isinstance(error, MisstepError) else None


def _of_the_framework(error: Exception, context: dict[str, Any]) -> dict[str, Any] | None:
    match error:
        case exceptions.ValidationError():
            text = _("Some fields are missing or wrong.")
            return problem(400, "invalid", text, errors=error.detail)
        case exceptions.NotAuthenticated():
            text = _(
                "Log in, or send the header Authorization: Token ... with a token from your settings page."
            )
            return problem(401, "not_authenticated", text)
        case exceptions.UnsupportedMediaType():
            taken = ", ".join(parser.media_type for parser in context["view"].parser_classes)
            text = _("%(found)s Expected %(taken)s.") % {"found": error.detail, "taken": taken}
            return problem(415, "unsupported_media_type", text)
        case exceptions.APIException():
            code = error.get_codes()
            return problem(error.status_code, code if isinstance(code, str) else "error", str(error.detail))
        case Http404():
            return problem(404, "not_found", _("There is no such thing, or it is not yours to see."))
        case PermissionDenied():
            return problem(403, "permission_denied", _("Your role does not allow this."))
    return None
