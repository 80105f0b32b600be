"""The pages around the person: log in, start, settings, people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from django.conf import settings as django_settings
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import LoginView
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import check_for_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_POST

from labelsite.accounts import services
from labelsite.accounts.access import HtmxHttpRequest, admin_required, person
from labelsite.accounts.form_answers import answers_a_form_of
from labelsite.accounts.forms import (
    LoginForm,
    NewPersonForm,
    OwnPasswordForm,
    PersonForm,
    TokenForm,
    errors_of,
)
from labelsite.accounts.home import next_things
from labelsite.accounts.keymap import ACTIONS, KeyClash, keys_of
from labelsite.accounts.models import Change, Role, User

CHANGES_ON_A_PAGE = 100


class Login(LoginView):
    """Logs in and brings the person's language along to this device."""

    template_name = "accounts/login.html"
    authentication_form = LoginForm
    redirect_authenticated_user = True

    def form_valid(self, form: object) -> HttpResponse:
        response = super().form_valid(form)  # type: ignore[arg-type]
        user = cast(User, self.request.user)
        if language := user.preferences.get("language"):
            _keep(response, django_settings.LANGUAGE_COOKIE_NAME, language)
        return response


def _keep(response: HttpResponse, name: str, value: str) -> None:
    response.set_cookie(name, value, max_age=31536000, samesite="Lax", secure=django_settings.HTTPS)


def _back(request: HttpRequest) -> HttpResponse:
    """Back to the page that the form stood on, as long as it is one of ours."""
    target = request.POST.get("next", "")
    if url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure()):
        return redirect(target)
    return redirect("accounts:home")


@login_required
def home(request: HttpRequest) -> HttpResponse:
    """What to do next, for this person."""
    return render(request, "accounts/home.html", {"things": next_things(person(request))})


@require_POST
def language(request: HttpRequest) -> HttpResponse:
    response = _back(request)
    code = request.POST.get("language", "")
    if code in dict(django_settings.LANGUAGES) and check_for_language(code):
        _keep(response, django_settings.LANGUAGE_COOKIE_NAME, code)
        if request.user.is_authenticated:
            services.set_preferences(person(request), language=code)
    return response


@require_POST
def theme(request: HttpRequest) -> HttpResponse:
    """Keeps the theme; without JavaScript, "toggle" turns from the one last kept."""
    user = person(request) if request.user.is_authenticated else None
    kept = user.preferences.get("theme") if user else request.COOKIES.get("theme")
    wanted = request.POST.get("theme")
    if wanted == "toggle":
        wanted = "light" if kept == "dark" else "dark"
    response = _back(request)
    if wanted in ("light", "dark"):
        _keep(response, "theme", wanted)
        if user:
            services.set_preferences(user, theme=wanted)
    elif wanted == "system":
        response.delete_cookie("theme")
        if user:
            services.set_preferences(user, theme=None)
    return response


@never_cache
@login_required
def settings(request: HttpRequest) -> HttpResponse:
    return _settings_page(request)


@sensitive_variables("token")
def _settings_page(
    request: HttpRequest,
    *,
    token: str = "",
    password_form: OwnPasswordForm | None = None,
    token_form: TokenForm | None = None,
    sent_keys: Mapping[str, str] | None = None,
    key_clash: str = "",
    status: int = 200,
) -> HttpResponse:
    user = person(request)
    keys = keys_of(user)
    # A refused key map comes back as it was sent: only the key that does not fit is chosen anew.
    keys |= {name: key for name, key in (sent_keys or {}).items() if key}
    context = {
        "actions": [
            {
                "name": name,
                "label": action.label,
                "key": keys[name],
                "also": action.also,
            }
            for name, action in ACTIONS.items()
        ],
        "key_clash": key_clash,
        "tokens": user.api_tokens.order_by("-created_at"),
        "token": token,
        "token_form": token_form or TokenForm(),
        "password_form": password_form or OwnPasswordForm(user),
        "languages": django_settings.LANGUAGES,
    }
    return render(request, "accounts/settings.html", context, status=status)


