"""Seeds made from names: the same in every run, on every machine, in any order."""

from __future__ import annotations

import hashlib
import random


def seed_of(*parts: object) -> int:
    """A stable 63-bit seed from what names a thing; Python's own hash changes from run to run."""
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "replace")).digest()[:8], "big") >> 1


def generator_of(*parts: object) -> random.Random:
    """A random generator of its own for a named thing: no tree's result depends on which others run."""
    return random.Random(seed_of(*parts))
