"""A database that was restarted while the site's threads kept their connections."""

from __future__ import annotations

import threading

import pytest
from django.db import connection

from labelsite import settings as site
from tests.factories import make_token, make_user

pytestmark = pytest.mark.django_db(transaction=True)


def end_the_servers_side() -> None:
    """As a restart does, while nobody waits for an answer; and a new request begins."""
    connection.ensure_connection()
    number = connection.connection.info.backend_pid
    connection.health_check_enabled, connection.health_check_done = True, False

    def end() -> None:
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [number])
                assert cursor.fetchone() == (True,)
        finally:
            connection.close()

    ending = threading.Thread(target=end)
    ending.start()
    ending.join()


def test_no_person_sees_an_error(client) -> None:
    client.force_login(make_user())
    assert client.get("/settings/").status_code == 200
    end_the_servers_side()
    assert client.get("/settings/").status_code == 200


def test_no_script_sees_an_error(client) -> None:
    headers = {"authorization": f"Token {make_token(make_user())}"}
    end_the_servers_side()
    assert client.get("/api/v1/campaigns/", headers=headers).status_code == 200


def test_kept_connections_are_looked_at_and_a_session_costs_no_look(client, monkeypatch) -> None:
    assert site.DATABASES["default"]["CONN_HEALTH_CHECKS"] is True
    client.force_login(make_user())
    connection.ensure_connection()
    connection.health_check_enabled, connection.health_check_done = True, False
    asked: list[None] = []
    monkeypatch.setattr(connection, "is_usable", lambda: bool(asked.append(None)) or True)
    assert client.get("/settings/").status_code == 200
    assert asked == []
