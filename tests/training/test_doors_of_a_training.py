"""The page, the API and the command line ask the same of a training, and refuse what it would not look at."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse
from django.utils import translation

from labelsite.api.asking_training import TrainingConfiguration
from labelsite.jobs.models import Job
from labelsite.training.forms import TrainingForm
from labelsite.training.models import TrainingRun
from labelsite.training.options import OF_THE_MACHINE, OF_THE_RUN, options
from labelsite.training.refusals import refusals
from labelsite.training.services import start_training
from labelsite.training.wording import NAMES, ON_THE_CARD, label_of
from ml.commands.train import parser, request_from
from ml.errors import MisstepError
from tests.api.conftest import script_of
from tests.factories import make_user
from tests.training.test_label_options import frozen
from tests.training.test_pages import asked, make_checkpoint

pytestmark = pytest.mark.django_db
LIKELIHOOD = {"head": "likelihood"}


@pytest.fixture
def doors(client):
    """Two ways to ask for the same training: each returns the refusals by the option's name."""
    admin = make_user("admin")
    client.force_login(admin)
    script = script_of(admin)

    def page(objective, base="pocket", **chosen):
        filled = {"learning_rate": "", **as_filled_in(chosen)}
        filled = asked(frozen(), objective=objective, base=base, **filled)
        answer = client.post(reverse("training:start"), filled)
        return dict(answer.context["form"].errors) if answer.context else {}

    def api(objective, base="pocket", **chosen):
        body = {"snapshot": frozen().pk, "labels": "mixed", "objective": objective, "base": base}
        answer = script.post("/api/v1/trainings/", {**body, "configuration": chosen}, format="json")
        return {} if answer.status_code == 202 else answer.json()["errors"]["configuration"]

    return {"page": page, "api": api}


def as_filled_in(chosen: dict[str, Any]) -> dict[str, Any]:
    """As a browser sends it: lists as texts, and a flag that is off not at all."""
    given = {name: value for name, value in chosen.items() if value is not False}
    return {name: " ".join(map(str, v)) if isinstance(v, list) else v for name, v in given.items()}


def told() -> Any:
    return parser().parse_args(Job.objects.latest("pk").spec["arguments"])


def test_every_door_has_every_option_of_the_command_but_the_machines_own():
    of_the_command = {action.dest for action in parser()._actions}
    assert set(options()) == of_the_command - {*OF_THE_RUN, *OF_THE_MACHINE}
    assert set(TrainingConfiguration().fields) == set(options())
    of_the_run = set(OF_THE_RUN) - {"help", "manifest", "out"}
    assert set(TrainingForm().fields) == set(options()) | of_the_run | {"more_snapshots"}


def test_every_option_has_words_and_korean_ones():
    called = {name: ON_THE_CARD.get(name, name) for name in options()}
    assert not [name for name, on_the_card in called.items() if on_the_card not in NAMES]
    with translation.override("ko"):
        assert not [name for name in options() if label_of(name).isascii()]


SAID: list[tuple[str, dict[str, Any]]] = [
    (
        "preference",
        {
            "least_margin": 0.5, "least_edit_distance": 20, "no_final_pairs": True, "fill_pairs": True,
            "preference_output": "raw_then_tanh5", "no_alternatives": True,
        },
    ),
    (
        "classifier",
        {
            "given_up": "drop", "after_mistake": "wrong", "lora": 8, "lora_alpha": 32.0, "lora_dropout": 0.1,
            "lora_targets": ["q_proj", "v_proj"], "warmup": 0.0, "weighting": "path", "too_long": "drop",
            "smoothing": 0.1, "class_weights": [2.0, 1.0], "weight_decay": 0.0, "clip": 0.5,
            "tokens_per_row": 4096, "maximum_length": 512, "limit": 100, "validate_every": 50,
            "validation_limit": 200, "bf16": True,
            "compile": True, "gradient_checkpointing": True, "extra_layers": 0,
        },
    ),
    ("classifier", {"head": "tokens", "target_tokens": ["-", "+"], "separator": "\\n\\n", "problem_end": "---"}),
    ("classifier", {**LIKELIHOOD, "outcomes": True, "language_weight": 0.5, "tolerance": 0.0}),
    ("outcome", {"outcome_tokens": "steps", "trees": "problem", "weighting": "path"}),
    ("classifier", {"label_rule": "agreement_weighted", "automatic_weight": 2.5}),
]  # fmt: skip


@pytest.mark.parametrize("door", ["page", "api"])
@pytest.mark.parametrize(("objective", "chosen"), SAID)
def test_what_is_asked_reaches_the_command(doors, door, objective, chosen):
    assert not doors[door](objective, **chosen)
    understood = told()
    assert {name: getattr(understood, name) for name in chosen} == chosen
    assert {name: TrainingRun.objects.get().configuration[name] for name in chosen} == chosen


