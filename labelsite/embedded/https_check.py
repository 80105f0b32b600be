"""Whether the proxy in front tells the site that a request came by HTTPS; without that, HTTPS=1 redirects for ever."""

from __future__ import annotations

import http.client
from urllib.parse import urljoin, urlsplit

from django.conf import settings

PAGE = "/login/"
SECONDS = 10
HEADERS = "pass on Host and X-Forwarded-Proto at the proxy (docs/deploying.md has an nginx example)"
OTHER_HOST = "where people come by that one, name it first in TRUSTED_ORIGINS (or ALLOWED_HOSTS)"


def public_address() -> str | None:
    """Where people reach the site: a trusted origin, or else the first name that is not this machine's own."""
    for origin in settings.CSRF_TRUSTED_ORIGINS:
        if origin.startswith("https://") and "*" not in origin:
            return str(origin)
    for host in settings.ALLOWED_HOSTS:
        if host not in ("localhost", "127.0.0.1", "[::1]") and not host.startswith(("*", ".")):
            return f"https://{host}"
    return None


def asked(address: str) -> tuple[bool | None, str, str]:
    """Whether the page is served at the address (None where that cannot be known from here), what was found, and what
    would mend it."""
    parts = urlsplit(address)
    page = http.client.HTTPSConnection(parts.hostname or "", parts.port, timeout=SECONDS)
    try:
        page.request("GET", PAGE)
        answer = page.getresponse()
        location = answer.headers.get("Location", "")
        target = urlsplit(urljoin(address + PAGE, location))
    # ValueError: a Location that is no address.
    except (OSError, http.client.HTTPException, ValueError) as problem:
        return None, f"{address} cannot be asked from here: {problem}", "ask again from where people come"
    finally:
        page.close()
    if answer.status in (301, 302, 307, 308) and location:
        # The port does not count: the site does not know it where the proxy passes on a Host without one.
        if target.hostname != parts.hostname:
            return None, f"{address}{PAGE} redirects to another host: {target.geturl()}", OTHER_HOST
        if target.scheme == "https" and target.path == PAGE:
            missing = "the proxy does not set X-Forwarded-Proto: https"
            return False, f"{address}{PAGE} redirects to itself for ever: {missing}", HEADERS
    if answer.status >= 400:
        return False, f"{address}{PAGE} answers {answer.status} {answer.reason}", HEADERS
    return True, f"{address}{PAGE} answers {answer.status}", ""
