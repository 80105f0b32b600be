"""The pages of training name settings and figures in the reader's language."""

import re
from pathlib import Path

import pytest
from django.urls import reverse
from django.utils import translation

from labelsite.jobs.models import Job
from labelsite.snapshots.models import Snapshot
from labelsite.training.comparing import flat
from labelsite.training.services import score_campaign, start_training
from labelsite.training.wording import MEASURES, NAMES, OBJECTIVE_NAMES, said
from ml.evaluation.first_mistake import first_mistake_report
from ml.prm.identity import config_of
from ml.prm.request import Request
from ml.prm.train import TrainingSettings
from ml.training_choices import HEADS, OBJECTIVES, PREFERENCE_OUTPUTS
from tests.factories import log_in, make_evaluation, make_task, make_user
from tests.training.test_pages import asked, make_checkpoint, make_snapshot

pytestmark = pytest.mark.django_db
CONFIG = {
    **config_of(Request(Path("snapshot"), Path("out")), TrainingSettings("classifier", 10)),
    "processes": 1,
    "sharded": False,
}
FIGURES = {name: first_mistake_report([[0.9]], [None])[name] for name in ("threshold", "f1", "count_wrong")}
KOREAN = {
    "labels": "사람과 자동 라벨",
    "objective": "단계 분류기: 각 단계가 맞는가?",
}


@pytest.fixture
def runs(client):
    log_in(client, "admin")
    found = [start_training(make_snapshot(), "mixed", seed=seed) for seed in (1, 2)]
    for number, run in enumerate(found):
        # Names are somebody's own words, in whatever language.
        Snapshot.objects.filter(pk=run.snapshot_id).update(name=f"Frozen {number}")
        run.name = f"Run {number}"
        run.save()
        make_checkpoint(run, config=CONFIG, metrics={"train_loss": 0.5, "validation": FIGURES})
    return found


def page_of(client, name, *args, language="en", **query):
    address = reverse(f"training:{name}", args=args)
    return client.get(address, query, headers={"accept-language": language})


def text_of(page):
    """What the page shows, without its tags and scripts."""
    body = re.sub(r"<script.*?</script>", "", page.content.decode(), flags=re.S)
    return re.sub(r"<[^>]*>", "\n", body)


def test_one_of_anything_is_told_as_one(client, runs):
    held_out = make_snapshot(counts={"train": 80, "labelled_steps": 300, "validation": 1})
    plan = page_of(client, "start", **asked(held_out)).context["plan"]
    assert any(check.text == "1 solution of another problem to validate on" for check in plan.checks)
    checkpoint = runs[0].checkpoint
    result = {"count": 1, "of_training_problems": 1, "held_out": {}, "unseen": {}, "steps": {"count": 1}}
    make_evaluation(checkpoint, result)
    row = {"rule": "product", "n": 8, "accuracy": 1.0, "low": 1.0, "high": 1.0}
    best = {"problems": 1, "candidates": 8, "rows": [row]}
    make_evaluation(checkpoint, best, kind="best-of-n")
    told = text_of(page_of(client, "checkpoint", checkpoint.pk))
    for words in (
        "8 solutions of 1 problem.", "exact, of 1 solution\n", "area under ROC, 1 step\n", "the problem of this 1 sol",
    ):  # fmt: skip
        assert words in told
    task = make_task()
    score_campaign(checkpoint, task.campaign, make_user("admin"))
    scores = checkpoint.score_runs.get()
    done = {"before": [], "after": [], "solutions": 1, "steps": 1}
    Job.objects.filter(pk=scores.job_id).update(state="done", result=done)
    assert "\n1 solution, 1 step\n" in text_of(page_of(client, "scores", scores.pk))


def test_every_setting_and_figure_of_a_card_has_words():
    names = set(CONFIG) - set(NAMES)
    assert not names
    metrics = {"train_loss": 0.5, "train_accuracy": 0.5, "validation": FIGURES}
    assert not set(flat(metrics)) - set(MEASURES)
    options = {"objective": OBJECTIVES, "head": HEADS, "preference_output": PREFERENCE_OUTPUTS}
    assert not [
        value for name, values in options.items() for value in values if said(name, value)[1] == value
    ]


