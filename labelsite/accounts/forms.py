from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from labelsite.accounts import guessing
from labelsite.accounts.models import Role, User


class NewPersonForm(forms.Form):
    username = forms.CharField(
        label=gettext_lazy("Name to log in with"), max_length=150, validators=[UnicodeUsernameValidator()]
    )
    role = forms.ChoiceField(label=gettext_lazy("Role"), choices=Role.choices)

    def clean_username(self) -> str:
        username: str = self.cleaned_data["username"]
        if User.objects.filter(username__iexact=username).exists():
            raise forms.ValidationError(_("Somebody already has this name."))
        return username


class PersonForm(forms.Form):
    role = forms.ChoiceField(choices=Role.choices)
    is_paused = forms.BooleanField(required=False)
    labels_excluded = forms.BooleanField(required=False)
    is_active = forms.BooleanField(required=False)

    def __init__(self, data: QueryDict, user: User) -> None:
        super().__init__(data, initial={name: getattr(user, name) for name in self.base_fields})
        # While an admin reads the row another one may change it: the row says what it has shown.
        for name, field in self.fields.items():
            field.show_hidden_initial = self.add_initial_prefix(name) in data

    def changes(self) -> dict[str, Any]:
        """What the admin has changed, and nothing of what the row has only shown.

        A field of which the row says nothing was touched, maybe to take back a change that is still on its way.
        """
        return {
            name: value
            for name, value in self.cleaned_data.items()
            if name in self.changed_data or self.add_initial_prefix(name) not in self.data
        }


class TokenForm(forms.Form):
    name = forms.CharField(label=gettext_lazy("What the token is for"), max_length=80)


def errors_of(form: forms.Form) -> str:
    """Every error of a form in one line, for a message."""
    errors: list[Any] = [error for messages in form.errors.values() for error in messages]
    return " ".join(str(error) for error in errors)


class LoginForm(AuthenticationForm):
    """Django's own, with a brake on guessing."""

    # Django's Korean puts two particles into one sentence, and names a field that is called otherwise here.
    error_messages = {
        **AuthenticationForm.error_messages,
        "invalid_login": gettext_lazy("The name or the password is wrong. Capital letters count in both."),
    }

    def clean(self) -> dict[str, Any]:
        assert self.request is not None
        origin = guessing.origin_of(self.request, self.cleaned_data.get("username", ""))
        if minutes := guessing.minutes_to_wait(origin):
            text = ngettext(
                "Too many wrong passwords from here. Try again in %(minutes)s minute.",
                "Too many wrong passwords from here. Try again in %(minutes)s minutes.",
                minutes,
            )
            raise forms.ValidationError(text % {"minutes": minutes})
        try:
            cleaned: dict[str, Any] = super().clean()
        except forms.ValidationError:
            guessing.note_failure(origin)
            raise
        # Without a password nothing was tried.
        if self.get_user() is not None:
            guessing.forget_failures(origin)
        return cleaned


class OwnPasswordForm(PasswordChangeForm):
    """Changes one's own password, as one section of a page: its first field does not take the focus."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["old_password"].widget.attrs.pop("autofocus", None)
