"""The page of a campaign's members in a real browser: what is ticked there outlives what is kept at once."""

from __future__ import annotations

from playwright.sync_api import expect

from labelsite.accounts.models import Role
from labelsite.campaigns.models import MemberState
from tests.browser.annotator_page import Watched
from tests.factories import make_campaign, make_task, make_user


def test_a_state_is_kept_at_once_and_leaves_the_ticks_that_are_not_saved_yet(
    watched: Watched, transactional_db: None
) -> None:
    ann, bob, _ = (make_user(username=name) for name in ("ann", "bob", "cat"))
    campaign = make_campaign(members=[ann, bob])
    watched.log_in(make_user(Role.ADMIN).username)
    watched.go(f"/campaigns/{campaign.pk}/members/")
    page = watched.page
    page.get_by_label("ann", exact=True).uncheck()
    page.get_by_label("cat", exact=True).check()
    state = page.get_by_label("State of ann")
    state.focus()
    state.select_option("paused")
    expect(page.locator("tr", has_text="ann").get_by_text("saved", exact=True)).to_be_visible()
    expect(page.locator("#members-said")).to_have_text("ann is saved.")
    expect(state).to_be_focused()
    assert campaign.memberships.get(user=ann).state == MemberState.PAUSED
    page.get_by_label("State of bob").select_option("refused")
    expect(page.locator("#members-said")).to_have_text("bob is saved.")
    expect(page.get_by_label("ann", exact=True)).not_to_be_checked()
    page.get_by_text("Save members").click()
    page.wait_for_selector("text=The members are saved")
    members = campaign.memberships.order_by("user__username").values_list("user__username", "state")
    assert list(members) == [("bob", "refused"), ("cat", "admitted")]


def test_the_sections_of_a_member_are_kept_at_once_as_well(watched: Watched, transactional_db: None) -> None:
    ann, bob = (make_user(username=name) for name in ("ann", "bob"))
    campaign = make_campaign(members=[ann, bob])
    for section in ("algebra", "geometry"):
        make_task(campaign, section=section)
    watched.log_in(make_user(Role.ADMIN).username)
    watched.go(f"/campaigns/{campaign.pk}/members/")
    page = watched.page
    page.get_by_label("bob", exact=True).uncheck()
    row = page.locator("tr", has_text="ann")
    row.locator("summary").click()
    for section in ("algebra", "geometry"):
        row.get_by_label(section).check()
    save = row.get_by_role("button", name="Save ann")
    watched.page.route("**/sections/", lambda route: route.abort(), times=1)
    save.click()
    expect(row.locator("[data-not-saved]").last).to_be_visible()
    save.click()
    expect(page.locator("#members-said")).to_have_text("ann is saved.")
    expect(row.locator("summary")).to_contain_text("algebra, geometry")
    assert campaign.memberships.get(user=ann).sections == ["algebra", "geometry"]
    row.get_by_label("geometry").uncheck()
    row.get_by_label("algebra").uncheck()
    save.click()
    expect(row.locator("summary")).to_contain_text("all sections")
    assert campaign.memberships.get(user=ann).sections == []
    expect(page.get_by_label("bob", exact=True)).not_to_be_checked()
    # That a request failed is what was wanted.
    watched.errors.clear()


def test_a_state_that_did_not_arrive_is_said(watched: Watched, transactional_db: None) -> None:
    campaign = make_campaign(members=[make_user(username="ann")])
    watched.log_in(make_user(Role.ADMIN).username)
    watched.go(f"/campaigns/{campaign.pk}/members/")
    watched.page.route("**/members/*/", lambda route: route.abort())
    watched.page.get_by_label("State of ann").select_option("paused")
    expect(watched.page.locator("td [data-not-saved]")).to_be_visible()
    # That a request failed is what was wanted.
    watched.errors.clear()
