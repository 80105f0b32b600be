"""Token authentication for scripts: `Authorization: Token ...`, only digests in the database."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from labelsite.accounts.models import ApiToken, User


class TokenAuthentication(BaseAuthentication):
    """Finds the person behind `Authorization: Token <token>`; a paused or inactive person is refused."""

    def authenticate(self, request: Request) -> tuple[User, Any] | None:
        parts = get_authorization_header(request).decode(errors="replace").split()
        if len(parts) != 2 or parts[0].lower() != "token":
            return None
        token = ApiToken.objects.select_related("user").filter(digest=ApiToken.digest_of(parts[1])).first()
        if token is None or not token.user.is_active:
            raise AuthenticationFailed(_("This token is not known."))
        if token.user.is_paused:
            raise AuthenticationFailed(_("You are paused, and so are your scripts. Ask an admin."))
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=timezone.now())
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return "Token"
