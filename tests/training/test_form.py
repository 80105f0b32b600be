"""What the training page's form hands to the command, and what it refuses by itself."""

import pytest
from django.urls import reverse

from labelsite.training.forms import TrainingForm
from labelsite.training.models import TrainingRun
from labelsite.training.services import start_training
from ml.errors import MisstepError
from tests.api.conftest import script_of
from tests.factories import log_in
from tests.training.test_pages import asked, make_snapshot

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "base", ["--out=/etc", "pockett", "Qwen/Qwen2.5-0.5B", "https://host/model", "모" * 200]
)
def test_a_base_that_no_worker_can_have_is_refused_at_its_field(client, base):
    admin = log_in(client, "admin")
    snapshot = make_snapshot()
    page = client.post(reverse("training:start"), asked(snapshot, base=base))
    assert page.context["form"].errors["base"]
    body = {"snapshot": snapshot.pk, "labels": "human", "base": base}
    answer = script_of(admin).post("/api/v1/trainings/", body, format="json")
    assert answer.status_code == 400 and list(answer.json()["errors"]) == ["base"]
    with pytest.raises(MisstepError):
        start_training(snapshot, "human", base=base)
    assert not TrainingRun.objects.exists()


@pytest.mark.parametrize(
    ("field", "texts", "more"),
    [
        ("class_weights", "0 1", {}),
        ("class_weights", "-1 1", {}),
        ("class_weights", "nan 1", {}),
        ("target_tokens", "-no -yes", {"head": "tokens"}),
        ("target_tokens", "a\0b c", {"head": "tokens"}),
        ("lora_targets", "-a", {"lora": 4}),
    ],
)
def test_each_of_several_texts_or_numbers_is_refused_at_its_field_as_the_command_would(
    client, field, texts, more
):
    log_in(client, "admin")
    page = client.post(reverse("training:start"), asked(make_snapshot(), **{field: texts}, **more))
    assert page.status_code == 200 and page.context["form"].errors[field]
    assert not TrainingRun.objects.exists()


def test_what_only_the_start_refuses_is_said_in_the_form_which_stays_filled_in(client, monkeypatch):
    def refuse(*given, **more):
        raise MisstepError("this much, expected less")

    log_in(client, "admin")
    monkeypatch.setattr("labelsite.training.services.start_training", refuse)
    page = client.post(reverse("training:start"), asked(make_snapshot(), seed=77))
    assert "this much, expected less" in page.content.decode() and 'value="77"' in page.content.decode()


@pytest.mark.parametrize(
    ("choice", "updates", "told"),
    [
        ({}, 10, "80 solutions to train on"),
        ({"limit": 32}, 4, "32 solutions to train on"),
        ({"labels": "human"}, None, "at most 80 solutions to train on"),
        ({"labels": "automatic", "steps": 7, "limit": 9}, 7, "at most 9 solutions to train on"),
    ],
)
def test_what_is_told_before_the_start_is_of_the_rows_that_it_may_train_on(client, choice, updates, told):
    log_in(client, "admin")
    page = client.get(reverse("training:start"), asked(make_snapshot(), **choice))
    plan = page.context["plan"]
    assert (
        plan.can_start
        and plan.updates == updates
        and any(check.text.startswith(told) for check in plan.checks)
    )
    assert any("labelled step" in check.text for check in plan.checks) == (not choice)


ANSWERS = {"train": 80, "validation": 10, "labelled_steps": 0, "solutions_kept_without_labels": 90}


@pytest.mark.parametrize(
    ("counts", "choice", "can_start", "told"),
    [
        (ANSWERS, {"objective": "outcome"}, True, "90 solutions without labels, which their answers teach"),
        (ANSWERS, {}, False, "90 solutions without labels, which teach this run nothing"),
        (
            {**ANSWERS, "labelled_steps": 9},
            {"head": "likelihood", "outcomes": "on"},
            True,
            "90 solutions without labels, which their answers teach",
        ),
    ],
)
def test_answers_alone_can_be_learned_from_and_a_run_that_does_not_says_so(
    client, counts, choice, can_start, told
):
    log_in(client, "admin")
    page = client.get(reverse("training:start"), asked(make_snapshot(counts=counts), **choice))
    plan = page.context["plan"]
    assert plan.can_start == can_start and told in [check.text for check in plan.checks]


