"""Sessions in the database, read together with their person: one statement instead of two at every request.

Whether somebody is logged in is still asked of the database every time, so a logout, a new password or a closed
account ends all sessions at once, in every process.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends import db
from django.db import DEFAULT_DB_ALIAS, InterfaceError, OperationalError, connections
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from labelsite.accounts.models import User
from labelsite.statements import Columns, Row, Statement

# Times are slow to read, and no page asks when its reader came.
_PERSON = Columns(User, "person", without=["last_login", "date_joined"])
_READ = Statement(
    f"SELECT session.session_data, {_PERSON.sql} FROM django_session AS session"
    " LEFT JOIN accounts_user AS person ON person.id = %(likely)s"
    " WHERE session.session_key = %(key)s AND session.expire_date > %(now)s"
)
_MOST_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a process remembers of a session: whose it was, a guess at the person to read along; and its signed text,
    which need not be verified again while the database holds the same."""

    person: int
    text: str
    data: dict[str, Any]


_seen: dict[str, _Seen] = {}


class SessionStore(db.SessionStore):
    """Django's own store; only reading differs."""

    # The person whose row was read in the same moment as the session, if the guess was right.
    read_along: User | None = None

    def load(self) -> dict[str, Any]:
        key = self.session_key or ""
        before = _seen.get(key)
        row = _read(key, before.person if before else 0)
        if row is None:
            _seen.pop(key, None)
            self._session_key = None
            return {}
        if row[1] is not None:
            self.read_along = _PERSON.object(row[1:])
        if before is not None and before.text == row[0]:
            return deepcopy(before.data)
        data: dict[str, Any] = self.decode(row[0])
        if SESSION_KEY in data:
            _remember(key, _Seen(int(data[SESSION_KEY]), row[0], deepcopy(data)))
        return data


def _read(key: str, likely: int) -> Row | None:
    """Reads once more where the kept connection turns out to be one of a server that was restarted meanwhile."""
    database: Any = connections[DEFAULT_DB_ALIAS]
    try:
        row = _READ.row(key=key, likely=likely, now=timezone.now())
    except (OperationalError, InterfaceError):
        if database.in_atomic_block or database.is_usable():
            raise
        database.close()
        row = _READ.row(key=key, likely=likely, now=timezone.now())
    # It answers, so nobody needs to ask it for its health in this request.
    database.health_check_done = True
    return row


def _remember(key: str, seen: _Seen) -> None:
    if len(_seen) >= _MOST_REMEMBERED:
        _seen.clear()
    _seen[key] = seen


def person_read_along(request: HttpRequest) -> User | None:
    """The session's person, if Django would say the same; None where Django must look itself."""
    session: Any = request.session
    owner, person = session.get(SESSION_KEY), session.read_along
    if person is None or owner != str(person.pk) or not person.is_active:
        return None
    if session.get(BACKEND_SESSION_KEY) not in settings.AUTHENTICATION_BACKENDS:
        return None
    if not constant_time_compare(session.get(HASH_SESSION_KEY, ""), person.get_session_auth_hash()):
        return None
    return person
