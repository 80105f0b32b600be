"""What a name that should be a model's folder tells before any worker has looked."""

from __future__ import annotations

import os.path
from pathlib import Path

from django.conf import settings


def may_be_a_folder(name: str) -> bool:
    """Whether a worker may have this folder. What stands at a path from the root on, only the worker knows. Any other
    name is read from where the code is: with no such folder here it is a slip, or a model that nobody downloaded.
    """
    # What is too long for a name is no folder either, and no reason for a `Path` to raise.
    return Path(name).is_absolute() or os.path.isdir(Path(settings.BASE_DIR) / name)
