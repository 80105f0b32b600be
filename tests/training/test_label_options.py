"""Classes and the label rule of a run: chosen on the form, checked before the start, shown on its pages."""

from __future__ import annotations

from dataclasses import asdict

import pytest
from django.urls import reverse

from labelsite.jobs.shared_folder import in_var
from labelsite.snapshots.models import Snapshot
from labelsite.training.checkpoints import checkpoint_path
from labelsite.training.joining import joined
from labelsite.training.label_checks import takes_second_opinion
from labelsite.training.models import Checkpoint, TrainingRun
from labelsite.training.options import FLAGS
from labelsite.training.services import start_training
from ml.commands.train import parser
from ml.errors import MisstepError
from ml.targets import LabelRule
from tests.factories import make_user
from tests.training.test_pages import COUNTS, asked, make_checkpoint, make_snapshot

pytestmark = pytest.mark.django_db
# What a flag acts with: objective, base and options.
NEEDED = {
    "no_final_pairs": ("preference", "pocket", {}),
    "fill_pairs": ("preference", "pocket", {}),
    "outcomes": ("classifier", "pocket", {"head": "likelihood"}),
    "unpacked": ("classifier", "/some/folder", {}),
}


@pytest.fixture(autouse=True)
def admin(client):
    client.force_login(make_user("admin"))


def frozen(labels="mixed", **rule):
    snapshot = make_snapshot(labels)
    snapshot.manifest = {"counts": COUNTS, "rule": asdict(LabelRule(labels=labels, **rule))}
    snapshot.save()
    return snapshot


def doubts(client, snapshot, **changes):
    """What the check before the start says against it, the rest being well."""
    plan = client.get(reverse("training:start"), asked(snapshot, **changes)).context["plan"]
    assert plan.can_start
    return [check.text for check in plan.checks if not check.is_good]


def rule_in_words(client, snapshot, **changes):
    plan = client.get(reverse("training:start"), asked(snapshot, **changes)).context["plan"]
    return next(check.text for check in plan.checks if check.text.startswith("labels "))


def test_what_is_chosen_reaches_the_command_in_its_own_words(client):
    chosen = {
        "neutral": "positive",
        "target": "soft",
        "threshold": 0.25,
        "label_rule": "people_override",
        "classes": 3,
    }
    client.post(reverse("training:start"), asked(frozen(), **chosen))
    told = parser().parse_args(TrainingRun.objects.get().job.spec["arguments"])
    assert {name: getattr(told, name) for name in chosen} == chosen


@pytest.mark.parametrize("flag", FLAGS)
@pytest.mark.parametrize(
    ("value", "is_on"), [(True, True), (1, True), (False, False), (0, False), (0.0, False)]
)
def test_a_flag_is_on_for_true_alone(flag, value, is_on):
    objective, base, needed = NEEDED.get(flag, ("classifier", "pocket", {}))
    run = start_training(frozen(), "mixed", objective, base, configuration={**needed, flag: value})
    assert getattr(parser().parse_args(run.job.spec["arguments"]), flag) is is_on
    assert (flag in run.configuration) is is_on


@pytest.mark.parametrize("value", ["false", "0", "no", "true", 2, -1, 0.5, ["x"]])
def test_a_flag_that_is_neither_true_nor_false_is_refused(value):
    with pytest.raises(MisstepError, match=r"configuration bf16 .*, expected true or false"):
        start_training(frozen(), "mixed", configuration={"bf16": value})
    assert not TrainingRun.objects.exists()


def test_a_0_is_a_value_where_an_option_takes_one():
    chosen = {"threshold": 0, "tolerance": 0, "head": "likelihood"}
    run = start_training(frozen(), "mixed", configuration=chosen)
    told = parser().parse_args(run.job.spec["arguments"])
    assert (told.threshold, told.tolerance) == (0.0, 0.0)


def test_a_second_opinion_reaches_the_command_as_a_checkpoint_s_folder(client):
    earlier = make_checkpoint(start_training(frozen(), "mixed"))
    client.post(reverse("training:start"), asked(frozen(), second_opinion=earlier.pk))
    run = TrainingRun.objects.latest("pk")
    told = parser().parse_args(run.job.spec["arguments"])
    assert str(told.second_opinion) == in_var(checkpoint_path(earlier))
    assert run.configuration["second_opinion"] == earlier.sha256


@pytest.mark.parametrize(
    ("kind", "rule", "changes"),
    [
        ("human", {}, {"labels": "human"}),
        ("mixed", {"mixture": "fusion"}, {}),
        ("mixed", {}, {"label_rule": "consensus"}),
    ],
)
def test_a_second_opinion_on_labels_that_are_not_rollouts_own_does_not_start(client, kind, rule, changes):
    earlier = make_checkpoint(start_training(frozen(), "mixed"))
    given = asked(frozen(kind, **rule), second_opinion=earlier.pk, **changes)
    plan = client.get(reverse("training:start"), given).context["plan"]
    assert not plan.can_start
    assert any("nothing to ask a second opinion about" in check.text for check in plan.checks)


