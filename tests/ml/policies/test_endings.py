"""How a server says that a text ended: a whole one, one that was cut off, and one that is no draw of the model."""

from __future__ import annotations

import json
import warnings
from collections import Counter

import pytest

from ml.commands import autolabel
from ml.execution import sandbox
from ml.policies.openai_server import ServerPolicy
from ml.records import Problem
from ml.search import math_shepherd
from ml.search.texts import warnings_of
from ml.search.walk import Walk
from tests.ml.policies.small_server import PREFIX, completions
from tests.ml.search.toy import solution_of

SOLUTION = solution_of(Problem("p", "What is 2 + 3?", "5"), ("2 + 3 = 5.", "So the answer is 5."))


def ending(reason, text="The answer is 5."):
    def reply(body, number):
        status, answer = completions(body, number, text, finish_reason=reason)
        if reason is None and text == "on and on":
            answer["usage"]["completion_tokens"] = body["max_tokens"] * body.get("n", 1)
        return status, answer

    return reply


def estimate(server):
    search = math_shepherd.estimate(SOLUTION, math_shepherd.MathShepherd(rollouts=4), 0)
    return next(iter(Walk(ServerPolicy(server.address), sandbox()).drive([("s", search)]))).result


@pytest.mark.parametrize(
    "reason", ["stop", None, "eos_token", "stop_sequence", "eos", "end_turn", "STOP", "stop-sequence"]
)
def test_a_right_rollout_is_right_by_whatever_word_its_server_ends_it(serve, reason):
    found = estimate(serve(ending(reason)))
    assert found.first_mistake is None and found.steps[0].correct == found.steps[0].visits == 4


@pytest.mark.parametrize("reason", ["length", "max_tokens", "MAX_TOKENS", "model_length", None])
def test_a_text_that_ran_out_of_tokens_is_cut_off(serve, reason):
    (written,) = ServerPolicy(serve(ending(reason, "on and on")).address).complete([PREFIX], 2, 0.7, 0)
    assert [(one.finished, one.cut, one.lost) for one in written] == [(False, True, False)] * 2


@pytest.mark.parametrize("reason", ["content_filter", "content-filter", "recitation", 7])
def test_a_text_that_was_filtered_or_ended_nobody_knows_how_is_no_evidence(serve, reason):
    with pytest.warns(UserWarning, match="are no draws of the model and are left out") as told:
        found = estimate(serve(ending(reason, "")))
    assert found.first_mistake is None and found.steps[0].visits == 0 and found.steps[0].hard is None
    assert sum(one.category is UserWarning for one in told) == 1


def run_of(server, folder):
    (folder / "problems.jsonl").write_text(json.dumps({"id": "p", "problem": "2 + 3?", "answer": "5"}) + "\n")
    given = ["--problems", str(folder / "problems.jsonl"), "--policy", server.address]
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        autolabel.main([*given, "--style", "prose", "--rollouts", "2", "--out", str(folder / "run")])
    counts = json.loads((folder / "run/run.json").read_text())["counts"]
    return counts, [str(one.message) for one in told]


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ("", "max_step_tokens"),
        ("?max_tokens=200", "max_tokens"),
        ("?max_tokens=9&max_step_tokens=9", "max_step_tokens and max_tokens"),
    ],
)
def test_of_two_limits_of_a_step_the_one_that_cut_it_off_is_named_to_be_raised(serve, options, named):
    policy = ServerPolicy(serve(completions).address + options)
    (told,) = warnings_of(Counter(steps=10, cut_off_steps=9), policy)
    assert f"raise {named} in the policy's address" in told


def test_a_run_counts_the_texts_that_were_cut_off_and_names_the_option_to_raise(serve, tmp_path):
    def reply(body, number):
        status, answer = completions(body, number)
        answer["choices"][0]["finish_reason"] = "length"
        return status, answer

    counts, told = run_of(serve(reply), tmp_path)
    assert (counts["texts"], counts["cut_off"]) == (15 + 2, 2) and counts["lost_texts"] == 0
    assert [one for one in told if "2 of 17 completions were cut off" in one and "raise max_tokens" in one]


def test_a_run_with_few_texts_cut_off_warns_of_nothing_and_counts_the_lost(serve, tmp_path):
    def reply(body, number):
        status, answer = completions(body, number)
        answer["choices"][0]["finish_reason"] = "content_filter"
        return status, answer

    counts, told = run_of(serve(reply), tmp_path)
    assert (counts["cut_off"], counts["lost_texts"]) == (0, 2)
    assert not any("cut off" in one for one in told)


@pytest.mark.parametrize(("text", "unread"), [("The answer is 5.", 0), ("It comes to five in all.", 2)])
def test_a_run_counts_the_ends_without_an_answer_and_tells_of_many(serve, tmp_path, text, unread):
    counts, told = run_of(serve(ending("stop", text)), tmp_path)
    assert counts["without_answer"] == unread and counts["ends"] >= 1
    assert any("no answer was recognised" in one for one in told) == bool(unread)
