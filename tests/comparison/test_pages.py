"""Who may open the comparison, and what it shows."""

import re

import pytest
from django.urls import reverse

from labelsite.annotations.models import StepRating
from labelsite.comparison import views
from labelsite.comparison.models import Adjudication
from labelsite.problems.models import Step
from tests.factories import (
    PASSWORD,
    log_in,
    make_annotation,
    make_campaign,
    make_estimate_run,
    make_estimates,
    make_scores,
    make_solution,
    make_task,
    make_user,
)

pytestmark = pytest.mark.django_db
STEPS = ["one", "two", "three"]


@pytest.fixture
def reviewer(client):
    return log_in(client, "reviewer")


@pytest.fixture
def campaign():
    """Three solutions: both agree, the run is earlier, the run finds a mistake and the person none."""
    run = make_estimate_run()
    campaign = make_campaign(estimate_run=run)
    annotator = make_user("annotator", username="ann")
    cases = [([1, -1], 1, True), ([1, 1, -1], 1, False), ([1, 1, 1], 2, False)]
    for trajectory, first_mistake, is_correct in cases:
        solution = make_solution(steps=STEPS, is_correct=is_correct)
        q_values = [1.0 if place < first_mistake else 0.0 for place in range(3)]
        make_estimates(solution, q_values, run, first_mistake)
        make_annotation(make_task(campaign, solution), annotator, trajectory)
    return campaign


def test_the_figures_say_how_often_both_name_the_same_step(client, reviewer, campaign):
    page = client.get(reverse("comparison:campaign", args=[campaign.pk]))
    assert page.context["found"].agreement.exact == pytest.approx(1 / 3)
    assert page.context["found"].agreement.within_one == pytest.approx(2 / 3)
    assert page.context["found"].agreement.bias == pytest.approx(-0.5)
    assert "33.3 %" in page.content.decode()


def test_each_kind_of_disagreement_leads_to_its_tasks(client, reviewer, campaign):
    address = reverse("comparison:disagreements", args=[campaign.pk])
    counts = {
        kind: len(client.get(address, {"kind": kind}).context["rows"])
        for kind in ("any", "earlier", "later", "misses", "invents", "unmarked")
    }
    assert counts == {"any": 2, "earlier": 1, "later": 0, "misses": 0, "invents": 1, "unmarked": 1}


def test_whoever_found_no_mistake_is_enough_for_the_list_of_what_the_run_finds_whatever_others_marked(
    client, reviewer, campaign
):
    task = campaign.tasks.last()
    make_annotation(task, make_user("annotator", username="bob"), [1, 1, -1])
    page = client.get(reverse("comparison:campaign", args=[campaign.pk]))
    (link,) = [link for link in page.context["kinds"] if link.kind == "invents"]
    assert (link.kind.label, link.count) == ("the run finds a mistake, somebody none", 1)
    assert [row.task for row in client.get(link.url).context["rows"]] == [task]


def test_a_solution_stands_with_both_opinions_side_by_side(client, reviewer, campaign):
    task = campaign.tasks.order_by("pk")[1]
    campaign.score_run = make_scores(task.solution, [0.95, 0.42, 0.0])
    campaign.save()
    page = client.get(reverse("comparison:task", args=[campaign.pk, task.pk]))
    steps = page.context["opinions"].steps
    assert [opinion.ratings[0].rating for opinion in steps] == [1, 1, -1]
    assert [opinion.estimate.row.q_value for opinion in steps] == [1.0, 0.0, 0.0]
    assert [opinion.estimate.bar for opinion in steps] == [1.0, 0.0, 0.0]
    assert [opinion.is_run_first for opinion in steps] == [False, True, False]
    assert [(opinion.score, opinion.tint) for opinion in steps] == [(0.95, 9), (0.42, 4), (0.0, 0)]
    for tint, score in ((9, "0.95"), (4, "0.42"), (0, "0.00")):
        assert f'<span class="score tint-{tint}">{score}</span>' in page.text


def test_beside_a_steps_rollouts_stands_what_so_few_of_them_leave_open(client, reviewer, campaign):
    """All of sixteen, and none of sixteen: Wilson's intervals end at 1 / (1 + z² / 16) and at what that leaves."""
    task = campaign.tasks.order_by("pk")[1]
    page = client.get(reverse("comparison:task", args=[campaign.pk, task.pk]))
    all_right, none_right, _settled = (opinion.estimate for opinion in page.context["opinions"].steps)
    assert all_right.interval == pytest.approx((0.80639, 1.0), abs=1e-5)
    assert none_right.interval == pytest.approx((0.0, 0.19361), abs=1e-5)
    assert "16 of 16 · 0.81–1.00" in page.text and "0 of 16 · 0.00–0.19" in page.text


