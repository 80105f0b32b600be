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
from ml.search.run_folder import PROGRESS, SERVED, was_served
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
    policy = ServerPolicy(serve(lambda body, number: answer).address)
    with pytest.raises(MisstepError) as told:
        policy.complete([PREFIX], 1, 0.7, 0)
    assert isinstance(told.value, ServerAway) is is_away


def test_what_the_last_try_met_decides(serve: Any) -> None:
    odd_at_last = serve(lambda body, number: (503, {}) if number == 1 else (200, {"choices": []}))
    with pytest.raises(MisstepError) as told:
        ServerPolicy(odd_at_last.address).complete([PREFIX], 1, 0.7, 0)
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
        ServerPolicy("http://somewhere.example/v1")
    assert not isinstance(told.value, ServerAway) and len(asked) == 2


def test_a_name_that_is_gone_after_the_server_had_answered_is_an_outage(serve: Any, names_fail: Any) -> None:
    policy = ServerPolicy(serve(lambda body, number: (200, {})).address)
    names_fail(socket.EAI_NONAME)
    with pytest.raises(ServerAway):
        policy.complete([PREFIX], 1, 0.7, 0)
    # So it is where an earlier start of the run was served.
    with pytest.raises(ServerAway):
        ServerPolicy("http://somewhere.example/v1", has_answered=True)


def test_a_run_was_served_before_where_its_folder_holds_a_finished_item(tmp_path: Any) -> None:
    assert not was_served(tmp_path / "none") and not was_served(tmp_path)
    (tmp_path / PROGRESS).touch()
    assert not was_served(tmp_path)
    (tmp_path / PROGRESS).write_text("{}\n")
    assert was_served(tmp_path)


@pytest.mark.parametrize("options", ["", "?model=served-model"])
def test_a_run_was_served_before_where_a_server_answered_at_all(
    serve: Any, tmp_path: Any, options: str
) -> None:
    out = tmp_path / "out"
    server = serve(lambda body, number: (401, {"error": "who are you?"}))
    given = ["autolabel", "--problems", "pocket:1", "--out", str(out), "--policy", server.address + options]
    assert main(given) == 1
    assert (out / SERVED).exists() and was_served(out)


@pytest.mark.parametrize("how", [socket.EAI_NONAME, socket.EAI_AGAIN])
def test_a_container_whose_name_is_not_there_yet_is_an_outage(names_fail: Any, how: int) -> None:
    asked = names_fail(how)
    with pytest.raises(ServerAway, match="its host is not found"):
        ServerPolicy("http://vllm:8000/v1")
    assert asked == ["vllm", "vllm"]


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_is_not_found_is_named_and_is_an_outage(
    names_fail: Any, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    monkeypatch.setenv(f"{scheme}_proxy", "http://me:secret@proxy.example:3128")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    asked = names_fail(socket.EAI_NONAME)
    with pytest.raises(ServerAway, match=r"its proxy proxy\.example:3128 is not found") as told:
        ServerPolicy(f"{scheme}://somewhere.example/v1")
    assert asked == ["proxy.example"] * 2 and "secret" not in str(told.value)
    # Where no proxy is asked, it is the server's own name.
    monkeypatch.setenv("no_proxy", "somewhere.example")
    with pytest.raises(MisstepError, match="no host of this name"):
        ServerPolicy(f"{scheme}://somewhere.example/v1")


def test_silence_is_told_at_the_first_try_once_and_taken_back(
    serve: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MISSTEP_PROGRESS", "json")
    server = serve(lambda body, number: Cut(b"") if number == 1 else (200, {"choices": [{"text": "2"}]}))
    policy = ServerPolicy(server.address)
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
        "http://пример.localhost:9/v1", "http://host/путь/v1", "http://me:secret@host/v1", "http://me:secret@ho st/v1",
    ],
)  # fmt: skip
def test_an_address_that_no_request_can_be_sent_to_is_refused_before_anything_is_asked(
    address: str, names_fail: Any
) -> None:
    asked = names_fail(socket.EAI_NONAME)
    assert fault_of(address)
    with pytest.raises(MisstepError, match="expected an address like") as told:
        ServerPolicy(address)
    assert asked == [] and "secret" not in str(told.value)


def test_an_address_beyond_ascii_is_refused_with_the_one_that_a_request_can_name() -> None:
    assert "xn--e1afmkfd.localhost" in fault_of("http://пример.localhost:9/v1")
    assert "/%C3%BC/v1" in fault_of("http://host/ü/v1")


@pytest.mark.parametrize(
    "address",
    [
        "http://host/v1",
        "https://127.0.0.1:8000/v1?model=a/b",
        "http://[::1]:8000/v1",
        "http://xn--mnchen-3ya.example/v1",
        "http://host/v1?model=модель",
    ],
)
def test_a_well_formed_address_has_no_fault(address: str) -> None:
    assert fault_of(address) == ""