def test_a_second_opinion_is_offered_on_what_a_second_method_confirmed():
    plain = Snapshot(
        name="plain", labels="mixed", sha256="1" * 64, manifest={"rule": {"mixture": "consensus"}}
    )
    confirmed = Snapshot(name="confirmed", labels="mixed", sha256="2" * 64)
    confirmed.manifest = {**plain.manifest, "second_verdicts": {}}
    assert takes_second_opinion(confirmed, [confirmed], "mixed", {})
    assert not takes_second_opinion(confirmed, [confirmed], "mixed", {"mixture": "fusion"})
    assert not takes_second_opinion(confirmed, [confirmed], "human", {})
    parts = [plain, confirmed]
    assert takes_second_opinion(joined(parts), parts, "mixed", {})
    assert not takes_second_opinion(plain, [plain], "mixed", {})


@pytest.mark.parametrize("neutral", ["drop", "negative"])
def test_a_class_for_neutrals_that_the_rule_takes_away_does_not_start(client, neutral):
    for rule, choice in (({"neutral": neutral}, {}), ({}, {"neutral": neutral})):
        given = asked(frozen("human", **rule), labels="human", classes=3, **choice)
        plan = client.get(reverse("training:start"), given).context["plan"]
        assert not plan.can_start
        assert any("neutral is a class of its own" in check.text for check in plan.checks)


def test_a_classifier_of_quality_values_does_not_start_and_a_value_model_of_them_does(client):
    for rule, choice in (({"target": "quality_value"}, {}), ({}, {"target": "quality_value"})):
        for objective, can_start in (("classifier", False), ("value", True)):
            given = asked(frozen(**rule), objective=objective, **choice)
            plan = client.get(reverse("training:start"), given).context["plan"]
            assert plan.can_start is can_start, [check.text for check in plan.checks]
            assert any("how far a solution has come" in c.text for c in plan.checks) is not can_start


@pytest.mark.parametrize("mixture", ["fusion", "agreement_weighted"])
def test_a_class_for_neutrals_that_a_mean_swallows_does_not_start(client, mixture):
    for rule, choice in (({"mixture": mixture}, {}), ({}, {"label_rule": mixture})):
        plan = client.get(reverse("training:start"), asked(frozen(**rule), classes=3, **choice)).context[
            "plan"
        ]
        assert not plan.can_start
        assert any("is never neutral" in check.text for check in plan.checks)


def test_a_second_opinion_is_a_step_classifier_s_on_step_labels(client):
    earlier = make_checkpoint(start_training(frozen(), "mixed"))
    answer = client.post(
        reverse("training:start"), asked(frozen(), second_opinion=earlier.pk, objective="outcome")
    )
    assert "Only where “Objective” is: step classifier." in answer.content.decode()
    other = start_training(frozen(), "mixed", objective="outcome")
    Checkpoint.objects.update(run=other)
    for unknown in ("0" * 64, earlier.sha256):
        with pytest.raises(MisstepError, match="expected the sha256 of a step classifier that is here"):
            start_training(frozen(), "mixed", configuration={"second_opinion": unknown})


def test_nothing_chosen_leaves_the_labels_as_they_were_frozen(client):
    snapshot = frozen(neutral="negative")
    assert rule_in_words(client, snapshot).startswith(
        "labels as they were frozen · A neutral step counts as: wrong"
    )
    client.post(reverse("training:start"), asked(snapshot))
    arguments = TrainingRun.objects.get().job.spec["arguments"]
    assert not {"--neutral", "--target", "--threshold", "--label-rule", "--classes"} & set(arguments)


def test_a_threshold_of_zero_is_a_choice_and_an_empty_one_is_none(client):
    snapshot = frozen(threshold=0.5)
    client.post(reverse("training:start"), asked(snapshot, threshold="0"))
    client.post(reverse("training:start"), asked(snapshot, threshold=""))
    zero, empty = TrainingRun.objects.order_by("pk")
    assert zero.configuration["threshold"] == 0 and "threshold" not in empty.configuration
    assert parser().parse_args(zero.job.spec["arguments"]).threshold == 0


def test_a_choice_that_undoes_another_one_of_the_frozen_rule_is_told(client):
    snapshot = frozen(neutral="negative")
    [doubt] = doubts(client, snapshot, target="soft")
    assert doubt.startswith("the snapshot was frozen with another rule")
    assert "counts as: correct" in rule_in_words(client, snapshot, target="soft")
    assert doubts(client, snapshot, target="soft", neutral="negative") == []


