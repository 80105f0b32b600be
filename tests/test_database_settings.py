"""What a database address becomes: bounded waits on the network, which the address itself may change."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from labelsite.settings import database_from


def test_waits_on_the_network_are_shorter_than_a_lease_and_the_address_may_set_its_own():
    options = database_from("postgresql://user@db/misstep?connect_timeout=3&sslmode=require")["OPTIONS"]
    assert (options["connect_timeout"], options["sslmode"]) == ("3", "require")
    waits = [int(options[f"keepalives_{name}"]) for name in ("idle", "interval", "count")]
    assert waits[0] + waits[1] * waits[2] <= 30
    assert int(options["tcp_user_timeout"]) <= 30_000


def test_the_driver_takes_these_options(db):
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    assert "tcp_user_timeout" in connection.get_connection_params()


@pytest.mark.parametrize(
    "address",
    ["postgresql://user@db:54x2/m", "postgresql://user@db:99999/m", "postgresql://u:secret/word@db/m"],
)
def test_an_address_that_cannot_be_read_is_one_line_without_its_password(address):
    with pytest.raises(ImproperlyConfigured, match="DATABASE_URL cannot be read, expected") as refusal:
        database_from(address)
    assert "secret" not in str(refusal.value) and "\n" not in str(refusal.value)
