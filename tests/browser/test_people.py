"""The page of people in a real browser: each change is kept at once, so that none is lost with another row's."""

from __future__ import annotations

import time

from playwright.sync_api import expect

from labelsite.accounts.models import Role, User
from tests.browser.annotator_page import Watched
from tests.factories import make_user


def logged_in(watched: Watched, user: User) -> None:
    watched.log_in(user.username)
    watched.go("/people/")


def test_what_is_changed_in_several_rows_is_all_kept(watched: Watched, transactional_db: None) -> None:
    ann, bob = make_user(username="ann"), make_user(username="bob")
    logged_in(watched, make_user(Role.ADMIN))
    watched.page.locator(f"#is_paused-{ann.pk}").check()
    watched.page.locator(f"#role-{bob.pk}").focus()
    watched.page.locator(f"#role-{bob.pk}").select_option("reviewer")
    expect(watched.page.locator("tr", has_text="bob").get_by_text("saved", exact=True)).to_be_visible()
    expect(watched.page.locator(f"#role-{bob.pk}")).to_be_focused()
    # The change before has said the same, so that the words alone would not tell that this one has arrived.
    with watched.page.expect_response(f"**/people/{bob.pk}/"):
        watched.page.locator(f"#labels_excluded-{bob.pk}").check()
    expect(watched.page.locator("#people-said")).to_have_text("bob is saved.")
    watched.page.reload()
    expect(watched.page.locator(f"#is_paused-{ann.pk}")).to_be_checked()
    expect(watched.page.locator(f"#role-{bob.pk}")).to_have_value("reviewer")
    expect(watched.page.locator(f"#labels_excluded-{bob.pk}")).to_be_checked()


def test_keys_walk_past_roles_and_only_the_one_they_stop_at_is_kept(
    watched: Watched, transactional_db: None
) -> None:
    ann = make_user(username="ann")
    logged_in(watched, make_user(Role.ADMIN))
    sent: list[str] = []
    watched.page.on(
        "request", lambda request: sent.append(request.post_data or "") if "/people/" in request.url else None
    )
    role = watched.page.locator(f"#role-{ann.pk}")
    role.focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowUp"):
        watched.page.keyboard.press(key)
    expect(role).to_have_value("reviewer")
    watched.page.wait_for_timeout(200)
    assert sent == []
    watched.page.keyboard.press("Tab")
    expect(watched.page.locator("#people-said")).to_have_text("ann is saved.")
    assert len(sent) == 1 and User.objects.get(pk=ann.pk).role == Role.REVIEWER
    # Back where it was, there is nothing to keep.
    role.focus()
    for key in ("ArrowDown", "ArrowUp", "Tab"):
        watched.page.keyboard.press(key)
    role.focus()
    watched.page.keyboard.press("ArrowDown")
    with watched.page.expect_response(f"**/people/{ann.pk}/"):
        watched.page.keyboard.press("Enter")
    assert len(sent) == 2 and User.objects.get(pk=ann.pk).role == Role.ADMIN


def test_what_is_refused_is_said_and_set_back(watched: Watched, transactional_db: None) -> None:
    admin = make_user(Role.ADMIN)
    logged_in(watched, admin)
    watched.page.locator(f"#role-{admin.pk}").select_option("annotator")
    expect(watched.page.locator("tr").get_by_text("This is the last admin")).to_be_visible()
    expect(watched.page.locator(f"#role-{admin.pk}")).to_have_value("admin")


def test_what_did_not_arrive_is_said(watched: Watched, transactional_db: None) -> None:
    ann = make_user(username="ann")
    logged_in(watched, make_user(Role.ADMIN))
    watched.page.route(f"**/people/{ann.pk}/", lambda route: route.abort())
    watched.page.locator(f"#is_paused-{ann.pk}").check()
    expect(watched.page.locator(f"tr:has(#is_paused-{ann.pk}) [data-not-saved]")).to_be_visible()
    # That a request failed is what was wanted.
    watched.errors.clear()


def test_a_change_that_is_taken_back_at_once_is_taken_back(watched: Watched, transactional_db: None) -> None:
    ann = make_user(username="ann")
    logged_in(watched, make_user(Role.ADMIN))
    # The answers to the first request are kept back, as on a slow line: the site has acted on it.
    watched.page.route(f"**/people/{ann.pk}/", lambda route: route.fetch() and None, times=1)
    paused = watched.page.locator(f"#is_paused-{ann.pk}")
    with watched.page.expect_request(f"**/people/{ann.pk}/"):
        paused.check()
    expect_paused(ann, True)
    with watched.page.expect_response(f"**/people/{ann.pk}/"):
        paused.uncheck()
    expect(watched.page.locator("#people-said")).to_have_text("ann is saved.")
    expect_paused(ann, False)
    watched.errors.clear()


def expect_paused(user: User, is_paused: bool) -> None:
    deadline = time.monotonic() + 10
    while User.objects.get(pk=user.pk).is_paused != is_paused and time.monotonic() < deadline:
        time.sleep(0.05)
    assert User.objects.get(pk=user.pk).is_paused == is_paused