def test_null_is_the_command_s_own_word_for_a_flag_as_well(doors):
    assert not doors["api"]("classifier", bf16=None, compile=None, clip=None)
    assert not {"bf16", "compile", "clip"} & {*TrainingRun.objects.get().configuration}


def test_an_untouched_form_asks_for_no_more_than_it_shows(client, doors):
    page = client.get(reverse("training:start")).content.decode()
    assert page.count("<details>") == 4 and "<details open>" not in page
    assert not doors["page"]("classifier")
    shown = {"epochs": 2.0, "batch_size": 16}
    assert TrainingRun.objects.get().configuration == shown


WITHOUT_EFFECT: list[tuple[str, str, dict[str, Any]]] = [
    ("least_margin", "classifier", {"least_margin": 0.5}),
    ("least_edit_distance", "value", {"least_edit_distance": 20}),
    ("no_final_pairs", "classifier", {"no_final_pairs": True}),
    ("fill_pairs", "outcome", {"fill_pairs": True}),
    ("preference_output", "classifier", {"preference_output": "raw_then_tanh5"}),
    ("outcome_tokens", "classifier", {"outcome_tokens": "last"}),
    ("outcome_tokens", "outcome", {"outcome_tokens": "all", **LIKELIHOOD}),
    ("outcome_tokens", "outcome", {"outcome_tokens": "all", "trees": "problem"}),
    ("lora_alpha", "classifier", {"lora_alpha": 16.0}),
    ("lora_dropout", "classifier", {"lora_dropout": 0.1}),
    ("lora_targets", "classifier", {"lora_targets": ["q_proj"]}),
    ("class_weights", "value", {"class_weights": [1.0, 2.0]}),
    ("class_weights", "classifier", {"class_weights": [1.0, 2.0, 3.0]}),
    ("smoothing", "outcome", {"smoothing": 0.1}),
    ("weighting", "preference", {"weighting": "path"}),
    ("weighting", "outcome", {"weighting": "path"}),
    ("no_alternatives", "value", {"no_alternatives": True}),
    ("outcomes", "classifier", {"outcomes": True}),
    ("language_weight", "classifier", {"language_weight": 0.5}),
    ("tolerance", "classifier", {"tolerance": 0.0}),
    ("target_tokens", "classifier", {"target_tokens": ["-", "+"]}),
    ("head", "value", {"head": "tokens"}),
    ("head", "preference", LIKELIHOOD),
    ("trees", "preference", {"trees": "problem"}),
    ("classes", "outcome", {"classes": 3}),
    ("second_opinion_sure", "classifier", {"second_opinion_sure": 0.6}),
]


@pytest.mark.parametrize("door", ["page", "api"])
@pytest.mark.parametrize(("field", "objective", "chosen"), WITHOUT_EFFECT)
def test_what_would_have_no_effect_is_refused_at_its_field(doors, door, field, objective, chosen):
    assert list(doors[door](objective, **chosen)) == [field]
    assert not Job.objects.exists()
    with pytest.raises(MisstepError, match=f"configuration {field}: "):
        start_training(frozen(), "mixed", objective, configuration=chosen)


@pytest.mark.parametrize(("field", "objective", "chosen"), WITHOUT_EFFECT)
def test_the_command_refuses_the_same(field, objective, chosen):
    arguments = ["--snapshot", "s", "--out", "o", "--objective", objective]
    for name, value in chosen.items():
        flag = "--" + name.replace("_", "-")
        values = value if isinstance(value, list) else [value]
        arguments += [flag] if value is True else [flag, *map(str, values)]
    with pytest.raises(MisstepError, match=f"^--{field.replace('_', '-')}"):
        request_from(parser().parse_args(arguments))


@pytest.mark.parametrize(("field", "objective", "chosen"), WITHOUT_EFFECT)
def test_a_refusal_is_told_in_korean_too(field, objective, chosen):
    english = dict(refusals(objective, "pocket", chosen))
    with translation.override("ko"):
        korean = dict(refusals(objective, "pocket", chosen))
    assert [*korean] == [field] and not korean[field].isascii() and korean != english


@pytest.mark.parametrize("door", ["page", "api"])
@pytest.mark.parametrize(
    ("field", "base"), [("unpacked", "pocket"), ("from_scratch", "/some/folder"), ("from_scratch", "small")]
)
def test_a_base_that_cannot_be_taken_so_is_refused(doors, door, field, base):
    assert list(doors[door]("classifier", base, **{field: True})) == [field]


@pytest.mark.parametrize("door", ["page", "api"])
@pytest.mark.parametrize(
    ("base", "chosen", "field"),
    [
        ("small", {}, "lora"),
        ("pocket", {"from_scratch": True}, "lora"),
        ("pocket", {}, "extra_layers"),
        ("pocket-reader", {"extra_layers": 1}, "extra_layers"),
        ("/models/given", {"extra_layers": 1}, "extra_layers"),
        ("pocket", {"extra_layers": 0}, None),
        ("pocket", LIKELIHOOD, None),
        ("/models/given", {}, None),
    ],
)
def test_adapters_on_weights_that_were_only_drawn_are_refused(doors, door, base, chosen, field):
    assert list(doors[door]("classifier", base, lora=8, **chosen)) == ([field] if field else [])