def test_a_run_that_would_validate_on_its_way_and_has_nothing_to_validate_on_is_not_started(client):
    admin = log_in(client, "admin")
    snapshot = make_snapshot(counts={"train": 80, "labelled_steps": 300})
    page = client.post(reverse("training:start"), asked(snapshot, validate_every=50))
    fatal = [check.text for check in page.context["plan"].checks if check.is_fatal]
    assert fatal == ["nothing to validate on: no problem fell into that split"]
    body = {"snapshot": snapshot.pk, "labels": "mixed", "configuration": {"validate_every": 50}}
    assert script_of(admin).post("/api/v1/trainings/", body, format="json").status_code == 422
    assert not TrainingRun.objects.exists()
    # At the end only, it is left out.
    assert client.post(reverse("training:start"), asked(snapshot)).status_code == 302


def test_target_tokens_reach_the_command_where_the_objective_has_classes(client):
    log_in(client, "admin")
    page = client.post(reverse("training:start"), asked(make_snapshot(), head="tokens", objective="value"))
    assert page.context["form"].errors["head"] and not TrainingRun.objects.exists()
    client.post(reverse("training:start"), asked(make_snapshot(), head="tokens"))
    arguments = TrainingRun.objects.get().job.spec["arguments"]
    assert arguments[arguments.index("--head") + 1] == "tokens"


def test_a_tolerance_of_nothing_reaches_the_command_and_another_head_has_none(client):
    log_in(client, "admin")
    page = client.post(reverse("training:start"), asked(make_snapshot(), tolerance="0"))
    assert page.context["form"].errors["tolerance"] and not TrainingRun.objects.exists()
    client.post(reverse("training:start"), asked(make_snapshot(), head="likelihood", tolerance="0"))
    arguments = TrainingRun.objects.get().job.spec["arguments"]
    assert float(arguments[arguments.index("--tolerance") + 1]) == 0.0


def test_a_run_reads_whole_problems_and_steps_by_muon_where_asked(client):
    log_in(client, "admin")
    snapshot, wanted = make_snapshot(), {"trees": "problem", "optimizer": "muon"}
    page = client.post(reverse("training:start"), asked(snapshot, objective="preference", **wanted))
    assert page.context["form"].errors["trees"] and not TrainingRun.objects.exists()
    # A pass over problems has fewer updates than one over solutions, and how many is not known before.
    for groups in (wanted, {"objective": "preference"}):
        plan = client.get(reverse("training:start"), asked(snapshot, **groups)).context["plan"]
        assert plan.updates is None
    client.post(reverse("training:start"), asked(snapshot, **wanted))
    run = TrainingRun.objects.get()
    arguments = run.job.spec["arguments"]
    for name, value in wanted.items():
        assert arguments[arguments.index(f"--{name}") + 1] == value
    assert (
        "a problem with all of its solutions"
        in client.get(reverse("training:run", args=[run.pk])).content.decode()
    )


def test_every_field_stands_in_a_group_and_what_is_folded_opens_where_something_was_refused(client):
    log_in(client, "admin")
    groups = TrainingForm().groups()
    shown = [field.name for group in groups for field in [*group.fields, *group.folded]]
    shown += [field.name for _title, fields in TrainingForm().more() for field in fields]
    assert sorted(shown) == sorted(TrainingForm().fields)
    snapshot = make_snapshot()
    untouched = client.get(reverse("training:start")).content.decode()
    refused = client.post(reverse("training:start"), asked(snapshot, head="tokens", objective="value"))
    assert "<details>" in untouched and "<details open>" not in untouched
    assert "<details open>" in refused.content.decode()
