"""A local model's context: what does not fit it is told, left out or refused, and takes nothing from its neighbours."""

import warnings
from dataclasses import replace

import pytest

pytest.importorskip("torch", reason="the extra `ml` is not installed")

from ml.errors import MisstepError
from ml.pocket.problems import generate
from ml.policies import load_policy
from ml.policies.model_folder import LONGEST_STEP
from ml.policies.prompt import prompt_for
from ml.policies.protocol import PartlyAnswered, Prefix, Unanswerable
from ml.records import Problem
from tests.ml.policies.pocket_folder import make_pocket_folder

PROBLEMS = generate(3, seed=11)


@pytest.fixture(scope="module")
def policy(tmp_path_factory):
    return load_policy(str(make_pocket_folder(tmp_path_factory.mktemp("model") / "pocket")))


def texts(answers):
    """All but the log probabilities, whose last bits tell what was read together."""
    return [[replace(one, log_probability=None) for one in row] for row in answers]


def length_of(policy, prefix):
    return len(policy.tokenizer(prompt_for(prefix, "pocket").render(prefix))["input_ids"])


def test_a_prefix_that_leaves_room_for_a_step_is_read_whole(policy, monkeypatch):
    grown = Prefix(
        PROBLEMS[0], policy.complete([Prefix(PROBLEMS[0], (), "code")], 1, 0.0, 0)[0][0].steps[:2], "code"
    )
    whole = policy.complete([grown], 1, 0.0, 0)
    monkeypatch.setattr(policy, "_longest", LONGEST_STEP + length_of(policy, grown))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert texts(policy.complete([grown], 1, 0.0, 0)) == texts(whole)


def test_a_prefix_that_leaves_no_room_loses_its_oldest_steps_and_keeps_its_question(policy, monkeypatch):
    steps = policy.complete([Prefix(PROBLEMS[0], (), "prose")], 1, 0.0, 0)[0][0].steps[:2]
    short, long = (Prefix(PROBLEMS[0], before + steps, "prose") for before in ((), ("Let us see.",) * 3))
    expected = policy.complete([short], 1, 0.0, 0)
    monkeypatch.setattr(policy, "_longest", LONGEST_STEP + length_of(policy, short))
    with pytest.warns(UserWarning, match="the first 3 steps of the prefix do not fit"):
        assert texts(policy.complete([long], 1, 0.0, 0)) == texts(expected)


def test_a_text_that_the_model_s_context_cuts_off_is_told(policy, monkeypatch):
    prefix = Prefix(PROBLEMS[0], (), "prose")
    monkeypatch.setattr(policy, "max_step_tokens", 3)
    monkeypatch.setattr(policy, "_longest", 4 + length_of(policy, prefix))
    told = rf"{policy.max_tokens} tokens do not fit the policy's .* behind the prefix, and 4 were too few"
    with pytest.warns(UserWarning, match=told):
        ((text,),) = policy.complete([prefix], 1, 0.0, 0)
    assert text.cut


def test_a_question_that_leaves_no_room_is_refused(policy, monkeypatch):
    monkeypatch.setattr(policy, "_longest", LONGEST_STEP + 3)
    with pytest.raises(MisstepError, match="tokens in its prompt, expected at most 3"):
        policy.complete([Prefix(PROBLEMS[0], (), "code")], 1, 0.0, 0)


def test_a_question_that_leaves_no_room_keeps_no_other_from_its_answer(policy, monkeypatch):
    short = [Prefix(problem, (), "code") for problem in PROBLEMS[:2]]
    long = Prefix(Problem("p", PROBLEMS[0].text * 9, "1"), (), "code")
    monkeypatch.setattr(policy, "_longest", LONGEST_STEP + max(length_of(policy, one) for one in short))
    with pytest.raises(PartlyAnswered) as partly:
        policy.complete([short[0], long, short[1]], 2, 0.8, 0)
    first, refused, last = partly.value.answers
    assert [[one.steps for one in row] for row in (first, last)] == [
        [one.steps for one in row] for row in policy.complete(short, 2, 0.8, 0)
    ]
    assert isinstance(refused, Unanswerable) and "'p'" in str(refused)


def test_a_long_neighbour_does_not_cut_a_completion_short(policy, monkeypatch):
    short = Prefix(PROBLEMS[0], (), "prose")
    long = Prefix(PROBLEMS[0], ("Let us see.",) * 20, "prose")
    monkeypatch.setattr(policy, "max_step_tokens", 20)
    monkeypatch.setattr(policy, "_longest", 20 + length_of(policy, long))
    # So hot that some draws reach no end: more than the neighbour has room for.
    together = policy.complete([short, long], 16, 50.0, 0)[0]
    assert max(one.tokens for one in together) == policy._longest - length_of(policy, short)
    alone = policy.complete([short], 16, 50.0, 0)[0]
    assert [one.steps for one in together] == [one.steps for one in alone]
