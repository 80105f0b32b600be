"""A server that is away or overloaded is told apart from one that refuses or answers oddly: to ask later may help."""

from __future__ import annotations

from typing import Any

import pytest

from ml.__main__ import main
from ml.errors import MisstepError, ServerAway
from ml.policies import openai_client
from ml.policies.openai_server import ServerPolicy
from tests.ml.policies.small_server import PREFIX, Cut


@pytest.fixture(autouse=True)
def few_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai_client, "TRIES", 2)


@pytest.mark.parametrize(
    ("answer", "is_away"),
    [
        ((429, {"error": "slow down"}), True),
        ((503, {"error": "loading"}), True),
        ((503, Cut(b"unavail")), True),
        ((200, Cut(b'{"choices": [')), True),
        (Cut(b""), True),
        ((400, {"error": "no such option"}), False),
        ((200, b"not json"), False),
        ((200, {"choices": []}), False),
    ],
)
def test_only_an_outage_is_called_one(serve: Any, answer: Any, is_away: bool) -> None:
    policy = ServerPolicy(serve(lambda body, number: answer).address, retry_seconds=0.001)
    with pytest.raises(MisstepError) as told:
        policy.complete([PREFIX], 1, 0.7, 0)
    assert isinstance(told.value, ServerAway) is is_away


def test_what_the_last_try_met_decides(serve: Any) -> None:
    odd_at_last = serve(lambda body, number: (503, {}) if number == 1 else (200, {"choices": []}))
    with pytest.raises(MisstepError) as told:
        ServerPolicy(odd_at_last.address, retry_seconds=0.001).complete([PREFIX], 1, 0.7, 0)
    assert not isinstance(told.value, ServerAway)


def test_a_command_whose_server_is_absent_exits_with_a_status_of_its_own(
    tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["autolabel", "--problems", "pocket:1", "--out", str(tmp_path / "out")]
    assert main([*given, "--policy", "http://127.0.0.1:9/v1"]) == 69
    assert "python -m ml autolabel: policy server http://127.0.0.1:9/v1/models" in capsys.readouterr().err
    assert main([*given, "--policy", "http://127.0.0.1:9/v1?concurrency=many"]) == 1
