"""Whether a server could be asked at an address at all: what cannot be is refused before anything waits for it."""

from __future__ import annotations

import urllib.parse

from ml.errors import MisstepError

EXPECTED = "http://HOST:PORT/v1"


def refuse_malformed(address: str) -> None:
    """Raises MisstepError for an address that names no host, or that no request can be made for."""
    fault = fault_of(address)
    if fault:
        raise MisstepError(f"policy {address!r}: {fault}, expected an address like {EXPECTED}")


def fault_of(address: str) -> str:
    """What is wrong with an address; empty where it is well formed, whoever may listen there."""
    if any(letter.isspace() or not letter.isprintable() for letter in address):
        return "a blank in an address"
    try:
        parts = urllib.parse.urlsplit(address)
        host, _port = parts.hostname, parts.port
        # As a look-up of the name does; it knows labels that are empty or too long.
        (host or "").encode("idna")
    except ValueError as error:
        return str(error)
    if parts.scheme not in ("http", "https"):
        return f"the scheme {parts.scheme!r}"
    return "" if host else "no host"
