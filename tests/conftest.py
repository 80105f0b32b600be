"""Servers for the tests: each pytest process has its own PostgreSQL, started when a test first needs it."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.utils import translation

from labelsite.embedded.supervisor import Hold, hold_servers

# One thread is faster than two that wait for each other on a small, shared machine (set before torch loads).
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# The few layers that are compiled here are no work for helpers that import torch first.
os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")
# A GPU, where there is one, adds in another order each time: what is compared to the bit is computed on the CPU.
os.environ.setdefault("MISSTEP_DEVICE", "cpu")

# Half a minute and more each: one that begins last would keep all processes but its own waiting.
LONGEST = (
    "browser/test_loop.py", "browser/test_every_page.py", "browser/test_annotate_looks.py", "api/test_loop.py",
    "autolabels/test_survival.py", "training/test_loop.py", "embedded/test_demo.py",
)  # fmt: skip


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest tests begin first; the others keep their order."""
    items.sort(key=lambda item: not item.path.as_posix().endswith(LONGEST))


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """What was imported and collected stays until the end: no search for garbage need walk through it again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _ctrl_c_is_heard() -> None:
    """What a shell runs in its background ignores Ctrl-C, and so would all programs that the tests start."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def var_folder() -> Path:
    """The folder in which this test run keeps everything."""
    return Path(os.environ["MISSTEP_TEST_VAR"])


@pytest.fixture(autouse=True)
def _pages_begin_in_english() -> None:
    """A request leaves its language with the thread, and the next test must not read its pages in it."""
    translation.deactivate()


@pytest.fixture
def own_folder(settings: Any, tmp_path: Path) -> None:
    """What the site writes, and what is uploaded to it, lies in a folder of the test's own."""
    settings.VAR = tmp_path / "var"
    settings.MEDIA_ROOT = tmp_path / "uploads"


@pytest.fixture
def warm_children(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the jobs of this process run as `python -m ml` need not import torch.

    How such a child is really started is proved in tests/jobs, and by the walks through the whole site.
    """
    from labelsite.jobs import child
    from tests.ml.prm.warm_process import WarmJobChild

    def popen(command: list[str], *, env: dict[str, str], **_: Any) -> WarmJobChild:
        assert command[1:3] == ["-m", "ml"], "only that is forked"
        return WarmJobChild(command, env)

    pipes = {"PIPE": subprocess.PIPE, "DEVNULL": subprocess.DEVNULL}
    monkeypatch.setattr(child, "subprocess", SimpleNamespace(Popen=popen, **pipes))


@pytest.fixture(scope="session")
def django_db_modify_db_settings(var_folder: Path) -> Iterator[None]:
    """Called by pytest-django before it makes the test database: the moment to start the server."""
    hold: Hold | None = None
    if os.environ.get("MISSTEP_TEST_EMBEDDED"):
        # Nobody will miss this data, so it need not reach the disk; tests of durability start their own.
        hold = hold_servers(var_folder, ["postgres"], durable=False)
    yield
    if hold:
        hold.release()


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> None:
    """Most tests have a VAR of their own, to which the one of the migration must not be compared."""
    from django.test import TransactionTestCase

    from labelsite.jobs.models import SiteIdentity
    from tests.emptying import empty_tables

    if os.environ.get("MISSTEP_TEST_EMBEDDED"):
        TransactionTestCase._fixture_teardown = empty_tables  # type: ignore[attr-defined, method-assign]
    with django_db_blocker.unblock():
        SiteIdentity.objects.all().delete()


@pytest.fixture(scope="session")
def broker_url(var_folder: Path) -> Iterator[str]:
    """The address of a real broker that this test run has for itself."""
    hold = hold_servers(var_folder, ["valkey"], durable=False)
    yield hold.urls["valkey"]
    hold.release()
