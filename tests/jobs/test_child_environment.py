"""What a job's child sees of the site's environment: what a command run by hand obeys, and no secret of the site."""

from __future__ import annotations

import pytest

from labelsite.jobs import child


@pytest.mark.parametrize(
    "name",
    [
        *("CC", "CXX", "RAYON_NUM_THREADS", "SSL_CERT_FILE", "SSL_CERT_DIR"),
        *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
        *("http_proxy", "https_proxy", "all_proxy", "no_proxy"),
    ],
)
def test_the_child_of_a_job_sees_what_a_command_run_by_hand_obeys(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "obeyed")
    assert child.environment()[name] == "obeyed"


@pytest.mark.parametrize("name", ["DATABASE_URL", "BROKER_URL", "SECRET_KEY", "PGPASSWORD", "PYTHONPATH"])
def test_it_sees_no_address_no_secret_and_nothing_that_nobody_promised(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "hidden")
    assert name not in child.environment()
