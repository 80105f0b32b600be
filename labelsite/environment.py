"""Environment variables of one kind each; a bad value fails loudly at start."""

from __future__ import annotations

import os
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

# What each address is of.
ADDRESSES = {"DATABASE_URL": "a PostgreSQL", "BROKER_URL": "a Redis, Valkey or RabbitMQ"}

ROOT = Path(__file__).resolve().parent.parent


def var_folder() -> Path:
    """The folder of everything that Misstep writes: VAR, or `var` beside the code where it is not set or empty."""
    return Path(os.environ.get("VAR") or ROOT / "var").resolve()


def require_address(name: str) -> None:
    """For the processes that start no embedded servers: raises ImproperlyConfigured where an address is not set."""
    if not os.environ.get(name):
        raise ImproperlyConfigured(
            f"{name} is not set, expected the address of {ADDRESSES[name]}: only make demo and python manage.py "
            "start embedded servers"
        )


def flag(name: str, default: bool) -> bool:
    """An environment variable that is 0 or 1."""
    value = os.environ.get(name, "1" if default else "0")
    if value not in ("0", "1"):
        raise ImproperlyConfigured(f"{name} is {value!r}, expected 0 or 1")
    return value == "1"


def whole_number(name: str, default: int, least: int = 0) -> int:
    """An environment variable that is a whole number of at least `least`."""
    value = os.environ.get(name, str(default))
    if not value.isdecimal() or int(value) < least:
        raise ImproperlyConfigured(f"{name} is {value!r}, expected a whole number of at least {least}")
    return int(value)


def job_lease() -> tuple[int, int]:
    """JOB_LEASE_SECONDS and JOB_HEARTBEAT_SECONDS; raises ImproperlyConfigured where one lost renewal ends a lease.

    A renewal is late by a second or so, and another while it fails and is tried again.
    """
    lease = whole_number("JOB_LEASE_SECONDS", 60)
    heartbeat = whole_number("JOB_HEARTBEAT_SECONDS", 15)
    shortest = 2 * heartbeat + 3
    if lease < shortest:
        raise ImproperlyConfigured(
            f"JOB_LEASE_SECONDS is {lease}, expected at least {shortest}, twice JOB_HEARTBEAT_SECONDS and 3 seconds: "
            "jobs would be taken from runners that are alive"
        )
    return lease, heartbeat


def listed(name: str, default: str = "") -> list[str]:
    """An environment variable that is a list with commas; one without any entry counts as left out."""
    parts = [part.strip() for part in os.environ.get(name, "").split(",")]
    return [part for part in parts if part] or [part for part in default.split(",") if part]
