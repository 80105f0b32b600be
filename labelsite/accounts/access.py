"""Who may open a page: role checks that every app's views share."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, cast

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase

from labelsite.accounts.models import User

Rest = ParamSpec("Rest")
View = Callable[Concatenate[HttpRequest, Rest], HttpResponseBase]


def person(request: HttpRequest) -> User:
    """The logged-in person, typed; anonymous requests never get past the decorators below."""
    return cast(User, request.user)


def _required(may: Callable[[User], bool], view: View[Rest]) -> View[Rest]:
    @login_required
    @wraps(view)
    def guarded(request: HttpRequest, *args: Rest.args, **kwargs: Rest.kwargs) -> HttpResponseBase:
        if not may(person(request)):
            raise PermissionDenied
        return view(request, *args, **kwargs)

    return cast("View[Rest]", guarded)


def reviewer_required(view: View[Rest]) -> View[Rest]:
    """Reviewers and admins only; others get 403, anonymous people the login page."""
    return _required(lambda user: user.is_reviewer, view)


def admin_required(view: View[Rest]) -> View[Rest]:
    """Admins only; others get 403, anonymous people the login page."""
    return _required(lambda user: user.is_admin, view)
