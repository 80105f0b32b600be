"""Where a test process keeps everything; its child processes inherit the folder."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path


def claim_folder() -> str | None:
    """Make this test process's folder and name it in the environment; None in a child process of a test.

    The outermost process removes its folder at its end. Where pytest runs tests in several processes, each of
    them has one of its own inside.
    """
    worker, folder = os.environ.get("PYTEST_XDIST_WORKER"), os.environ.get("MISSTEP_TEST_VAR")
    if folder is None:
        folder = tempfile.mkdtemp(prefix="misstep-test-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    elif worker and Path(folder).name != worker:
        folder = os.path.join(folder, worker)
        os.mkdir(folder, mode=0o700)
    else:
        return None
    os.environ["MISSTEP_TEST_VAR"] = os.environ["VAR"] = folder
    return folder
