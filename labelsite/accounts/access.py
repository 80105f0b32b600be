"""Who may open a page: role checks that every app's views share."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, cast

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django_htmx.middleware import HtmxDetails

from labelsite.accounts.models import User

Rest = ParamSpec("Rest")
View = Callable[Concatenate[HttpRequest, Rest], HttpResponseBase]


class HtmxHttpRequest(HttpRequest):
    """A request as django-htmx's middleware leaves it: every one of this site."""

    htmx: HtmxDetails


# A view that asks whether a fragment is wanted of it, or one that does not.
HtmxView = Callable[Concatenate[HtmxHttpRequest, Rest], HttpResponseBase]


def person(request: HttpRequest) -> User:
    """The logged-in person, typed; anonymous requests never get past the decorators below."""
    return cast(User, request.user)


def _required(may: Callable[[User], bool], view: HtmxView[Rest]) -> View[Rest]:
    @login_required
    @wraps(view)
    def guarded(request: HtmxHttpRequest, *args: Rest.args, **kwargs: Rest.kwargs) -> HttpResponseBase:
        if not may(person(request)):
            raise PermissionDenied
        return view(request, *args, **kwargs)

    return cast("View[Rest]", guarded)


def reviewer_required(view: HtmxView[Rest]) -> View[Rest]:
    """Reviewers and admins only; others get 403, anonymous people the login page."""
    return _required(lambda user: user.is_reviewer, view)


def admin_required(view: HtmxView[Rest]) -> View[Rest]:
    """Admins only; others get 403, anonymous people the login page."""
    return _required(lambda user: user.is_admin, view)
