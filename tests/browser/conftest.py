"""One Chromium with a warm cache a session, a watched page a test, and the small campaign that most tests label."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from playwright.sync_api import Browser, BrowserContext

from labelsite.accounts.models import User
from labelsite.campaigns.models import Campaign
from tests.browser.annotator_page import Watched, chromium
from tests.browser.scenes import small_campaign
from tests.factories import make_user


@pytest.fixture(scope="session")
def chromium_browser() -> Iterator[Browser]:
    with chromium() as launched:
        yield launched


@pytest.fixture(scope="session")
def warm_context(chromium_browser: Browser) -> Iterator[BrowserContext]:
    """Its cache has the site's files: a fresh one asks for forty and compiles them, a second of work a test."""
    context = chromium_browser.new_context(viewport={"width": 1280, "height": 900})
    yield context
    context.close()


@pytest.fixture
def watched(warm_context: BrowserContext, live_server: Any) -> Iterator[Watched]:
    """A page at 1280 by 900. A script error or a breach of the security policy fails the test that saw it."""
    page = Watched(warm_context, live_server.url)
    forget(warm_context, page)
    yield page
    page.settle()
    for each in warm_context.pages:
        each.close()
    with connection.cursor() as cursor:
        # All tables are emptied next, while the page's last request may still read several of them. Of two that wait
        # for each other, PostgreSQL breaks off the one that is first to look: the request, which nobody waits for.
        cursor.execute("SET deadlock_timeout = '30s'")
    assert not page.errors and not page.breaches and not page.outside


def forget(context: BrowserContext, page: Watched) -> None:
    """Nothing but the cache is left of the tests before: no login, no draft, no choice, no broken line."""
    context.clear_cookies()
    context.unroute_all()
    context.set_offline(False)
    devtools = context.new_cdp_session(page.page)
    devtools.send("Storage.clearDataForOrigin", {"origin": page.base, "storageTypes": "all"})
    devtools.detach()


@pytest.fixture
def annotator(transactional_db: None) -> User:
    return make_user()


@pytest.fixture
def campaign(annotator: User) -> Campaign:
    return small_campaign(annotator)
