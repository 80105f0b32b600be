"""What can go wrong with the embedded servers, in words that say what to do next."""

from __future__ import annotations

ADDRESS_HINT = "or set DATABASE_URL and BROKER_URL to servers of your own"


class EmbeddedError(Exception):
    """An embedded server cannot be started or reached; the message is one line and names the way out."""


def one_line(text: str) -> str:
    """The last telling line of a program's output, for use inside a one-line message."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return (lines[-1] if lines else "no output")[:400]
