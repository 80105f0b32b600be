"""`python -m ml sample` over a server: what was paid for survives an outage and a kill, and the result is the same."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from ml.commands import sample
from ml.errors import FolderInUse, MisstepError, ServerAway
from ml.search.run_folder import PROGRESS, RunFolder
from tests.ml.policies.small_server import completions

ROOT = Path(__file__).resolve().parents[3]
PROBLEMS = 12


def seeded(body, number=0):
    """Texts that depend on what is asked alone."""
    status, answer = completions(body, number)
    for place, choice in enumerate(answer["choices"]):
        choice["text"] = f"The answer is {(body['seed'] + place) % 3}."
    return status, answer


def command(folder, server, out="out.jsonl", **options):
    lines = [{"id": f"p{n}", "problem": f"What is {n} + 1?", "answer": "2"} for n in range(PROBLEMS)]
    (folder / "problems.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    given = {"problems": folder / "problems.jsonl", "policy": server.address + "?concurrency=2", "n": 4}
    given |= {"style": "prose", "out": folder / out} | options
    return [part for name, value in given.items() for part in (f"--{name}", str(value))]


def result_of(capsys):
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    del result["out"]
    return result


class Outage:
    """A server's answers: so many, then what `then` says, until it is over."""

    def __init__(self, answers, then=lambda: (503, {"error": "down"})):
        self.left, self.then, self.lock = answers, then, threading.Lock()

    def __call__(self, body, number):
        with self.lock:
            self.left -= 1
            is_up = self.left >= 0
        return seeded(body) if is_up else self.then()

    def end(self):
        self.left = 10**6


def calm_run(folder, server, capsys):
    """The file and the result of a run that nothing disturbs."""
    sample.main(command(folder, server, out="calm.jsonl"))
    return (folder / "calm.jsonl").read_text(), result_of(capsys)


def test_a_run_whose_server_goes_away_goes_on_and_ends_as_an_undisturbed_one(serve, tmp_path, capsys):
    outage = Outage(5)
    server = serve(outage)
    given = command(tmp_path, server)
    with pytest.raises(ServerAway):
        sample.main(given)
    assert len((tmp_path / "out.jsonl.partial" / PROGRESS).read_text().splitlines()) == 5
    assert not (tmp_path / "out.jsonl").exists()
    outage.end()
    server.requests.clear()
    sample.main(given)
    assert len(server.requests) == PROBLEMS - 5
    found = (tmp_path / "out.jsonl").read_text(), result_of(capsys)
    assert not list(tmp_path.glob("*.partial"))
    assert found == calm_run(tmp_path, server, capsys)
    assert [json.loads(line)["id"] for line in found[0].splitlines()] == [f"p{n}" for n in range(PROBLEMS)]


def killed_after_six(verb: str, given: list[str], kept: Path) -> None:
    """Kills a command once six problems stand in its progress, and leaves a torn line there."""
    child = subprocess.Popen([sys.executable, "-m", "ml", verb, *given], cwd=ROOT)
    try:
        until = time.monotonic() + 60
        while not (kept.exists() and kept.read_bytes().count(b"\n") == 6):
            assert time.monotonic() < until and child.poll() is None
            time.sleep(0.02)
    finally:
        child.kill()
        child.wait()
    with kept.open("a") as file:
        file.write('{"position": 11, "li')


def test_a_killed_run_goes_on_and_ends_as_an_undisturbed_one(serve, tmp_path, capsys):
    over, kept = threading.Event(), tmp_path / "out.jsonl.partial" / PROGRESS

    def hang():
        over.wait(60)
        return 503, {"error": "too late"}

    outage = Outage(6, hang)
    server = serve(outage)
    given = command(tmp_path, server)
    killed_after_six("sample", given, kept)
    over.set()
    outage.end()
    sample.main(given)
    found = (tmp_path / "out.jsonl").read_text(), result_of(capsys)
    assert found == calm_run(tmp_path, server, capsys)


@pytest.mark.parametrize("other", [{"n": 5}, {"seed": 1}, {"temperature": 0.1}, {"style": "code"}])
def test_an_unfinished_run_with_other_settings_is_refused_and_stays(serve, tmp_path, other):
    server = serve(Outage(3))
    with pytest.raises(ServerAway):
        sample.main(command(tmp_path, server))
    before = {path.name: path.read_bytes() for path in (tmp_path / "out.jsonl.partial").iterdir()}
    with pytest.raises(
        MisstepError, match=r"out\.jsonl\.partial holds an unfinished run with other settings"
    ):
        sample.main(command(tmp_path, server, **other))
    assert {path.name: path.read_bytes() for path in (tmp_path / "out.jsonl.partial").iterdir()} == before


def test_two_runs_that_write_one_file_are_refused(serve, tmp_path):
    server = serve(seeded)
    other = RunFolder(tmp_path / "out.jsonl.partial", {})
    other.open()
    with pytest.raises(FolderInUse):
        sample.main(command(tmp_path, server))
    other.close()


def test_samples_that_are_no_draws_are_ungraded_and_those_cut_off_are_told(serve, tmp_path, capsys):
    def reply(body, number):
        status, answer = seeded(body)
        answer["choices"][0]["finish_reason"], answer["choices"][1]["finish_reason"] = (
            "length",
            "content_filter",
        )
        return status, answer

    with pytest.warns(UserWarning, match="raise max_tokens in the policy's address"):
        sample.main(command(tmp_path, serve(reply)))
    result = result_of(capsys)
    assert (result["solutions"], result["cut_off"], result["ungraded_samples"]) == (36, 12, 12)
    line = json.loads((tmp_path / "out.jsonl").read_text().splitlines()[0])
    assert line["ungraded_samples"] == 1 and line["solutions"][0]["final_answer"] is None


def test_samples_that_end_without_an_answer_are_counted_and_told(serve, tmp_path, capsys):
    def reply(body, number):
        status, answer = seeded(body)
        answer["choices"][0]["text"] = "It comes to two."
        return status, answer

    with pytest.warns(UserWarning, match="in 12 of 48 solutions that came to their end no answer was recogn"):
        sample.main(command(tmp_path, serve(reply)))
    assert result_of(capsys)["without_answer"] == 12
