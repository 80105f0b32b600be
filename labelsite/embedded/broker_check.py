"""Whether the broker of an address answers, and what it tells of itself."""

from __future__ import annotations

from typing import Any

import redis
from kombu import Connection

from labelsite.embedded.findings import GOOD, WEAK, Finding

SECONDS = 5
UNSET = "unset BROKER_URL for the embedded broker, or set it; until then jobs start seconds late"
AWAY = "start the server of BROKER_URL, or mend the address; until then jobs start late"


def look(url: str) -> Finding:
    """The finding on the broker of BROKER_URL."""
    if not url:
        return Finding("broker", WEAK, "none", UNSET)
    return _redis(url) if url.startswith("redis") else _other(url)


def _redis(url: str) -> Finding:
    client = redis.Redis.from_url(
        url.replace("redis+socket://", "unix://"), socket_timeout=SECONDS, socket_connect_timeout=SECONDS
    )
    try:
        client.ping()
        facts, kept = _facts(client), _kept(client)
    except redis.RedisError as problem:
        return Finding("broker", WEAK, str(problem), AWAY)
    finally:
        client.close()
    name = facts.get("server_name", "redis")
    number = facts.get(f"{name}_version", facts.get("redis_version", "?"))
    return Finding("broker", GOOD, f"{name} {number}, append-only file {kept}")


def _facts(client: redis.Redis) -> dict[str, Any]:
    """What the server says of itself; nothing where it may not say it."""
    try:
        return dict(client.info("server"))
    except redis.ResponseError:
        return {}


def _kept(client: redis.Redis) -> str:
    """Whether messages outlive the server; those that are rented often forbid the question."""
    try:
        said = client.config_get("appendonly").get("appendonly")
    except redis.ResponseError:
        return "unknown"
    return {"yes": "on", "no": "off"}.get(said or "", "unknown")


def _other(url: str) -> Finding:
    scheme = url.partition(":")[0]
    try:
        with Connection(url, connect_timeout=SECONDS) as connection:
            connection.connect()
    # What a transport raises, or that it is not installed, is its own affair.
    except Exception as problem:
        return Finding("broker", WEAK, f"{scheme}: {problem}", AWAY)
    return Finding("broker", GOOD, scheme)
