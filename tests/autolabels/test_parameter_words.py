"""A search's settings are said in the reader's language, and none of them by its code name."""

from dataclasses import fields

import pytest
from django.urls import reverse
from django.utils import translation

from labelsite.autolabels.parameters import METHOD_NAMES, NAMES, in_words
from labelsite.autolabels.requests import OPTIONS
from labelsite.autolabels.services import start_search
from labelsite.problems.models import Problem
from ml.search.pairs import PairRules
from ml.search.recipes import RECIPES
from tests.factories import log_in, make_estimate_run, make_problem

pytestmark = pytest.mark.django_db


def test_every_setting_and_every_method_has_words_and_every_setting_korean_ones():
    names = {name.replace("-", "_") for name in OPTIONS}
    for recipe in RECIPES.values():
        names |= {field.name for field in fields(recipe.options)}
    names |= {field.name for field in fields(PairRules)}
    assert not names - set(NAMES)
    assert not set(RECIPES) - set(METHOD_NAMES)
    with translation.override("ko"):
        assert not [name for name in names if NAMES[name].isascii()]


def test_a_setting_without_words_stays_as_the_command_calls_it_and_an_empty_one_is_left_out():
    told = in_words({"own_option": 3, "continuation-style": "as-given", "luck": 0.0, "value_model": None})
    assert told == [
        ("Mistaken up to this part of the best share before", 0.0),
        ("Rollouts are written in", "the style of the steps before"),
        ("own option", 3),
    ]


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("en", ["OmegaPRM", "Rollouts are graded against", "what most of 32 solutions say"]),
        ("ko", ["OmegaPRM", "롤아웃의 채점 기준", "풀이 32개의 다수가 낸 답"]),
    ],
)
def test_a_runs_page_says_its_settings_in_the_readers_language(client, language, expected):
    log_in(client, "reviewer")
    parameters = {"rollouts": 4, "adaptive": True, "reference": "self-consistency of 32"}
    run = make_estimate_run(name="A run", method="omegaprm", parameters=parameters)
    address = reverse("autolabels:run", args=[run.pk])
    page = client.get(address, headers={"accept-language": language}).content.decode()
    assert not [words for words in expected if words not in page]
    assert "omegaprm" not in page and "self-consistency" not in page and "adaptive" not in page


def test_a_search_that_nobody_named_is_named_in_the_language_of_whoever_starts_it():
    make_problem()
    with translation.override("ko"):
        assert start_search(Problem.objects.all()).name == "rStar-Math 탐색, 문제 1개"
