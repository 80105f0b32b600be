"""Addresses at which a form is answered with a page."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

Rest = ParamSpec("Rest")
View = Callable[Concatenate[HttpRequest, Rest], HttpResponseBase]


def answers_a_form_of(page: str, *of: str) -> Callable[[View[Rest]], View[Rest]]:
    """For what only a form sends to: whoever comes back to the answer's address gets the page with the form.

    They do by a change of language or theme there, by the address bar, or with a tab that is restored. The page is of
    the same thing as the answer in the arguments `of`.
    """

    def decorate(view: View[Rest]) -> View[Rest]:
        posted = require_POST(view)

        @wraps(posted)
        def answered(request: HttpRequest, *args: Rest.args, **kwargs: Rest.kwargs) -> HttpResponseBase:
            if request.method != "GET":
                return posted(request, *args, **kwargs)
            named: dict[str, Any] = {name: kwargs[name] for name in of}
            return redirect(page, **named)

        return answered

    return decorate
