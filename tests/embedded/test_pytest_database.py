from __future__ import annotations

import pytest
from django.db import connection


@pytest.mark.django_db
def test_the_test_database_is_a_private_postgresql_without_tcp(var_folder):
    with connection.cursor() as cursor:
        cursor.execute("SHOW unix_socket_directories")
        assert cursor.fetchone() == (str(var_folder / "run"),)
        cursor.execute("SHOW listen_addresses")
        assert cursor.fetchone() == ("",)
