"""The pages of training runs and checkpoints: who may see and start them, and what they show."""

import json

import pytest
from django.urls import reverse
from django.utils import translation

from labelsite.jobs.models import Job
from labelsite.snapshots.models import Snapshot
from labelsite.snapshots.services import freeze
from labelsite.training.models import Checkpoint, TrainingRun
from labelsite.training.services import start_training
from labelsite.training.wording import counts_in_words
from tests.factories import (
    log_in,
    make_annotation,
    make_campaign,
    make_evaluation,
    make_solution,
    make_task,
    make_user,
)

pytestmark = pytest.mark.django_db
COUNTS = {"rows": 100, "train": 80, "validation": 10, "test": 10, "steps": 400, "labelled_steps": 300}


def make_snapshot(labels="mixed", counts=None):
    return Snapshot.objects.create(
        name=f"{labels} {Snapshot.objects.count()}",
        campaign=make_campaign(),
        labels=labels,
        folder="0" * 64,
        sha256="0" * 64,
        manifest={"counts": counts or COUNTS},
    )


def make_checkpoint(run, **card):
    defaults = {
        "objective": run.objective,
        "config": {"steps": 100, "learning_rate": 0.001},
        "metrics": {"train_loss": 0.5, "validation": {"f1": 0.7, "exact": 0.6, "count": 10}},
        "label_rule": {"labels": "mixed"},
        "counts": {"train_rows": 80},
        "seconds": 50,
    }
    return Checkpoint.objects.create(run=run, folder="1" * 64, sha256="1" * 64, card={**defaults, **card})


def asked(snapshot, **changes):
    form = {
        "snapshot": snapshot.pk, "labels": "mixed", "objective": "classifier", "base": "pocket", "epochs": 2,
        "batch_size": 16, "learning_rate": 0.001, "lora": 0, "seed": 3,
    }  # fmt: skip
    return {**form, **changes}


def test_an_admin_starts_a_run_and_is_told_before_what_it_takes(client):
    log_in(client, "admin")
    snapshot = make_snapshot()
    plan = client.get(reverse("training:start"), asked(snapshot)).context["plan"]
    assert plan.can_start and plan.updates == 10
    client.post(reverse("training:start"), asked(snapshot))
    run = TrainingRun.objects.get()
    assert run.job.queue == "gpu"
    arguments = run.job.spec["arguments"]
    assert arguments[arguments.index("--epochs") + 1] == "2.0"
    assert arguments[arguments.index("--out") + 1] == "{out}/checkpoint"
    assert "--lora" not in arguments


@pytest.mark.parametrize(
    ("labels", "counts", "wanted"),
    [("human", COUNTS, "automatic"), ("mixed", {**COUNTS, "train": 0}, "mixed"),
     ("mixed", {**COUNTS, "labelled_steps": 0}, "mixed")],
)  # fmt: skip
def test_a_run_that_would_fail_is_not_started(client, labels, counts, wanted):
    log_in(client, "admin")
    page = client.post(reverse("training:start"), asked(make_snapshot(labels, counts), labels=wanted))
    assert page.status_code == 200
    assert not page.context["plan"].can_start
    assert not TrainingRun.objects.exists() and not Job.objects.exists()


@pytest.mark.parametrize(
    ("asked_for", "seconds"),
    [({}, 100), ({"trees": "problem"}, 900), ({"batch_size": 64}, None), ({"base": "small"}, None)],
)
def test_a_plan_s_time_comes_from_runs_whose_updates_are_of_its_kind(client, asked_for, seconds):
    log_in(client, "admin")
    snapshot = make_snapshot()
    paces = [("solution", 80), ("solution", 120), ("problem", 900)]
    for number, (trees, took) in enumerate(paces):
        run = start_training(snapshot, "mixed")
        config = {"steps": 100, "batch_size": 16, "trees": trees}
        card = {"config": config, "seconds": took}
        Checkpoint.objects.create(run=run, folder=str(number) * 64, sha256=str(number) * 64, card=card)
    plan = client.get(reverse("training:start"), asked(snapshot, steps=100, **asked_for)).context["plan"]
    assert plan.seconds == seconds


def test_an_unknown_option_is_refused_by_the_service():
    with pytest.raises(Exception, match="configuration out, expected some of"):
        start_training(make_snapshot(), "mixed", configuration={"out": "/etc"})