@pytest.mark.parametrize(("language", "words"), [("en", "the code failed"), ("ko", "코드 실행 실패")])
def test_how_a_steps_code_ended_is_said_in_the_readers_language(client, reviewer, campaign, language, words):
    task = campaign.tasks.first()
    Step.objects.filter(solution=task.solution, position=1).update(verdict="program_error")
    page = client.get(
        reverse("comparison:task", args=[campaign.pk, task.pk]), headers={"accept-language": language}
    )
    assert words in page.content.decode()


def test_text_that_a_model_wrote_is_escaped(client, reviewer):
    campaign = make_campaign()
    task = make_task(campaign, make_solution(steps=["<script>alert(1)</script>"]))
    page = client.get(reverse("comparison:task", args=[campaign.pk, task.pk])).content.decode()
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_what_people_wrote_to_a_step_or_an_alternative_is_shown_with_their_names_and_escaped(
    client, reviewer
):
    campaign, person = make_campaign(), make_user(username="note-writer")
    task = make_task(campaign, make_solution([["first", "another"], "last"]))
    annotation = make_annotation(task, person)
    annotation.ratings.filter(step__position=0).update(note="<b>why</b> here")
    other = task.solution.step_rows.get(text="another")
    StepRating.objects.create(annotation=annotation, step=other, rating=0, note="nearly as good")
    page = client.get(reverse("comparison:task", args=[campaign.pk, task.pk])).content.decode()
    assert "<strong>note-writer</strong> &lt;b&gt;why&lt;/b&gt; here" in page
    assert "<strong>note-writer</strong> nearly as good" in page


def test_a_reviewer_decides_and_the_earlier_word_stays_on_record(client, reviewer, campaign):
    task = campaign.tasks.order_by("pk")[1]
    address = reverse("comparison:task", args=[campaign.pk, task.pk])
    client.post(address, {"positions": ["1"], "note": "step two drops the sign"})
    client.post(address, {"positions": ["1", "2"], "make_gold": "on"})
    assert list(Adjudication.objects.order_by("pk").values_list("positions", "is_live")) == [
        ([1], False),
        ([1, 2], True),
    ]
    task.refresh_from_db()
    assert (task.kind, task.gold) == ("gold", [1, 2])


def test_whoever_decides_again_keeps_the_note_that_stands(client, reviewer, campaign):
    task = campaign.tasks.order_by("pk")[1]
    address = reverse("comparison:task", args=[campaign.pk, task.pk])
    client.post(address, {"positions": ["1"], "note": "step two drops the sign"})
    page = client.get(address)
    assert page.context["form"]["note"].value() == "step two drops the sign"
    assert "step two drops the sign</textarea>" in page.text
    # An emptied note is a decision, too.
    refused = client.post(address, {"positions": [], "note": ""})
    assert not refused.context["form"]["note"].value()


def test_the_list_marks_what_a_reviewer_has_decided(client, reviewer, campaign):
    address = reverse("comparison:disagreements", args=[campaign.pk]) + "?decided=1"
    task = client.get(address).context["rows"][1].task
    client.post(reverse("comparison:task", args=[campaign.pk, task.pk]), {"positions": ["1"]})
    page = client.get(address)
    assert [row.is_decided for row in page.context["rows"]] == [False, True]
    assert page.text.count('<span class="badge">decided</span>') == 1


def test_the_next_disagreement_keeps_the_colours(client, reviewer, campaign):
    first, second = campaign.tasks.order_by("pk")[1:]
    address, following = (reverse("comparison:task", args=[campaign.pk, task.pk]) for task in (first, second))
    asked = "?kind=any&colour=1"
    assert f'href="{following}?kind=any&amp;colour=1"' in client.get(address + asked).text
    assert client.post(address + asked, {"positions": ["1"], "then": "next"}).url == following + asked


def test_a_decision_without_a_position_is_refused(client, reviewer, campaign):
    task = campaign.tasks.first()
    address = reverse("comparison:task", args=[campaign.pk, task.pk])
    page = client.post(address, {"note": "hm", "make_gold": "on"})
    assert page.status_code == 200
    assert page.context["form"].errors["positions"]
    assert not Adjudication.objects.exists()
    # The tick that was set stays set: the second press would make no gold, without a word.
    assert 'name="make_gold" checked' in page.text and "hm</textarea>" in page.text


def test_after_a_refusal_the_boxes_are_as_they_were_sent_and_not_as_they_were_decided(
    client, reviewer, campaign
):
    task = campaign.tasks.order_by("pk")[1]
    address = reverse("comparison:task", args=[campaign.pk, task.pk])
    client.post(address, {"positions": ["1"]})
    assert client.get(address).context["marked"] == {"1"}
    assert client.post(address, {"positions": []}).context["marked"] == set()
    assert client.post(address, {"positions": ["-1", "99"]}).context["marked"] == {"-1", "99"}