@pytest.mark.parametrize("page", ["list", "run", "checkpoint"])
def test_pages_of_a_run_say_its_labels_and_objective_in_words(client, runs, page):
    args = {"list": [], "run": [runs[0].pk], "checkpoint": [runs[0].checkpoint.pk]}[page]
    english = text_of(page_of(client, page, *args))
    assert str(OBJECTIVE_NAMES["classifier"]) in english
    assert page == "checkpoint" or "people&#x27;s and automatic labels" in english
    korean = text_of(page_of(client, page, *args, language="ko"))
    assert KOREAN["objective"] in korean
    assert page == "checkpoint" or KOREAN["labels"] in korean
    assert not re.search(r"\b(classifier|mixed)\b", korean)


def test_compared_runs_have_settings_and_figures_in_words(client, runs):
    query = {"run": [run.pk for run in runs]}
    for language, labels, objective, loss, score in (
        ("en", "Labels", "Objective", "Last loss", "Validation F1"),
        ("ko", "라벨", "목적 함수", "마지막 손실", "검증 F1"),
    ):
        context = page_of(client, "compare", language=language, **query).context
        settings = {name: values for name, values, _ in context["differences"]}
        with translation.override(language):
            assert settings[labels] == [said("labels", "mixed")[1]] * 2
            assert settings[objective] == [str(OBJECTIVE_NAMES["classifier"])] * 2
        assert {loss, score} <= {name for name, _values, _ in context["results"]}


def test_every_setting_on_a_checkpoint_s_page_has_a_korean_name(client, runs):
    page = page_of(client, "checkpoint", runs[0].checkpoint.pk, language="ko")
    settings = dict(page.context["settings"])
    assert settings["학습률"] == CONFIG["learning_rate"]
    assert "LoRA 랭크" in settings
    assert not [name for name in settings if not re.search("[가-힣]", name)]


def test_what_is_wrong_in_the_form_is_told_by_the_field_s_label(client):
    log_in(client, "admin")
    form = asked(make_snapshot(), batch_size=0)
    for language, label in (("en", "Examples in an update"), ("ko", "한 번 갱신에 쓰는 예제")):
        page = client.get(
            reverse("training:start"), form, headers={"accept-language": language, "hx-request": "true"}
        )
        assert f"{label}: " in text_of(page)
        assert "batch_size" not in text_of(page)


def test_a_training_that_nobody_named_is_named_in_the_language_of_whoever_starts_it():
    snapshot = make_snapshot()
    with translation.override("ko"):
        run = start_training(snapshot, "mixed")
        again = start_training(snapshot, "mixed")
    assert run.name == run.job.title == f"단계 분류기 · 사람과 자동 라벨 · {snapshot.name}"
    assert again.name == again.job.title == f"{run.name} (2)"


def test_what_was_cut_off_or_left_out_is_told_on_both_pages_and_nothing_where_nothing_was(client):
    log_in(client, "admin")
    run = start_training(make_snapshot(), "mixed")
    lost = {"truncated_steps": 3, "too_long_solutions": 2, "disbelieved_rows": 0}
    checkpoint = make_checkpoint(run, counts={"train_rows": 80, **lost})
    pages = [("run", run.pk), ("checkpoint", checkpoint.pk)]
    told = "Solutions left out for a step beyond the context: 2 · Steps beyond the context: 3</p>"
    for name, pk in pages:
        assert told in page_of(client, name, pk).content.decode()
    checkpoint.card["counts"] = {"train_rows": 80, "truncated_steps": 0}
    checkpoint.save()
    for name, pk in pages:
        assert "Left out or cut off" not in page_of(client, name, pk).content.decode()


def test_a_finished_run_and_its_checkpoint_begin_with_what_the_validation_found(client):
    log_in(client, "admin")
    run = start_training(make_snapshot(), "mixed")
    run.job.progress = {"metrics": {"loss": 0.1, "accuracy": 1.0, "labelled_steps_per_second": 900.0}}
    run.job.save()
    assert "accuracy on the batch" in text_of(page_of(client, "run", run.pk))
    checkpoint = make_checkpoint(run, metrics={"validation": {"f1": 0.714, "exact": 0.62, "count": 10}})
    text = text_of(page_of(client, "run", run.pk))
    assert "0.714" in text and "62.0 %" in text and "accuracy on the batch" not in text
    text = text_of(page_of(client, "checkpoint", checkpoint.pk))
    assert text.index("0.714") < text.index("Score a campaign") < text.index("Objective")
