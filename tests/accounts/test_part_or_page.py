"""An address that answers with a page, or with a part of it, says so to whatever keeps its answers."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from tests.factories import make_user


@pytest.mark.django_db
@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}])
def test_a_kept_part_is_never_taken_for_the_page(client: Client, headers: dict[str, str]) -> None:
    client.force_login(make_user("admin"))
    assert "HX-Request" in client.get(reverse("jobs:list"), headers=headers)["Vary"]
