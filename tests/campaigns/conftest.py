from __future__ import annotations

import pytest

from labelsite.campaigns import queue


@pytest.fixture
def no_sweeping(monkeypatch: pytest.MonkeyPatch) -> None:
    """Expired leases come back only when a test's own claim asks for them."""
    monkeypatch.setattr(queue._Throttle, "is_due", lambda self: False)
