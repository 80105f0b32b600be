"""Runs side by side: what compares, and validation figures of other labels are marked, for they do not."""

import json

import pytest
from django.urls import reverse

from labelsite.training.services import start_training
from labelsite.training.yardsticks import yardsticks
from tests.factories import log_in, make_evaluation
from tests.training.test_pages import make_checkpoint, make_snapshot

pytestmark = pytest.mark.django_db
MARKED = "not all validated by the same labels"


def trained(snapshot, labels="mixed", rule=None):
    run = start_training(snapshot, labels)
    make_checkpoint(run, label_rule={"labels": labels, **(rule or {})})
    return run


def test_runs_of_the_same_rule_and_snapshot_have_no_letters(client):
    log_in(client, "reviewer")
    snapshot = make_snapshot()
    runs = [trained(snapshot), trained(snapshot, rule={"neutral": "positive", "threshold": 0.0})]
    assert yardsticks(runs) == ["", ""]
    page = client.get(reverse("training:compare"), {"run": [run.pk for run in runs]}).content.decode()
    assert MARKED not in page


def test_runs_of_another_rule_or_snapshot_have_another_letter():
    snapshot, other = make_snapshot(), make_snapshot()
    other.sha256 = "2" * 64
    other.save()
    runs = [
        trained(snapshot),
        trained(snapshot, rule={"after_mistake": "wrong"}),
        trained(other),
        trained(snapshot),
        trained(snapshot, "automatic"),
    ]
    assert yardsticks(runs) == ["A", "B", "C", "A", "D"]


def test_the_page_says_which_validation_figures_compare(client):
    log_in(client, "reviewer")
    snapshot = make_snapshot()
    runs = [trained(snapshot), trained(snapshot, rule={"neutral": "drop"})]
    for run in runs:
        run.job.folder.mkdir(parents=True)
        report = {"done": 1, "metrics": {"validation_f1": 0.5}}
        (run.job.folder / "progress.jsonl").write_text(json.dumps(report) + "\n")
    page = client.get(reverse("training:compare"), {"run": [run.pk for run in runs]})
    told = page.content.decode()
    assert (
        MARKED in told and '<span class="badge">A</span>' in told and '<span class="badge">B</span>' in told
    )
    [chart] = page.context["charts"]
    assert [name.split(" · ")[1] for _, name in chart.legend] == ["A", "B"]


def test_a_run_that_still_works_is_known_by_what_was_asked_of_it():
    snapshot = make_snapshot()
    done = trained(snapshot, rule={"threshold": 0.25})
    alike, other = (
        start_training(snapshot, "mixed", configuration={"threshold": threshold}) for threshold in (0.25, 0.5)
    )
    assert yardsticks([done, alike, other]) == ["A", "A", "B"]


def test_runs_beyond_five_are_said_to_be_left_out(client):
    log_in(client, "reviewer")
    snapshot = make_snapshot()
    runs = [start_training(snapshot, "mixed", seed=seed).pk for seed in range(7)]
    page = client.get(reverse("training:compare"), {"run": runs})
    assert len(page.context["runs"]) == 5 and "2 more were chosen and are left out" in page.text
    assert "left out" not in client.get(reverse("training:compare"), {"run": runs[:5]}).text


def test_evaluations_stand_among_the_results_of_compared_runs(client):
    log_in(client, "reviewer")
    snapshot = make_snapshot()
    runs = [start_training(snapshot, "mixed", seed=seed) for seed in (1, 2)]
    rows = [{"rule": "product", "n": 4, "accuracy": 0.75, "low": 0.5, "high": 1.0}]
    figures = {"held_out": {"f1": 0.25}, "unseen": {"f1": 0.125}}
    measured = {"first-mistake": figures, "best-of-n": {"problems": 9, "rows": rows}}
    for run in runs:
        checkpoint = make_checkpoint(run)
        for kind, result in measured.items():
            make_evaluation(checkpoint, result, kind)
    found = client.get(reverse("training:compare"), {"run": [run.pk for run in runs]}).context["results"]
    assert ("F1 in sums", [0.25, 0.25], False) in found
    assert ("F1 in sums, on problems that it was not trained on", [0.125, 0.125], False) in found
    assert ("best of 4 in sums, on 9 problems, by product", [0.75, 0.75], False) in found


def test_best_of_n_among_other_problems_or_as_many_others_stands_in_a_row_of_its_own(client):
    log_in(client, "reviewer")
    snapshot = make_snapshot()
    checkpoints = [make_checkpoint(start_training(snapshot, "mixed", seed=seed)) for seed in (1, 2)]
    for checkpoint, n, problems, accuracy in ((0, 2, 7, 0.5), (0, 4, 9, 0.75), (1, 8, 9, 0.875)):
        row = {"rule": "product", "n": n, "accuracy": accuracy, "low": 0.5, "high": 1.0}
        result = {"problems": problems, "rows": [row]}
        make_evaluation(checkpoints[checkpoint], result, kind="best-of-n")
    asked = {"run": [checkpoint.run_id for checkpoint in checkpoints]}
    found = client.get(reverse("training:compare"), asked).context["results"]
    rows = {name: [value for value in values if value is not None] for name, values, _ in found}
    # Of the same checkpoint and campaign the newest evaluation alone.
    assert {name: values for name, values in rows.items() if name.startswith("best of")} == {
        "best of 4 in sums, on 9 problems, by product": [0.75],
        "best of 8 in sums, on 9 problems, by product": [0.875],
    }