def test_the_curve_is_drawn_from_what_the_job_reported_so_far(client):
    log_in(client, "reviewer")
    run = start_training(make_snapshot(), "mixed")
    run.job.folder.mkdir(parents=True)
    lines = [{"done": step, "metrics": {"loss": 1 / step, "accuracy": 0.5}} for step in (1, 2, 3, 2)]
    (run.job.folder / "progress.jsonl").write_text("\n".join(map(json.dumps, lines)) + '\n{"done": 4, "met')
    page = client.get(reverse("training:run", args=[run.pk]))
    loss = page.context["charts"][0]
    assert [row[1:] for row in loss.rows] == [("1", "1"), ("2", "0.5"), ("3", "0.3333")]
    assert "hx-trigger" in page.content.decode()


@pytest.mark.parametrize(("state", "expected"), [("running", 1900), ("queued", None), ("cancelled", None)])
def test_the_time_left_is_at_the_pace_of_the_attempt_that_runs(client, state, expected):
    log_in(client, "reviewer")
    run = start_training(make_snapshot(), "mixed")
    report = {"done": 810, "begun_at": 800, "total": 1000, "seconds": 100.0}
    Job.objects.filter(pk=run.job_id).update(state=state, progress=report)
    page = client.get(reverse("training:run", args=[run.pk]))
    assert page.context["seconds_left"] == (None if expected is None else pytest.approx(expected))


def test_runs_stand_side_by_side_and_what_differs_comes_first(client):
    log_in(client, "reviewer")
    snapshot = make_snapshot()
    runs = [start_training(snapshot, "mixed", seed=seed) for seed in (1, 2)]
    for run, f1 in zip(runs, (0.7, 0.8), strict=True):
        make_checkpoint(run, metrics={"validation": {"f1": f1}})
    page = client.get(reverse("training:compare"), {"run": [run.pk for run in runs]})
    assert page.context["differences"][0][:2] == ("Seed", [2, 1])
    assert ("Validation F1", [0.8, 0.7], False) in page.context["results"]


@pytest.mark.parametrize(
    ("others", "told"),
    [
        ({"count": 12, "f1": 0.625, "exact": 0.5}, "On the other 12: F1 0.625, exact 50"),
        ({"count": 0, "f1": None, "exact": None}, "learned by heart"),
    ],
)
def test_a_checkpoint_s_page_tells_figures_on_its_own_training_problems_apart(client, others, told):
    log_in(client, "reviewer")
    checkpoint = make_checkpoint(start_training(make_snapshot(), "mixed"))
    held_out = {"f1": 0.9, "exact": 0.9, "accuracy_wrong": 0.9, "accuracy_right": 0.9}
    result = {
        "count": 30,
        "held_out": held_out,
        "of_training_problems": 30 - others["count"],
        "unseen": others,
    }
    make_evaluation(checkpoint, result)
    page = client.get(reverse("training:checkpoint", args=[checkpoint.pk])).content.decode()
    assert told in page


def test_a_checkpoint_s_page_tells_what_known_answers_are_worth_where_they_were_counted(client):
    log_in(client, "reviewer")
    checkpoint = make_checkpoint(start_training(make_snapshot(), "mixed"))
    held_out = {"f1": 0.5, "exact": 0.5, "accuracy_wrong": 0.5, "accuracy_right": 0.5}
    plain = {"count": 30, "held_out": held_out}
    counted = plain | {"most_likely": {"with_answers": {"count": 28, "exact": 0.77}}}
    words = "of 28 whose answer is known to be right or wrong"
    for result, is_told in ((plain, False), (counted, True)):
        make_evaluation(checkpoint, result)
        page = client.get(reverse("training:checkpoint", args=[checkpoint.pk])).content.decode()
        assert (words in page) == ("77.0 %" in page) == is_told


def test_a_checkpoint_tells_where_it_comes_from(client):
    log_in(client, "reviewer")
    campaign = make_campaign("Arithmetic")
    annotator = make_user("annotator", username="ann")
    make_annotation(make_task(campaign, make_solution()), annotator)
    checkpoint = make_checkpoint(start_training(freeze(campaign, "human"), "human"))
    page = client.get(reverse("training:checkpoint", args=[checkpoint.pk]))
    assert page.context["lineage"].people == [(annotator, 1)]
    assert "Arithmetic" in page.content.decode()
    assert "Score this campaign" not in page.content.decode()


