"""A run goes on when its server has moved, for the same model with the same options; with others it does not."""

from __future__ import annotations

import json
import warnings

import pytest

from ml import formats
from ml.commands import autolabel, sample, solve
from ml.errors import MisstepError, ServerAway
from tests.ml.policies.small_server import completions

PROBLEMS = 6


def failing_after(answers):
    return lambda body, number: completions(body, number) if number <= answers else (503, {"error": "down"})


def run(command, folder, policy, out):
    lines = [{"id": f"p{n}", "problem": f"What is {n} + 1?", "answer": "2"} for n in range(PROBLEMS)]
    (folder / "problems.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    amounts = {
        sample: ["--n"],
        autolabel: ["--rollouts"],
        solve: ["--method", "self-consistency", "--trajectories"],
    }
    given = [
        "--problems",
        str(folder / "problems.jsonl"),
        "--policy",
        policy,
        "--style",
        "prose",
        *amounts[command],
        "2",
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        command.main([*given, "--out", str(folder / out)])


@pytest.mark.parametrize("command", [sample, autolabel])
@pytest.mark.parametrize("servers", [1, 2])
def test_a_run_goes_on_at_another_address_with_what_it_has(serve, tmp_path, command, servers):
    first = serve(failing_after(3 if command is sample else 9))
    with pytest.raises(ServerAway):
        run(command, tmp_path, first.address + "?concurrency=1", "out")
    others = [serve(completions) for _ in range(servers)]
    moved = ",".join(server.address for server in others)
    run(command, tmp_path, moved, "out")
    undisturbed = serve(completions)
    run(command, tmp_path, undisturbed.address, "calm")
    assert sum(len(server.requests) for server in others) < len(undisturbed.requests)
    if command is sample:
        assert (tmp_path / "out").read_bytes() == (tmp_path / "calm").read_bytes()
    else:
        name = "estimates.jsonl"
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "calm" / name).read_bytes()
        record = json.loads((tmp_path / "out/run.json").read_text())
        assert (
            record["policy"] == record["settings"]["policy"] == f"{moved}?model=served-model&max_tokens=1024"
        )


@pytest.mark.parametrize("command", [sample, solve])
def test_what_many_servers_wrote_can_be_read_and_names_none_of_them(serve, tmp_path, command):
    servers = ",".join(serve(completions).address for _ in range(9))
    run(command, tmp_path, servers, "out")
    found = list(formats.solutions(formats.read(tmp_path / "out", "misstep")))
    assert len(found) == PROBLEMS * 2
    assert {one.generator for one in found} == {"server?model=served-model&max_tokens=1024"}


def test_a_finished_run_is_known_again_when_its_server_has_moved(serve, tmp_path, capsys):
    run(autolabel, tmp_path, serve(completions).address, "out")
    before = (tmp_path / "out/run.json").read_bytes()
    other = serve(completions)
    run(autolabel, tmp_path, other.address, "out")
    assert other.requests == [] and (tmp_path / "out/run.json").read_bytes() == before
    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines()[-2:])
    assert first == second


@pytest.mark.parametrize("options", ["?model=other", "?max_tokens=9", "?top_p=0.9", "?stop=no"])
def test_another_model_or_another_option_is_another_run(serve, tmp_path, options):
    with pytest.raises(ServerAway):
        run(sample, tmp_path, serve(failing_after(3)).address, "out")
    with pytest.raises(MisstepError, match="an unfinished run with other settings"):
        run(sample, tmp_path, serve(completions).address + options, "out")


def test_a_run_of_a_server_is_no_run_of_another_policy(serve, tmp_path):
    with pytest.raises(ServerAway):
        run(sample, tmp_path, serve(failing_after(3)).address, "out")
    with pytest.raises(MisstepError, match="an unfinished run with other settings"):
        run(sample, tmp_path, "pocket", "out")
