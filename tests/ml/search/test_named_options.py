"""`--set NAME=VALUE`: a method's own options by name, public code's variants and the rules of pairs among them."""

from __future__ import annotations

import json
import re
from dataclasses import fields

import pytest

from ml.aggregation import AGGREGATIONS
from ml.errors import MisstepError
from ml.search.named_options import FRESH, GIVEN, Aggregation, as_text, options_of
from ml.search.pairs import PairRules
from ml.search.recipes import RECIPES
from ml.search.solving import METHODS
from tests.data import ROOT
from tests.ml.search.chain_autolabel_inputs import label, lines, with_inputs

PAIRS = "rules of pairs"
KINDS = {**{name: recipe.options for name, recipe in RECIPES.items()}, PAIRS: PairRules}
WHOSE = {"paper", "public code", "ours"}


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Six problems, and one solution of each with its truth."""
    return with_inputs(monkeypatch, tmp_path, 6, 0.3)


def search(files, *arguments, out="out", method="rstar"):
    given = ("--problems", str(files / "problems.jsonl"), "--rollouts", "6", "--method", method)
    label(files, *given, *arguments, out=out)
    return json.loads((files / out / "run.json").read_text())


def estimate(files, *arguments, out="out", method="omegaprm"):
    label(files, "--solutions", str(files / "solutions.jsonl"), "--method", method, *arguments, out=out)
    return json.loads((files / out / "run.json").read_text())


def test_a_variant_of_public_code_grows_another_tree_and_is_recorded(files):
    code = "unvisited=zero", "grade_all_terminals=true", "errors_threshold=2", "finished_candidates=first"
    plain, varied = (
        search(files),
        search(files, *(part for one in code for part in ("--set", one)), out="code"),
    )
    assert [plain["parameters"][one.partition("=")[0]] for one in code] == ["infinite", False, None, "all"]
    assert [varied["parameters"][one.partition("=")[0]] for one in code] == ["zero", True, 2, "first"]
    assert lines(files / "out" / "trees.jsonl") != lines(files / "code" / "trees.jsonl")


def test_the_rules_of_pairs_choose_pairs_and_are_recorded(files):
    plain = search(files)
    assert {name: plain["parameters"][name] for name in options_of(PairRules)} == vars_of(PairRules())
    filtered = search(files, "--set", "least_margin=1.5", out="filtered")
    assert filtered["parameters"]["least_margin"] == 1.5
    pairs = lines(files / "out" / "pairs.jsonl")
    kept = [pair for pair in pairs if pair["margin"] >= 1.5]
    assert lines(files / "filtered" / "pairs.jsonl") == kept and 0 < len(kept) < len(pairs)


def vars_of(made):
    return {field.name: getattr(made, field.name) for field in fields(made)}


def test_a_given_solution_s_run_has_no_rules_of_pairs(files):
    assert not set(estimate(files)["parameters"]) & set(options_of(PairRules))


@pytest.mark.parametrize("variant", ["c=1.5", "fill=true"])
def test_a_folder_with_another_variant_is_refused(files, variant):
    search(files, "--set", variant)
    assert search(files, "--set", variant)
    with pytest.raises(MisstepError, match="holds a finished run with other settings"):
        search(files)


@pytest.mark.parametrize(
    "setting,told",
    [
        ("unvisted=zero", "--set unvisted=zero, expected NAME=VALUE with a name that acts"),
        ("unvisited", "--set unvisited, expected NAME=VALUE"),
        ("unvisited=never", "--set unvisited=never, expected infinite or zero: "),
        ("errors_threshold=0", "expected a whole number above 0 or none: "),
        ("grade_all_terminals=2", "expected true or false: "),
        ("c=nan", "expected a number, 0 or more: "),
        ("least_margin=-1", "expected a number, 0 or more: "),
        ("style=code", "expected NAME=VALUE with a name that acts"),
        ("use_preference_model=true", "expected NAME=VALUE with a name that acts"),
    ],
)
def test_a_wrong_name_or_value_is_one_error_with_every_name_what_it_may_be_and_its_default(
    files, setting, told
):
    with pytest.raises(MisstepError) as refusal:
        search(files, "--set", setting)
    message = str(refusal.value)
    assert told in message and "\n" not in message
    assert "rstar with fresh problems takes rollouts (a whole number above 0; default 16)" in message
    for listed in (
        "unvisited (infinite or zero; default infinite)",
        "errors_threshold (a whole number above 0 or none; default none)",
        "fill (true or false; default false)",
    ):
        assert listed in message
    assert not (files / "out").exists()


def test_what_acts_on_the_other_kind_of_input_only_is_refused(files):
    with pytest.raises(MisstepError, match="--set adaptive=false, expected NAME=VALUE with a name that acts"):
        search(files, "--set", "adaptive=false", method="omegaprm")
    for setting in ("searches=5", "fill=true", "alpha=0.7"):
        with pytest.raises(MisstepError, match=f"--set {setting}, expected NAME=VALUE with a name that acts"):
            estimate(files, "--set", setting)


@pytest.mark.parametrize(
    "method,settings,told",
    [
        (
            "omegaprm",
            ["adaptive=false", "confidence=0.9"],
            "confidence would not act, expected --set adaptive=true",
        ),
        ("rest-mcts", ["look_ahead=1"], "--set look_ahead would not act, expected --value-model"),
        ("rest-mcts", ["end_gate=0.5"], "--set end_gate would not act, expected --set stop_at_answer=true"),
        ("rstar", ["ends_by_model=true"], "--set ends_by_model would not act, expected --value-model"),
    ],
)
def test_what_another_option_keeps_from_acting_is_refused(files, method, settings, told):
    with pytest.raises(MisstepError, match=told):
        estimate(files, *(part for one in settings for part in ("--set", one)), method=method)


def test_an_option_is_set_once_by_its_own_option_or_by_name(files):
    assert estimate(files, "--set", "rollouts=4", out="named")["parameters"]["rollouts"] == 4
    for twice in (["--rollouts", "4"], ["--set", "rollouts=5"]):
        with pytest.raises(MisstepError, match="rollouts is set twice, expected one value"):
            estimate(files, *twice, "--set", "rollouts=4")


def test_the_more_careful_rule_of_omegaprm_is_an_option(files):
    assert estimate(files)["parameters"]["needed_right"] == 1
    assert estimate(files, "--set", "needed_right=2", out="careful")["parameters"]["needed_right"] == 2


def test_every_option_of_every_method_can_be_read_back_from_what_is_told_as_its_default():
    kinds = [*KINDS.values(), *(method.options for method in METHODS.values())]
    for option in (option for kind in kinds for option in options_of(kind).values()):
        assert option.read(as_text(option.default)) == option.default
    assert set(Aggregation.__args__) == set(AGGREGATIONS)


def told_of(name):
    """The rows of a method's table in docs/search-options.md: option, default, where it acts, whose rule, meaning."""
    guide = (ROOT / "docs" / "search-options.md").read_text(encoding="utf-8")
    section = guide.partition(f"\n## Options of {name}\n")[2].partition("\n#")[0]
    rows = [
        [cell.strip() for cell in line.strip("|").split(" | ")]
        for line in section.splitlines()
        if line.startswith("| `")
    ]
    return {row[0].strip("`"): row[1:] for row in rows}


@pytest.mark.parametrize("name", KINDS)
def test_the_guide_says_of_every_option_its_default_where_it_acts_and_whose_rule_that_is(name):
    told = told_of(name if name == PAIRS else f"`{name}`")
    known = options_of(KINDS[name])
    assert list(told) == list(known)
    for option in known.values():
        default, acts, whose, meaning = told[option.name]
        assert default.replace(",", "") == as_text(option.default), option.name
        both = option.acts == (GIVEN, FRESH)
        assert acts == ("both" if both else "given" if option.acts == (GIVEN,) else "fresh"), option.name
        assert whose in WHOSE and meaning, option.name
        assert (option.by is not None) == bool(re.search(r"set by `--", meaning)), option.name