def test_a_choice_with_an_unexpected_effect_is_told_before_the_start(client):
    [found] = doubts(client, frozen("automatic"), labels="automatic", classes=3)
    assert found.startswith("rollouts never call a step neutral")


@pytest.mark.parametrize(
    ("labels", "choice", "complaint"),
    [
        ("human", {"target": "soft"}, "“Rollouts give” changes nothing"),
        ("human", {"threshold": 0.5}, "“Right above this share of right rollouts” changes nothing"),
        ("automatic", {"neutral": "drop"}, "“A neutral step counts as” changes nothing"),
        ("automatic", {"label_rule": "consensus"}, "“Where people and rollouts both spoke” changes nothing"),
        ("mixed", {"label_rule": "consensus", "target": "soft"}, "“Rollouts give” changes nothing"),
        ("mixed", {"label_rule": "fusion", "threshold": 0.5}, "“Right above this share of right rollouts”"),
    ],
)
def test_a_choice_that_the_command_would_refuse_does_not_start(client, labels, choice, complaint):
    snapshot = frozen(labels)
    plan = client.get(reverse("training:start"), asked(snapshot, labels=labels, **choice)).context["plan"]
    assert not plan.can_start and any(check.text.startswith(complaint) for check in plan.checks)
    with pytest.raises(MisstepError, match=complaint):
        start_training(snapshot, labels, configuration=choice)
    assert not TrainingRun.objects.exists()


@pytest.mark.parametrize("mixture", ["fusion", "people_override"])
def test_fusion_is_fitted_anew_however_the_snapshot_was_frozen(client, mixture):
    assert doubts(client, frozen(mixture=mixture), label_rule="fusion") == []


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("classes", {"classes": 3, "objective": "value"}),
        ("classes", {"classes": 4}),
        ("threshold", {"threshold": 1}),
        ("threshold", {"threshold": -0.1}),
        ("neutral", {"neutral": "maybe"}),
        ("label_rule", {"label_rule": "louder"}),
    ],
)
def test_what_the_command_would_refuse_is_refused_on_the_form(client, field, change):
    page = client.post(reverse("training:start"), asked(frozen(), **change))
    assert page.context["form"].errors[field] and not TrainingRun.objects.exists()


def test_the_runs_page_says_what_was_chosen(client):
    run = start_training(frozen(), "mixed", configuration={"classes": 3, "threshold": 0.0, "neutral": "drop"})
    page = client.get(reverse("training:run", args=[run.pk]))
    assert dict(page.context["settings"]) == {
        "Classes": 3,
        "Right above this share of right rollouts": 0.0,
        "A neutral step counts as": "unlabelled",
    }


def test_compared_runs_differ_in_the_same_words_before_and_after_their_checkpoints(client):
    waiting = start_training(frozen(), "mixed", configuration={"classes": 3, "label_rule": "consensus"})
    done = start_training(waiting.snapshot, "mixed")
    rule = asdict(LabelRule(labels="mixed"))
    make_checkpoint(done, config={"outputs": 2}, label_rule=rule)
    page = client.get(reverse("training:compare"), {"run": [waiting.pk, done.pk]})
    differences = {name: values for name, values, differ in page.context["differences"] if differ}
    assert differences["Classes"] == [2, 3]
    assert differences["Where people and rollouts both spoke"] == [
        "people's word counts",
        "only what they agree on",
    ]
    # What the waiting run leaves at its default is not known yet, and differs from nothing.
    assert set(differences) == {"Classes", "Where people and rollouts both spoke"}
    same = {name: values for name, values, differ in page.context["differences"] if not differ}
    assert same["A neutral step counts as"] == ["correct", "correct"]


def test_runs_are_compared_whose_cards_hold_lists_and_a_second_opinion(client):
    opinion = {"manifest_sha256": "0" * 64, "sure": 0.55, "doubtful": 0.05}
    runs = []
    for number, config in enumerate(
        (
            {"target_tokens": ["-", "+"], "second_opinion": opinion},
            {"target_tokens": [], "second_opinion": None},
        )
    ):
        run = start_training(frozen(), "mixed", seed=number)
        checkpoint = make_checkpoint(run, config={"steps": 100, **config})
        Checkpoint.objects.filter(pk=checkpoint.pk).update(sha256=str(number) * 64)
        runs.append(run)
    page = client.get(reverse("training:compare"), {"run": [run.pk for run in runs]})
    found = {name: values for name, values, _ in page.context["differences"]}
    assert found["Target tokens"] == [None, "-, +"]
    assert found["Second opinion"] == [None, "00000000 · 0.55 · 0.05"]
