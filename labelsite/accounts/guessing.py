"""A brake on guessing passwords: after some wrong ones for a name from one address, none is looked at for a while.

Only from that address, so that nobody shuts a colleague out from elsewhere, as far as the site sees addresses: behind
a proxy with HTTPS=0, or on a unix socket, all people have the same one, and whoever guesses holds up that name for
everybody. Tries that are refused do not count, so that it ends by itself.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta

from django.conf import settings
from django.db import connection
from django.http import HttpRequest
from django.utils import timezone

from labelsite.accounts.models import FailedLogins

MOST_FAILURES = 10
WAIT = timedelta(minutes=15)

# One statement, so that tries at the same moment all count. What is older than the wait is forgotten.
_COUNT = """
INSERT INTO accounts_failedlogins AS known (digest, count, last_at) VALUES (%(digest)s, 1, %(now)s)
ON CONFLICT (digest) DO UPDATE SET last_at = %(now)s,
    count = CASE WHEN known.last_at < %(forgotten)s THEN 1 ELSE known.count + 1 END
"""


def origin_of(request: HttpRequest, username: str) -> str:
    """The name under which tries for one person from one address are counted."""
    return hashlib.sha256(f"{username.casefold()}\n{_address(request)}".encode()).hexdigest()


def _address(request: HttpRequest) -> str:
    """Behind a proxy the address that it has seen, which it adds last; what stands before, anybody may have written.

    Only as true as the proxy: where it adds none, or people reach the site past it, a guesser writes all of the header.
    """
    seen = request.META.get("HTTP_X_FORWARDED_FOR", "").rpartition(",")[2].strip() if settings.HTTPS else ""
    return seen or request.META.get("REMOTE_ADDR", "")


def minutes_to_wait(origin: str) -> int:
    """For how long no further try is looked at; 0 where one is."""
    since = timezone.now() - WAIT
    known = FailedLogins.objects.filter(digest=origin, count__gte=MOST_FAILURES, last_at__gt=since).first()
    return 0 if known is None else int((known.last_at - since).total_seconds() // 60) + 1


def note_failure(origin: str) -> None:
    now = timezone.now()
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, {"digest": origin, "now": now, "forgotten": now - WAIT})
    FailedLogins.objects.filter(last_at__lt=now - 2 * WAIT).delete()


def forget_failures(origin: str) -> None:
    FailedLogins.objects.filter(digest=origin).delete()
