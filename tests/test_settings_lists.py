"""Settings that are lists: blanks around a comma are no part of a name."""

from __future__ import annotations

import pytest

from labelsite.environment import listed


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ("a.org,b.org", ["a.org", "b.org"]),
        (" a.org , b.org,", ["a.org", "b.org"]),
        ("*", ["*"]),
        ("", ["localhost", "[::1]"]),
        (" , ", ["localhost", "[::1]"]),
        (None, ["localhost", "[::1]"]),
    ],
)
def test_a_list_has_the_names_between_the_commas(
    monkeypatch: pytest.MonkeyPatch, value: str | None, names: list[str]
) -> None:
    monkeypatch.delenv("ALLOWED_HOSTS", raising=False)
    if value is not None:
        monkeypatch.setenv("ALLOWED_HOSTS", value)
    assert listed("ALLOWED_HOSTS", "localhost,[::1]") == names