@pytest.mark.parametrize("name", ["campaign", "disagreements", "task"])
def test_an_annotator_and_an_outsider_see_nothing(client, campaign, name):
    arguments = [campaign.pk, campaign.tasks.first().pk] if name == "task" else [campaign.pk]
    address = reverse(f"comparison:{name}", args=arguments)
    assert client.get(address).status_code == 302
    client.login(username="ann", password=PASSWORD)
    assert client.get(address).status_code == 403


def test_a_task_of_another_campaign_is_not_found(client, reviewer, campaign):
    other = make_task(make_campaign())
    assert client.get(reverse("comparison:task", args=[campaign.pk, other.pk])).status_code == 404


def test_the_pages_need_few_queries(client, reviewer, campaign, django_assert_max_num_queries):
    client.get(reverse("comparison:campaign", args=[campaign.pk]))
    with django_assert_max_num_queries(12):
        client.get(reverse("comparison:campaign", args=[campaign.pk]))
    with django_assert_max_num_queries(10):
        client.get(reverse("comparison:disagreements", args=[campaign.pk]))
    with django_assert_max_num_queries(18):
        client.get(reverse("comparison:task", args=[campaign.pk, campaign.tasks.first().pk]))


def test_where_nobody_labeled_gold_stands_in_for_people(client, reviewer):
    run = make_estimate_run()
    campaign = make_campaign(estimate_run=run)
    solution = make_solution(steps=STEPS)
    make_estimates(solution, [1.0, 0.0, 0.0], run, 1)
    make_task(campaign, solution, gold=[1], gold_source="checker")
    page = client.get(reverse("comparison:campaign", args=[campaign.pk]))
    assert page.context["found"].agreement.exact == 1.0
    assert "gold answers stand in for people" in page.content.decode()
    # No chart says that people said so.
    grid, *_others = page.context["found"].charts
    assert grid.columns[0] == "gold ↓ · Math-Shepherd →"
    assert "share of steps rated right" in page.content.decode()


def test_a_campaign_without_a_run_says_so(client, reviewer):
    campaign = make_campaign()
    make_annotation(make_task(campaign), make_user())
    page = client.get(reverse("comparison:campaign", args=[campaign.pk])).content.decode()
    assert "No run has judged this campaign" in page


def test_why_somebody_gave_up_or_reported_the_problem_stands_on_the_tasks_page(client, reviewer):
    task = make_task(make_campaign(), make_solution(steps=STEPS))
    person = make_user(username="quitter")
    make_annotation(task, person, [1], finish_reason="give_up", reason="I cannot <b>follow</b> step two")
    page = client.get(reverse("comparison:task", args=[task.campaign_id, task.pk])).content.decode()
    assert "<strong>quitter</strong> I cannot &lt;b&gt;follow&lt;/b&gt; step two" in page


def test_a_note_on_a_step_that_was_not_rated_is_shown_and_is_no_rating(client, reviewer):
    task = make_task(make_campaign(), make_solution(steps=STEPS))
    look = make_annotation(task, make_user(), [], finish_reason="give_up", reason="stuck")
    StepRating.objects.create(
        annotation=look, step=task.solution.step_rows.get(position=0), rating=None, note="Why twelve?"
    )
    page = client.get(reverse("comparison:task", args=[task.campaign_id, task.pk])).content.decode()
    assert "Why twelve?" in page and "cannot say" not in page


def chosen_run(page):
    """What the browser shows as chosen: the option that is marked, or else the first one."""
    (menu,) = re.findall(r'<select id="lens-run".*?</select>', page.text, re.DOTALL)
    options = re.findall(r'<option value="(\d*)"( selected)?', menu)
    return next((value for value, selected in options if selected), options[0][0])


def test_the_run_that_the_figures_are_of_is_the_chosen_one_however_many_newer_ones_there_are(
    client, reviewer, campaign, monkeypatch
):
    monkeypatch.setattr(views, "MOST_RUNS", 1)
    newer = make_estimates(campaign.tasks.first().solution, [1.0, 1.0, 1.0])
    page = client.get(reverse("comparison:campaign", args=[campaign.pk]))
    assert chosen_run(page) == str(campaign.estimate_run_id) != str(newer.pk)


def test_where_a_campaign_has_no_run_of_its_own_none_is_chosen_and_each_can_be(client, reviewer, campaign):
    run, address = campaign.estimate_run, reverse("comparison:campaign", args=[campaign.pk])
    campaign.estimate_run = None
    campaign.save()
    page = client.get(address)
    assert chosen_run(page) == "" and f'<option value="{run.pk}">' in page.text
    assert "No run is chosen" in page.text and "No run has judged" not in page.text
    assert chosen_run(client.get(address, {"run": run.pk})) == str(run.pk)
