"""A figure that no solution could show is unknown on every page, and never 0."""

import re

import pytest
from django.urls import reverse

from labelsite.training.measured import measured, measured_throughout
from labelsite.training.plots import evaluation_charts
from labelsite.training.services import start_training
from ml.evaluation.first_mistake import first_mistake_report, metric
from tests.factories import log_in, make_evaluation
from tests.training.test_pages import make_checkpoint, make_snapshot

pytestmark = pytest.mark.django_db
FAULTLESS = metric([None, None], [None, None])
ALL_WRONG = metric([0, 1], [0, 1])


@pytest.fixture
def checkpoint(client):
    log_in(client, "reviewer")
    run = start_training(make_snapshot(), "mixed")
    return make_checkpoint(run, metrics={"train_loss": 0.5, "validation": {"threshold": 0.5, **FAULTLESS}})


def page_of(client, checkpoint):
    return client.get(reverse("training:checkpoint", args=[checkpoint.pk])).content.decode()


def test_where_one_kind_of_solution_is_missing_its_accuracy_and_f1_are_unknown():
    assert FAULTLESS["f1"] == FAULTLESS["accuracy_wrong"] == 0.0
    assert measured(FAULTLESS) == FAULTLESS | {"f1": None, "accuracy_wrong": None}
    assert measured(ALL_WRONG) == ALL_WRONG | {"f1": None, "accuracy_right": None}
    both = metric([0, 0], [0, None])
    assert measured(both) == both
    assert measured(None) == {}
    counts = {"count": 2, "count_wrong": 0, "count_right": 2}
    unknown = dict.fromkeys(("threshold", "f1", "accuracy_wrong", "accuracy_right", "exact"))
    assert measured(counts) == {**counts, **unknown}


def test_each_set_of_figures_in_an_evaluation_s_has_none_for_what_it_cannot_say():
    steps = {"count": 4, "count_wrong": 0, "roc_auc": None}
    sets = {"held_out": FAULTLESS, "unseen": {**ALL_WRONG, "most_likely": FAULTLESS}, "steps": steps}
    assert measured_throughout(FAULTLESS | sets) == measured(FAULTLESS) | {
        "held_out": measured(FAULTLESS),
        "unseen": measured(ALL_WRONG) | {"most_likely": measured(FAULTLESS)},
        "steps": steps,
    }


def test_a_card_validated_on_faultless_solutions_alone_has_a_dash_for_what_it_cannot_say(client, checkpoint):
    figures = page_of(client, checkpoint).partition('<section class="figures"')[2].partition("</section>")[0]
    assert re.findall(r"<strong>(.*?)</strong><span>(.*?)[,<]", figures)[:4] == [
        ("–", "F1 on held-out problems"),
        ("100.0 %", "exact"),
        ("–", "on wrong solutions"),
        ("100.0 %", "on right ones"),
    ]


def test_a_card_that_leaves_out_what_it_could_not_measure_has_dashes_and_its_steps(client):
    log_in(client, "reviewer")
    counts = {"count": 2, "count_wrong": 0, "count_right": 2}
    steps = {"step_count": 40, "step_count_wrong": 9, "step_auc": 0.8125, "step_accuracy": 0.75}
    run = start_training(make_snapshot(), "mixed")
    card = make_checkpoint(run, metrics={"train_loss": 0.5, "validation": {**counts, **steps}})
    figures = page_of(client, card).partition('<section class="figures"')[2].partition("</section>")[0]
    assert re.findall(r"<strong>(.*?)</strong>", figures) == ["–", "–", "–", "–", "–", "0.812"]
    assert "ROC AUC of 40 labelled steps" in figures


def test_the_list_has_a_dash_for_an_f1_that_nobody_measured(client, checkpoint):
    page = client.get(reverse("training:list")).content.decode()
    assert 'data-label="Validation F1">–</td>' in page and ">0.000<" not in page


@pytest.mark.parametrize(
    ("figures", "wrong", "right"), [(FAULTLESS, "–", "100.0 %"), (ALL_WRONG, "100.0 %", "–")]
)
def test_an_evaluation_of_one_kind_of_solution_has_dashes(client, checkpoint, figures, wrong, right):
    counts = {name: figures[name] for name in ("count", "count_wrong", "count_right")}
    result = {
        **counts,
        "held_out": figures,
        "of_training_problems": 1,
        "unseen": figures,
    }
    make_evaluation(checkpoint, result)
    page = page_of(client, checkpoint)
    assert "<strong>–</strong><span>F1, threshold from the other half</span>" in page
    assert f"<strong>{wrong}</strong><span>on {counts['count_wrong']} with a mistake</span>" in page
    assert f"<strong>{right}</strong><span>on {counts['count_right']} without one</span>" in page
    assert "On the other 2: F1 –, exact 100.0 %" in page


def test_an_evaluation_with_nothing_held_out_says_what_that_needs(client, checkpoint):
    told = "each half of the problems needs solutions with and without a mistake"
    both = metric([0, 0], [0, None])
    nothing = {"threshold_chosen_on": None, **dict.fromkeys(both), "intervals": None}
    make_evaluation(checkpoint, both | {"held_out": nothing})
    page = page_of(client, checkpoint)
    assert "<strong>–</strong><span>F1, threshold from the other half</span>" in page and told in page
    make_evaluation(checkpoint, both | {"held_out": both})
    assert told not in page_of(client, checkpoint)


def test_compared_runs_have_no_f1_that_nobody_measured(client, checkpoint):
    result = {"held_out": FAULTLESS}
    make_evaluation(checkpoint, result)
    other = make_checkpoint(
        start_training(make_snapshot(), "mixed"), metrics={"validation": metric([0, 0], [0, 0])}
    )
    asked = {"run": [checkpoint.run_id, other.run_id]}
    found = client.get(reverse("training:compare"), asked).context["results"]
    values = {name: values for name, values, _ in found}
    assert values["F1 in sums"] == [None, None]
    assert values["Validation F1"] == [None, None]
    assert values["Validation: exact where wrong"] == [1.0, None]


def test_the_chart_of_thresholds_leaves_out_what_nobody_measured(checkpoint):
    report = first_mistake_report([[0.9, 0.8], [0.7, 0.9]], [None, None])
    evaluation = make_evaluation(checkpoint, report)
    assert {row[0] for row in evaluation_charts(evaluation)[0].rows} == {"nothing named where right"}