@answers_a_form_of("accounts:settings")
@login_required
def keys(request: HttpRequest) -> HttpResponse:
    """Remaps the annotator's keys, or sets them back."""
    chosen = (
        {} if "reset" in request.POST else {name: request.POST.get(f"key_{name}", "") for name in ACTIONS}
    )
    try:
        services.set_keys(person(request), chosen)
    except KeyClash as clash:
        return _settings_page(request, sent_keys=chosen, key_clash=str(clash), status=422)
    messages.success(request, _("Your keys are saved."))
    return redirect("accounts:settings")


@answers_a_form_of("accounts:settings")
@login_required
def password(request: HttpRequest) -> HttpResponse:
    form = OwnPasswordForm(person(request), request.POST)
    if not form.is_valid():
        return _settings_page(request, password_form=form, status=422)
    update_session_auth_hash(request, services.own_password(form))
    messages.success(request, _("Your password is changed."))
    return redirect("accounts:settings")


@never_cache
@answers_a_form_of("accounts:settings")
@login_required
def create_token(request: HttpRequest) -> HttpResponse:
    """Makes a token and shows it on this one response; no later page can show it again."""
    form = TokenForm(request.POST)
    if not form.is_valid():
        return _settings_page(request, token_form=form, status=422)
    return _settings_page(request, token=services.create_token(person(request), form.cleaned_data["name"]))


@require_POST
@login_required
def revoke_token(request: HttpRequest, pk: int) -> HttpResponse:
    if services.revoke_token(person(request), pk):
        messages.success(request, _("The token no longer works."))
    return redirect("accounts:settings")


@never_cache
@admin_required
def people(request: HttpRequest) -> HttpResponse:
    """Everyone, and the form that makes somebody; a new password is shown on that one response."""
    form = NewPersonForm(request.POST or None)
    made: tuple[User, str] | None = None
    if request.method == "POST" and form.is_valid():
        made = services.create_person(
            form.cleaned_data["username"], form.cleaned_data["role"], person(request)
        )
        form = NewPersonForm()
    return _people_page(request, form, made=made)


@admin_required
def changes(request: HttpRequest) -> HttpResponse:
    """The record of who changed roles, switches, passwords, members, gold and settings of campaigns, and who
    took solutions out of them.
    """
    recorded = Change.objects.select_related("by").order_by("-pk")
    page = Paginator(recorded, CHANGES_ON_A_PAGE).get_page(request.GET.get("page"))
    return render(request, "accounts/changes.html", {"page": page})


@never_cache
@answers_a_form_of("accounts:people")
@admin_required
def new_password(request: HttpRequest, pk: int) -> HttpResponse:
    """For somebody who forgot theirs; shown on this one response."""
    get_object_or_404(User, pk=pk, is_machine=False)
    return _people_page(request, NewPersonForm(), renewed=services.new_password(pk, person(request)))


def _people_page(
    request: HttpRequest,
    form: NewPersonForm,
    made: tuple[User, str] | None = None,
    renewed: tuple[User, str] | None = None,
) -> HttpResponse:
    users = User.objects.order_by("is_machine", "-is_active", "username")
    roles = form.fields["role"].choices  # type: ignore[attr-defined]
    context = {"form": form, "made": made, "renewed": renewed, "users": users, "roles": roles}
    return render(request, "accounts/people.html", context, status=422 if form.is_bound else 200)


@require_POST
@admin_required
def update_person(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    """Saves one row of the page, which sends it at each change and gets the row as it stands then."""
    user = get_object_or_404(User, pk=pk)
    refusal = _refused(user, request)
    if request.htmx:
        context = {
            "item": User.objects.get(pk=pk), "said_of": pk, "refusal": refusal, "roles": Role.choices,
        }  # fmt: skip
        return render(request, "accounts/person_row.html", context)
    if refusal:
        messages.error(request, refusal)
    else:
        messages.success(request, _("%(name)s is saved.") % {"name": user.username})
    return redirect("accounts:people")


def _refused(user: User, request: HttpRequest) -> str:
    """Changes the person as the request says; why not, where that may not be."""
    if user.is_machine:
        services.set_excluded(user.pk, "labels_excluded" in request.POST, person(request))
        return ""
    form = PersonForm(request.POST, user)
    if not form.is_valid():
        return errors_of(form)
    try:
        services.update_person(user.pk, **form.changes(), by=person(request))
    except services.LastAdmin as error:
        return str(error)
    return ""
