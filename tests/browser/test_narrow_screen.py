"""What a phone's width would hide or squeeze: a table's last columns, a fact's value, the name of a key."""

from __future__ import annotations

import pytest

from tests.browser.annotator_page import Watched
from tests.browser.scenes import blind_campaign
from tests.factories import make_annotation, make_job, make_user

pytestmark = pytest.mark.django_db(transaction=True)
IN_SIGHT = """all => all.map(one => one.getBoundingClientRect())
    .every(box => box.width > 0 && box.left >= 0 && box.right <= innerWidth)"""
WIDTHS = "all => all.map(one => one.getBoundingClientRect().width)"


@pytest.fixture
def phone(watched: Watched) -> Watched:
    watched.page.set_viewport_size({"width": 390, "height": 844})
    return watched


def test_a_line_of_the_history_shows_all_that_it_holds(phone: Watched) -> None:
    annotator = make_user()
    campaign = blind_campaign(annotator, tasks=1, allows_editing=True)
    make_annotation(campaign.tasks.get(), annotator, trajectory=(1, 1, -1))
    phone.log_in(annotator.username)
    phone.go("/my-day/")
    row = phone.page.locator(".carded tbody tr")
    assert "first mistake: step 3" in row.inner_text()
    assert row.locator("a").count() == 2
    assert row.locator("td:not(:empty), a").evaluate_all(IN_SIGHT)


def test_a_fact_has_more_room_than_its_name(phone: Watched) -> None:
    admin = make_user("admin")
    job = make_job(result={"solutions_of_training_problems": 3})
    phone.log_in(admin.username)
    phone.go(f"/jobs/{job.pk}/")
    facts = phone.page.locator(".facts", has_text="Solutions of problems that the model was")
    name, value = (max(facts.locator(tag).evaluate_all(WIDTHS)) for tag in ("dt", "dd"))
    assert value > name


def test_the_name_of_a_key_has_room_also_beside_its_second_keys(phone: Watched) -> None:
    annotator = make_user()
    phone.log_in(annotator.username)
    phone.go("/settings/")
    assert min(phone.page.locator(".keys label").evaluate_all(WIDTHS)) > 150
    assert phone.page.locator(".keys .help:not(:empty), .keys input").evaluate_all(IN_SIGHT)


def test_a_refusal_stays_within_its_row(phone: Watched) -> None:
    admin = make_user("admin")
    phone.log_in(admin.username)
    phone.go("/people/")
    phone.page.locator(f"#role-{admin.pk}").select_option("annotator")
    refusal = phone.page.locator("tr .badge", has_text="This is the last admin")
    refusal.wait_for()
    assert refusal.evaluate_all(IN_SIGHT)


def test_paper_as_narrow_as_a_phone_keeps_the_columns_of_a_table(phone: Watched) -> None:
    admin = make_user("admin")
    phone.log_in(admin.username)
    phone.go("/people/")
    phone.page.emulate_media(media="print")
    columns = phone.page.locator(".carded th", has_text="Role")
    assert min(columns.evaluate_all(WIDTHS)) > 1
    assert (
        phone.page.locator(".carded tbody tr").first.evaluate("row => getComputedStyle(row).display")
        == "table-row"
    )
