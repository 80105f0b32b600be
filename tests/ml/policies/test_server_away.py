"""A server that is away or overloaded is told apart from one that refuses or answers oddly: to ask later may help."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest

from ml.__main__ import main
from ml.errors import MisstepError, ServerAway
from ml.policies import openai_client
from ml.policies.address import fault_of
from ml.policies.openai_server import ServerPolicy
from ml.search.run_folder import PROGRESS, has_begun
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


@pytest.fixture
def names_fail(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], list[str]]:
    """From now on every look-up of a name fails in this way; the names that were looked up."""

    def start(how: int) -> list[str]:
        asked: list[str] = []

        def look_up(host: str, *others: Any, **more: Any) -> Any:
            asked.append(host)
            raise socket.gaierror(how, "no such name")

        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        return asked

    return start


def test_a_host_that_does_not_exist_ends_a_run_at_once_with_a_line_that_names_the_address(
    names_fail: Any, tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = names_fail(socket.EAI_NONAME)
    given = ["autolabel", "--problems", "pocket:1", "--out", str(tmp_path / "out")]
    assert main([*given, "--policy", "http://mistyped.example:8000/v1"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "http://mistyped.example:8000/v1/models" in line and "no host of this name" in line
    assert asked == ["mistyped.example"]


def test_a_name_that_nobody_could_look_up_is_asked_for_again_and_then_is_no_outage(names_fail: Any) -> None:
    asked = names_fail(socket.EAI_AGAIN)
    with pytest.raises(MisstepError, match="host is not found") as told:
        ServerPolicy("http://somewhere.example/v1", retry_seconds=0.001)
    assert not isinstance(told.value, ServerAway) and len(asked) == 2


def test_a_name_that_is_gone_after_the_server_had_answered_is_an_outage(serve: Any, names_fail: Any) -> None:
    policy = ServerPolicy(serve(lambda body, number: (200, {})).address, retry_seconds=0.001)
    names_fail(socket.EAI_NONAME)
    with pytest.raises(ServerAway):
        policy.complete([PREFIX], 1, 0.7, 0)
    # So it is where an earlier start of the run was served.
    with pytest.raises(ServerAway):
        ServerPolicy("http://somewhere.example/v1", retry_seconds=0.001, has_answered=True)


def test_a_run_was_served_before_where_its_folder_holds_a_finished_item(tmp_path: Any) -> None:
    assert not has_begun(tmp_path / "none") and not has_begun(tmp_path)
    (tmp_path / PROGRESS).touch()
    assert not has_begun(tmp_path)
    (tmp_path / PROGRESS).write_text("{}\n")
    assert has_begun(tmp_path)


def test_silence_is_told_at_the_first_try_once_and_taken_back(
    serve: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MISSTEP_PROGRESS", "json")
    server = serve(lambda body, number: Cut(b"") if number == 1 else (200, {"choices": [{"text": "2"}]}))
    policy = ServerPolicy(server.address, retry_seconds=0.001)
    capsys.readouterr()
    with pytest.warns(UserWarning, match="how many tokens"):
        policy.complete([PREFIX], 1, 0.7, 0)
    said = capsys.readouterr()
    assert said.err.count("does not answer") == 1
    assert [line.startswith('{"progress": {"message": "policy server') for line in said.out.splitlines()] == [
        True,
        False,
    ]
    assert said.out.endswith('{"progress": {"message": ""}}\n')


@pytest.mark.parametrize(
    "address",
    [
        "http:///v1", "https://:8000/v1", "http://[::1/v1", "http://host:eight/v1", "http://host:99999/v1",
        "http://a..b/v1", "http://" + "a" * 70 + "/v1", "http://two words/v1", "http://host/v1\n", "ftp://host/v1",
    ],
)  # fmt: skip
def test_an_address_that_no_request_can_be_sent_to_is_refused_before_anything_is_asked(
    address: str, names_fail: Any
) -> None:
    asked = names_fail(socket.EAI_NONAME)
    assert fault_of(address)
    with pytest.raises(MisstepError, match="expected an address like"):
        ServerPolicy(address)
    assert asked == []


@pytest.mark.parametrize(
    "address",
    [
        "http://host/v1",
        "https://127.0.0.1:8000/v1?model=a/b",
        "http://[::1]:8000/v1",
        "http://münchen.example/v1",
    ],
)
def test_a_well_formed_address_has_no_fault(address: str) -> None:
    assert fault_of(address) == ""
