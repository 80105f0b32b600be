"""What a report tells, and how fast its process works."""

from __future__ import annotations

import json

import pytest

from ml import progress
from ml.policies.silence import Silence
from ml.progress import Progress, pace, tell


def test_a_report_says_how_much_was_there_before_the_process_began(monkeypatch, capsys):
    monkeypatch.setenv("MISSTEP_PROGRESS", "json")
    Progress("steps", 1000, begun_at=800).report(801)
    report = json.loads(capsys.readouterr().out)["progress"]
    assert (report["done"], report["begun_at"], report["total"]) == (801, 800, 1000)


def test_the_last_report_is_told_however_soon_it_comes_and_with_its_total(monkeypatch, capsys):
    monkeypatch.setenv("MISSTEP_PROGRESS", "json")
    progress = Progress("solutions")
    for done in range(1, 241):
        progress.report(done)
    progress.finish(240)
    reports = [json.loads(line)["progress"] for line in capsys.readouterr().out.splitlines()]
    assert (reports[0]["done"], reports[0]["total"]) == (1, None)
    assert len(reports) < 240 and (reports[-1]["done"], reports[-1]["total"]) == (240, 240)


def test_a_person_reads_each_line_once_and_no_figure_that_is_not_there_yet(monkeypatch, capsys):
    monkeypatch.delenv("MISSTEP_PROGRESS", raising=False)
    progress = Progress("problems", 2)
    progress.report(0, metrics={"accuracy": None, "tokens": 0})
    progress.report(2, metrics={"accuracy": 2 / 3, "tokens": 9})
    progress.finish(2, metrics={"accuracy": 2 / 3, "tokens": 9})
    assert capsys.readouterr().err.splitlines() == [
        "0/2 problems tokens 0",
        "2/2 problems accuracy 0.666667 tokens 9",
    ]


def test_one_is_counted_as_one(monkeypatch, capsys):
    monkeypatch.delenv("MISSTEP_PROGRESS", raising=False)
    Progress("problems read").report(1)
    Progress("solutions").report(2, is_due=True)
    Progress("steps", 1).report(0, is_due=True)
    Progress("steps", 2).report(1, is_due=True)
    assert capsys.readouterr().err.splitlines() == ["1 problem read", "2 solutions", "0/1 step", "1/2 steps"]


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        ({"done": 810, "begun_at": 800, "seconds": 95.0}, 10 / 95),
        ({"done": 10, "begun_at": 0, "seconds": 5.0}, 2.0),
        ({"done": 800, "begun_at": 800, "seconds": 3.0}, None),
        ({"done": 5, "begun_at": 0, "seconds": 0.0}, None),
        ({"done": 5, "seconds": 2.0}, None),
        ({}, None),
    ],
)
def test_the_pace_counts_only_what_the_process_did_itself(report, expected):
    assert pace(report) == expected


def test_a_person_s_log_has_fewer_lines_the_longer_the_run_takes(monkeypatch, capsys):
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    told = Progress("problems", 10**9, _started=0.0)
    for second in range(1, 21_601):
        now[0] = float(second)
        told.report(second)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) < 1_000 and lines[:3] == [f"{one}/1000000000 problems" for one in (1, 2, 3)]


def test_a_line_and_its_end_are_one_write_which_no_other_thread_can_part(monkeypatch):
    written = []
    for name in ("stdout", "stderr"):
        stream = type(
            "Stream", (), {"write": lambda _, text: written.append(text), "flush": lambda _: None}
        )()
        monkeypatch.setattr(progress.sys, name, stream)
    for said in ("json", ""):
        monkeypatch.setenv("MISSTEP_PROGRESS", said)
        tell("wait")
        Progress("steps", 2).report(1)
    assert len(written) == 5 and all(text.endswith("\n") for text in written)


def test_a_server_that_goes_away_while_some_requests_are_still_answered_is_told_once(monkeypatch, capsys):
    now = [100.0]
    monkeypatch.setattr("ml.policies.silence.time.monotonic", lambda: now[0])
    silence = Silence("http://gpu/v1", "it is asked again")
    for _ in range(3):
        silence.tell("refused")
        silence.end()
    assert capsys.readouterr().err.count("does not answer") == 1
    now[0] += 10.0
    silence.tell("refused")
    assert capsys.readouterr().err.count("does not answer") == 1
