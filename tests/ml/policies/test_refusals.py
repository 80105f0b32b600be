"""One prompt that a server does not take costs its own problem; a server that takes none ends the run."""

from __future__ import annotations

import json
import time
import warnings

import pytest

from ml.commands import autolabel
from ml.errors import MisstepError, ServerAway
from ml.policies.openai_faults import Refused, Unserved
from ml.policies.openai_server import ServerPolicy
from ml.policies.protocol import PartlyAnswered, Prefix, Unanswerable
from ml.policies.refusals import MOST_IN_A_ROW, Refusals
from ml.records import Problem
from tests.ml.policies.small_server import completions


def refuses(is_refused, status=400):
    def reply(body, number):
        if is_refused(body, number):
            return status, {"error": {"message": "prompt not allowed"}}
        return completions(body, number)

    return reply


def bad(body, number):
    return "BAD" in body["prompt"]


def prefixes(*names):
    return [Prefix(Problem(name, f"What is {name}?", "2"), (), "prose") for name in names]


def autolabel_run(server, folder, names):
    lines = [{"id": name, "problem": f"What is {name}?", "answer": "2"} for name in names]
    (folder / "problems.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    given = ["--problems", str(folder / "problems.jsonl"), "--policy", server.address, "--style", "prose"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        autolabel.main([*given, "--rollouts", "2", "--out", str(folder / "run")])


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_prompt_that_is_refused_leaves_its_own_problem_unanswered(serve, status, tmp_path):
    autolabel_run(serve(refuses(bad, status)), tmp_path, ["BAD", "one", "two", "BAD too"])
    unanswered = map(json.loads, (tmp_path / "run/unanswered.jsonl").read_text().splitlines())
    told = {line["id"]: line["why"] for line in unanswered}
    assert told.keys() == {"BAD", "BAD too"} and all("prompt not allowed" in why for why in told.values())
    assert json.loads((tmp_path / "run/run.json").read_text())["counts"]["unanswered"] == 2


@pytest.mark.parametrize(("is_refused", "status"), [(lambda body, n: True, 400), (bad, 401), (bad, 404)])
def test_a_server_that_takes_nothing_or_nobody_ends_the_run_in_one_line(serve, is_refused, status, tmp_path):
    with pytest.raises(MisstepError, match=f"completions: HTTP {status}: .*prompt not allowed"):
        autolabel_run(serve(refuses(is_refused, status)), tmp_path, ["one", "BAD"])


def test_a_server_that_begins_to_refuse_every_problem_ends_the_run(serve):
    policy = ServerPolicy(serve(refuses(bad)).address)
    policy.complete(prefixes("one"), 1, 0.7, 0)
    names = [f"BAD {number}" for number in range(MOST_IN_A_ROW)]
    with pytest.raises(PartlyAnswered):
        policy.complete(prefixes(*names[:-1]), 1, 0.7, 0)
    with pytest.raises(
        MisstepError, match=r"16 problems in a row are refused.*completions: HTTP 400"
    ) as ended:
        policy.complete(prefixes(names[-1]), 1, 0.7, 0)
    assert not isinstance(ended.value, PartlyAnswered | Unanswerable)


def test_a_setting_that_the_server_does_not_take_ends_the_run_at_once(serve, tmp_path):
    server = serve(refuses(lambda body, number: body.get("max_tokens", 0) > 100))
    with pytest.raises(MisstepError, match=r"completions: HTTP 400: .*prompt not allowed"):
        autolabel_run(server, tmp_path, ["one"])


def test_a_run_that_goes_on_with_nothing_but_refused_problems_ends_well(serve, tmp_path):
    autolabel_run(serve(refuses(bad)), tmp_path, ["BAD"])
    counts = json.loads((tmp_path / "run/run.json").read_text())["counts"]
    assert counts["unanswered"] == 1


def test_refusals_with_answers_between_them_or_of_one_problem_alone_end_nothing(serve):
    policy = ServerPolicy(serve(refuses(bad)).address)
    for number in range(2 * MOST_IN_A_ROW):
        with pytest.raises(PartlyAnswered) as partly:
            policy.complete(prefixes(f"BAD {number}", "one"), 1, 0.7, 0)
        assert isinstance(partly.value.answers[0], Unanswerable) and partly.value.answers[1]
    with pytest.raises(PartlyAnswered):
        # As a critic asks: each question has a text of its own.
        same = [Prefix(Problem("p", f"BAD {number}", "2"), ()) for number in range(2 * MOST_IN_A_ROW)]
        policy.complete(same, 1, 0.7, 0)
    policy.complete(prefixes("one"), 1, 0.7, 0)
    with pytest.raises(PartlyAnswered):
        # As a file that numbers the solutions of one problem.
        same = [Prefix(Problem(f"p{number}", "BAD", "2"), ()) for number in range(2 * MOST_IN_A_ROW)]
        policy.complete(same, 1, 0.7, 0)


def refused():
    return Refused("HTTP 400: prompt not allowed", 400, "prompt not allowed")


def settled(refusals, first, *answers):
    """What is said of the answers to requests that began with the number `first`, each of its own problem."""
    names = [str(number) for number in range(first, first + len(answers))]
    return refusals.settle(first, prefixes(*names), answers, lambda: True)


def test_refusals_that_come_before_all_answers_are_no_row_where_others_began_between_them():
    refusals, asked = Refusals(), 512
    refusals.begin(asked)
    doubted = [settled(refusals, number, refused())[0] for number in range(0, asked, 8)]
    assert len(doubted) > MOST_IN_A_ROW
    for number in range(1, asked, 8):
        settled(refusals, number, [])
    # These began before the first refusal came.
    assert not any(one.is_settled for one in doubted)
    settled(refusals, refusals.begin(1), [])
    assert all(one.is_settled for one in doubted)


def test_what_was_asked_before_an_outage_and_is_answered_in_it_does_not_hide_it():
    refusals = Refusals()
    refusals.begin(5)
    with pytest.raises(MisstepError, match="16 problems in a row are refused"):
        for late in range(2 * MOST_IN_A_ROW):
            (doubted,) = settled(refusals, refusals.begin(1), refused())
            settled(refusals, late % 5, [])
            assert not doubted.is_settled
    assert late == MOST_IN_A_ROW - 1


def test_a_server_that_answers_no_problem_at_all_in_time_ends_the_run_since_the_limit_may_be_wrong():
    late, others = Unserved("no whole answer within 1 s", is_late=True), MOST_IN_A_ROW - 1
    limited, slow = Refusals(), Refusals()
    settled(slow, slow.begin(1), [])
    for refusals in (limited, slow):
        settled(refusals, refusals.begin(others), *[late] * others)
    with pytest.raises(ServerAway, match="16 problems in a row"):
        settled(limited, limited.begin(1), late)
    (doubted,) = settled(slow, slow.begin(1), late)
    assert not doubted.is_settled


def test_many_requests_at_once_end_no_run_in_which_few_problems_are_refused(serve, tmp_path):
    def reply(body, number):
        if bad(body, number):
            return 400, {"error": {"message": "prompt not allowed"}}
        time.sleep(0.2)
        return completions(body, number)

    names = [f"BAD {number}" if number % 3 == 0 else str(number) for number in range(60)]
    server = serve(reply)
    server.address += "?concurrency=60"
    autolabel_run(server, tmp_path, names)
    assert json.loads((tmp_path / "run/run.json").read_text())["counts"]["unanswered"] == 20
