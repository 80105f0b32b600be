"""Writes JSON Lines that hold what models and their programs wrote: also text that is no Unicode."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

# What a model or its code may write and PostgreSQL refuses, as text and as JSON: NUL and halves of surrogate pairs.
UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def as_line(content: Any) -> str:
    """One JSON line that UTF-8 can hold: half of a surrogate pair is kept as an escape, and so is the whole line."""
    line = json.dumps(content, ensure_ascii=False, allow_nan=False)
    try:
        line.encode()
    except UnicodeEncodeError:
        line = json.dumps(content, allow_nan=False)
    return line + "\n"


def storable(value: Any) -> Any:
    """A value as JSON has it, without what neither PostgreSQL nor `ml.formats` takes: a replacement character for NUL
    and halves of a pair, null for NaN and infinities.
    """
    if isinstance(value, str):
        return UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list | tuple):
        return [storable(part) for part in value]
    if isinstance(value, Mapping):
        return {storable(str(key)): storable(part) for key, part in value.items()}
    return value
