"""The pages say how sure the figures of an evaluation are."""

import pytest
from django.urls import reverse

from labelsite.training.services import start_training
from tests.factories import log_in, make_evaluation
from tests.training.test_pages import make_checkpoint, make_snapshot

pytestmark = pytest.mark.django_db
SHARES = {"f1": 0.7, "exact": 0.7, "accuracy_wrong": 0.6, "accuracy_right": 0.84}
INTERVALS = {
    "f1": [0.612, 0.781],
    "exact": [0.6, 0.79],
    "accuracy_wrong": [0.5, 0.71],
    "accuracy_right": None,
}


def test_the_figures_of_first_mistakes_have_intervals_beside_them(client):
    log_in(client, "reviewer")
    checkpoint = make_checkpoint(start_training(make_snapshot(), "mixed"))
    fair = SHARES | {"count": 12, "intervals": INTERVALS | {"f1": [0.401, 0.902]}}
    result = {
        "count": 30,
        "held_out": SHARES | {"intervals": INTERVALS},
        "of_training_problems": 18,
        "unseen": fair,
    }
    make_evaluation(checkpoint, result)
    page = client.get(reverse("training:checkpoint", args=[checkpoint.pk])).content.decode()
    for words in ("0.612–0.781<", "60.0–79.0 %<", "50.0–71.0 %<", "(95 %: F1 0.401–0.902"):
        assert words in page
    assert page.count(" %</span>") == 2 and "95 % bootstrap over problems" in page


def test_an_evaluation_of_too_few_problems_for_intervals_has_none(client):
    log_in(client, "reviewer")
    checkpoint = make_checkpoint(start_training(make_snapshot(), "mixed"))
    make_evaluation(checkpoint, {"count": 30, "held_out": SHARES | {"intervals": None}})
    page = client.get(reverse("training:checkpoint", args=[checkpoint.pk])).content.decode()
    assert "70.0 %" in page and "(95 %" not in page and "bootstrap" not in page
