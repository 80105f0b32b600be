"""A file that stands under its name whole or not at all, whenever its writer is killed."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO


@contextmanager
def whole_file(path: Path) -> Iterator[TextIO]:
    """Opens a text file beside `path`, and gives it that name once it is on the disk and the block ended well.

    An error inside the block leaves what stood there before. Makes the folder where there is none.
    """
    # A name of its own for each writer: two that shared one would take each other's half-written file.
    beside = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.partial")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with beside.open("w", encoding="utf-8") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
