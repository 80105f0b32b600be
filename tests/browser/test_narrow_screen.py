"""What a phone's width would hide or squeeze: a table's last columns, a fact's value, the name of a key."""

from __future__ import annotations

import pytest

from labelsite.accounts.models import User
from labelsite.annotations.models import FinishReason
from labelsite.campaigns.models import Task
from tests.browser.annotator_page import Watched
from tests.browser.looks import look
from tests.browser.scenes import blind_campaign
from tests.factories import make_annotation, make_campaign, make_job, make_solution, make_task, make_user

pytestmark = pytest.mark.django_db(transaction=True)
WIDE = "\\boxed{\\text{" + "a box as wide as a table is long and " * 2 + "}}"
IN_SIGHT = """all => all.map(one => one.getBoundingClientRect())
    .every(box => box.width > 0 && box.left >= 0 && box.right <= innerWidth)"""
OVERHANG = "document.documentElement.scrollWidth - innerWidth"
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


def test_each_row_of_a_reviewers_lists_is_a_card_that_shows_all_that_it_holds(phone: Watched) -> None:
    annotator, admin = make_user(), make_user("admin")
    campaign = blind_campaign(annotator, tasks=2)
    first, second = campaign.tasks.order_by("pk")
    campaign.tasks.update(section="geometry")
    make_annotation(first, annotator, trajectory=(1, 1, -1))
    make_annotation(
        second, annotator, [1], finish_reason=FinishReason.GIVE_UP, reason="too long a word: " + "x" * 99
    )
    pages = ("exits", "comparison/disagreements", "sections", "comparison")
    addresses = [f"/campaigns/{campaign.pk}/{page}/" for page in pages]
    addresses += [f"/annotate/{campaign.pk}/quality/", f"/autolabels/{campaign.estimate_run_id}/"]
    phone.log_in(admin.username)
    for address in addresses:
        phone.go(address)
        row = phone.page.locator(".carded tbody tr").first
        assert row.evaluate("row => getComputedStyle(row).display") == "block", address
        assert row.locator("td:not(:empty), .strip").evaluate_all(IN_SIGHT), address
        assert phone.page.evaluate(OVERHANG) <= 0, address


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


def wide_task(annotator: User) -> Task:
    steps = [f"So we say ${WIDE}$.", f"- one\n- two is ${WIDE}$\n\nand so on", f"As $x$:\n\n$$y={WIDE}$$"]
    solution = make_solution(steps, problem=f"What of ${WIDE}$?", answer=WIDE, final_answer=WIDE)
    return make_task(make_campaign(members=[annotator]), solution)


def test_a_wide_formula_amid_text_scrolls_in_its_own_box_and_by_keyboard(phone: Watched) -> None:
    annotator = make_user()
    task = wide_task(annotator)
    phone.annotate(task.campaign, annotator)
    boxes = "#problem .math.scrolls, #answer .math.scrolls, #steps .math.scrolls"
    phone.page.locator(boxes).nth(3).wait_for()
    look(phone, "wide-formulas")
    assert phone.page.locator(boxes).count() == 4
    box = phone.page.locator("#steps .math.scrolls").first
    box.focus()
    phone.press("ArrowRight ArrowRight")
    phone.page.wait_for_timeout(300)
    assert box.evaluate("one => one.scrollLeft") > 0
    phone.page.set_viewport_size({"width": 1280, "height": 844})
    phone.page.locator("#steps .katex").first.wait_for()
    assert phone.page.locator(f"{boxes}, #steps .math[tabindex]").count() == 0


def test_a_wide_formula_widens_no_page(phone: Watched) -> None:
    annotator, reviewer = make_user(), make_user("reviewer")
    task = wide_task(annotator)
    annotation = make_annotation(task, annotator, (1, 1, 1))
    campaign = f"/campaigns/{task.campaign_id}"
    pages = {
        f"/annotate/annotation/{annotation.pk}/second-look/": annotator,
        "/my-day/": annotator,
        f"{campaign}/comparison/tasks/{task.pk}/": reviewer,
        f"{campaign}/tasks/": reviewer,
    }
    for address, person in pages.items():
        phone.log_in(person.username)
        phone.go(address)
        phone.page.locator(".katex").first.wait_for()
        phone.page.wait_for_timeout(200)
        assert phone.page.evaluate(OVERHANG) <= 0, address