def test_a_card_is_told_in_words_in_a_fixed_order(client):
    log_in(client, "admin")
    run = start_training(make_snapshot(), "mixed")
    rule = {"labels": "mixed", "neutral": "drop", "after_mistake": "none", "threshold": 0.25}
    counts = {"labelled_steps": 7, "news": 1, "train_rows": 8000}
    page = client.get(
        reverse("training:checkpoint", args=[make_checkpoint(run, label_rule=rule, counts=counts).pk])
    )
    assert page.context["counts"] == [
        ("Solutions in the training split", 8000),
        ("Labelled steps", 7),
        ("news", 1),
    ]
    told = page.content.decode()
    for words in (
        "A neutral step counts as: unlabelled",
        "Behind the first mistake: no label",
        "rollouts: 0.25",
        ">8,000<",
    ):
        assert words in told
    with translation.override("ko"):
        assert counts_in_words(counts)[0][0] == "학습용 풀이"


def test_scoring_is_asked_for_by_an_admin_only(client):
    checkpoint = make_checkpoint(start_training(make_snapshot(), "mixed"))
    campaign = make_campaign()
    make_task(campaign)
    address = reverse("training:score", args=[checkpoint.pk])
    log_in(client, "reviewer")
    assert client.post(address, {"campaign": campaign.pk}).status_code == 403
    log_in(client, "admin")
    answer = client.post(address, {"campaign": campaign.pk})
    run = checkpoint.score_runs.get()
    assert answer.url == reverse("training:scores", args=[run.pk])
    assert client.get(answer.url).status_code == 200


def test_an_evaluation_without_scores_says_what_is_missing(client):
    log_in(client, "admin")
    checkpoint = make_checkpoint(start_training(make_snapshot(), "mixed"))
    campaign = make_campaign()
    page = client.post(
        reverse("training:evaluate", args=[checkpoint.pk]),
        {"campaign": campaign.pk, "kind": "best-of-n"},
        follow=True,
    )
    assert "has no scores of" in page.content.decode()


@pytest.mark.parametrize(
    ("kind", "left_out", "told"),
    [
        ("first-mistake", "never_scored", "solution"),
        ("first-mistake", "behind_chosen_steps", "solution"),
        ("best-of-n", "never_scored", "solution"),
        ("best-of-n", "training_problems_left_out", "problem"),
    ],
)
def test_an_evaluation_says_how_much_was_left_out(client, kind, left_out, told):
    log_in(client, "reviewer")
    checkpoint = make_checkpoint(start_training(make_snapshot(), "mixed"))
    for count, words in (
        (None, None),
        (0, None),
        (1, f"1 {told} is left out"),
        (9000, f"9,000 {told}s are left out"),
    ):
        result = {"count": 10, "problems": 10, left_out: count}
        evaluation = make_evaluation(checkpoint, result, kind)
        page = client.get(reverse("training:checkpoint", args=[checkpoint.pk])).content.decode()
        assert words in page if words else "left out" not in page
        evaluation.delete()


def test_a_best_of_n_says_how_many_solutions_had_no_vote(client):
    log_in(client, "reviewer")
    checkpoint = make_checkpoint(start_training(make_snapshot(), "mixed"))
    result = {"count": 10, "problems": 10, "candidates_without_answer": 1200}
    make_evaluation(checkpoint, result, kind="best-of-n")
    page = client.get(reverse("training:checkpoint", args=[checkpoint.pk])).content.decode()
    assert "1,200 solutions have no final answer, and so no vote." in page


def test_an_evaluation_of_an_unknown_kind_is_refused(client):
    log_in(client, "admin")
    checkpoint = make_checkpoint(start_training(make_snapshot(), "mixed"))
    address = reverse("training:evaluate", args=[checkpoint.pk])
    assert client.post(address, {"campaign": make_campaign().pk, "kind": "worst"}).status_code == 400


@pytest.mark.parametrize(("role", "expected"), [("annotator", 403), (None, 302)])
def test_annotators_and_outsiders_see_no_training(client, role, expected):
    run = start_training(make_snapshot(), "mixed")
    checkpoint = make_checkpoint(run)
    if role:
        log_in(client, role)
    names = [("list", []), ("start", []), ("compare", []), ("run", [run.pk]), ("checkpoint", [checkpoint.pk])]
    assert {client.get(reverse(f"training:{name}", args=args)).status_code for name, args in names} == {
        expected
    }