@pytest.mark.parametrize("door", ["page", "api"])
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("warmup", 1), ("least_margin", -0.5), ("lora_alpha", 0), ("least_edit_distance", 1.5), ("limit", 0),
        ("too_long", "cut"), ("outcome_tokens", "some"), ("weighting", "edge"), ("given_up", "perhaps"),
        ("class_weights", ["a"]), ("clip", 0),
    ],
)  # fmt: skip
def test_a_value_that_no_run_can_have_is_refused_at_its_field(doors, door, field, value):
    chosen = {field: value, **({"lora": 4} if field == "lora_alpha" else {})}
    objective = "preference" if field.startswith("least") else "classifier"
    assert field in doors[door]("outcome" if field == "outcome_tokens" else objective, **chosen)
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    "configuration",
    [
        {"lora": 4, "lora_targets": ["--out=/etc"]},
        {"class_weights": ["--out=/etc", "1"]},
        {"label_rule": "--keep-state"},
        {"clip": float("nan")},
        {"steps": 3, "epochs": 2},
    ],
)
def test_no_text_becomes_another_option_of_the_command(configuration):
    with pytest.raises(MisstepError):
        start_training(frozen(), "mixed", configuration=configuration)


def test_what_given_up_ratings_count_as_changes_nothing_where_people_say_nothing(client, doors):
    snapshot = frozen("automatic")
    filled = asked(snapshot, labels="automatic", given_up="drop")
    plan = client.get(reverse("training:start"), filled).context["plan"]
    assert not plan.can_start
    assert any(check.text.startswith("“Rated before giving up” changes nothing") for check in plan.checks)


def test_the_api_names_an_option_that_would_change_nothing_in_the_labels(doors):
    found = doors["api"]("classifier", label_rule="consensus", target="soft")
    assert found == {"target": ["would change nothing in labels mixed"]}
    assert not Job.objects.exists()


def test_a_part_of_the_rule_that_goes_back_is_told_for_given_up_ratings_too(client, doors):
    snapshot = frozen(given_up="drop")
    plan = client.get(reverse("training:start"), asked(snapshot, neutral="drop")).context["plan"]
    assert any("frozen with another rule" in check.text for check in plan.checks)
    kept = client.get(reverse("training:start"), asked(snapshot, neutral="drop", given_up="drop"))
    assert not any("frozen with another rule" in check.text for check in kept.context["plan"].checks)


def test_the_api_starts_nothing_that_the_page_would_not_let_start(doors):
    script = script_of(make_user("admin"))
    body = {
        "snapshot": frozen("human").pk,
        "labels": "human",
        "configuration": {"classes": 3, "neutral": "drop"},
    }
    answer = script.post("/api/v1/trainings/", body, format="json")
    assert answer.status_code == 422 and "a class of its own" in answer.json()["detail"]
    other = {**body, "labels": "automatic", "configuration": {}}
    answer = script.post("/api/v1/trainings/", other, format="json")
    assert answer.status_code == 422 and "not automatic labels" in answer.json()["detail"]
    assert not Job.objects.exists()


def test_a_second_opinions_thresholds_reach_the_command_in_their_order(client, doors):
    earlier = make_checkpoint(start_training(frozen(), "mixed"))
    chosen = {"second_opinion": earlier.sha256, "second_opinion_sure": 0.7, "second_opinion_doubtful": 0.0}
    assert not doors["api"]("classifier", **chosen)
    assert (told().second_opinion_sure, told().second_opinion_doubtful) == (0.7, 0.0)
    chosen["second_opinion_doubtful"] = 0.8
    assert list(doors["api"]("classifier", **chosen)) == ["second_opinion_doubtful"]


def test_a_run_says_what_was_left_out_as_its_card_will(client, doors):
    doors["page"]("preference", no_final_pairs=True)
    page = client.get(reverse("training:run", args=[TrainingRun.objects.get().pk]))
    assert dict(page.context["settings"])["Pairs of whole solutions"] is False


def test_a_runs_page_shows_a_list_without_its_brackets(client, doors):
    doors["page"]("classifier", class_weights=[2.0, 1.0])
    page = client.get(reverse("training:run", args=[TrainingRun.objects.get().pk])).content.decode()
    assert "<dt>Weights of the classes</dt><dd>2, 1</dd>" in page


def test_the_schema_and_its_page_have_every_option(client, doors):
    page = client.get("/api/docs/").content.decode()
    assert not [name for name in options() if f"configuration.{name}" not in page]
    assert "rStar-Math&#x27;s code: 0.5" in page or "rStar-Math's code: 0.5" in page
