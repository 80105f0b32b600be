"""A real Chromium before a real server, and the few moves that every browser test of the annotation page makes."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page, Request, sync_playwright

from labelsite.accounts.models import User
from tests.factories import PASSWORD

# Playwright keeps an event loop running in the test's thread, which Django would take for asynchronous code.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")


def chromium_path() -> str:
    """Where Chromium is; skips the test, and says so, on a machine without one.

    Without windows and a graphics process of its own, it needs a third less time for the same pages.
    """
    known = ("chromium-headless-shell", "chromium", "chromium-browser")
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, known)), None)
    if not path:
        pytest.skip("no Chromium found: browser tests did not run (install chromium-headless-shell)")
    return path


@contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium_path(), headless=True, chromium_sandbox=False
        )
        try:
            yield browser
        finally:
            browser.close()


class Watched:
    """A page that collects what must not happen: script errors and breaches of the security policy."""

    def __init__(self, context: BrowserContext, base: str) -> None:
        self.page: Page = context.new_page()
        self.base = base
        self.breaches: list[str] = []
        self.errors: list[str] = []
        self.outside: list[str] = []
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.under_way: set[Request] = set()
        self.page.on("request", self._requested)
        self.page.on("requestfinished", lambda request: self.under_way.discard(request))
        self.page.on("requestfailed", lambda request: self.under_way.discard(request))

    def settle(self) -> None:
        """Waits for the answers under way: emptying the tables would lock out a server that still reads them."""
        deadline = time.monotonic() + 3
        while self.under_way and not self.page.is_closed() and time.monotonic() < deadline:
            self.page.wait_for_timeout(20)

    def _heard(self, message: Any) -> None:
        if "Content Security Policy" in message.text:
            self.breaches.append(message.text)

    def _requested(self, request: Request) -> None:
        self.under_way.add(request)
        if not request.url.startswith((self.base, "data:", "blob:")):
            self.outside.append(request.url)

    def go(self, path: str) -> None:
        self.page.goto(self.base + path)

    def log_in(self, username: str) -> None:
        """As if this browser had been through the login page some time ago; it stays where it is."""
        client = Client()
        client.force_login(User.objects.get(username=username))
        name = settings.SESSION_COOKIE_NAME
        self.page.context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": self.base}])

    def log_in_by_keyboard(self, username: str) -> None:
        """The name field has the focus when the page opens."""
        self.go("/login/")
        self.page.wait_for_selector("input[name=username]:focus")
        self.page.keyboard.type(username)
        self.page.keyboard.press("Tab")
        self.page.keyboard.type(PASSWORD)
        self.page.keyboard.press("Enter")
        self.page.wait_for_url(self.base + "/")

    def annotate(self, campaign: Any, annotator: User | None = None) -> None:
        """Opens the campaign's first task, as the annotator where one is named."""
        if annotator:
            self.log_in(annotator.username)
        self.go(f"/annotate/{campaign.pk}/")
        self.ready()

    def annotate_two(self, campaign: Any, annotator: User | None = None) -> None:
        """The first task stands on the page, and the second one is prepared."""
        with self.page.expect_response(lambda response: response.url.endswith("/next/")):
            self.annotate(campaign, annotator)

    def submit_first(self, campaign: Any, annotator: User) -> None:
        """The first of the small campaign's tasks is done, and the second one stands on the page."""
        self.annotate(campaign, annotator)
        self.press("3 3 Enter")
        self.page.wait_for_selector("text=Problem 1?")
        self.submitted(1)

    def reload(self) -> None:
        self.settle()
        self.page.reload()
        self.ready()

    def ratings(self) -> list[str]:
        rows = "rows => rows.map(row => row.dataset.rating)"
        return self.page.eval_on_selector_all("#steps > .step", rows)

    def ready(self) -> None:
        self.page.wait_for_selector("body[data-ready=yes]")

    def idle(self) -> None:
        """Waits until the page takes keys again: while it opens something, it takes none."""
        self.page.wait_for_selector("body:not([data-busy])", state="attached", timeout=5000)

    def press(self, keys: str, while_busy: bool = False) -> None:
        for key in keys.split():
            if not while_busy:
                self.idle()
            self.page.keyboard.press(key)

    def tab_to(self, text: str) -> None:
        """Presses Tab until the focus stands on the control with this text."""
        for _ in range(60):
            self.press("Tab")
            if self.page.evaluate("document.activeElement.textContent").strip().startswith(text):
                return
        raise AssertionError(f"no control named {text} was reached by Tab")

    def label(self, campaign: Any) -> None:
        """From the start page to the campaign's first task, by keyboard alone."""
        self.page.wait_for_selector(f"text=Label {campaign.name}")
        self.tab_to(f"Label {campaign.name}")
        self.press("Enter")
        self.ready()

    def log_out(self) -> None:
        self.tab_to("Log out")
        self.press("Enter")
        self.page.wait_for_url(self.base + "/login/")

    def state(self) -> str:
        return self.page.inner_text("#state")

    def saved(self) -> None:
        self.page.wait_for_selector("#save-state[data-state=saved]", state="attached")

    def submitted(self, count: int) -> None:
        """Waits until the database holds `count` live annotations and the page has gone on."""
        from labelsite.annotations.models import Annotation

        for _ in range(100):
            if Annotation.objects.filter(is_live=True).count() >= count:
                # The page may still be on its way to the next task, and takes no key meanwhile.
                self.idle()
                return
            self.page.wait_for_timeout(50)
        raise AssertionError(f"expected {count} annotations, there are {Annotation.objects.count()}")
