from __future__ import annotations

import json

import pytest

from labelsite.jobs import series
from labelsite.jobs.series import SeriesWriter, curves, tail


def test_a_falling_loss_is_drawn_falling_from_edge_to_edge(tmp_path):
    with SeriesWriter(tmp_path, attempt=1) as writer:
        for done, loss in ((0, 2.0), (50, 1.0), (100, 0.0)):
            writer.add({"done": done, "metrics": {"loss": loss, "note": "text is no curve"}})
    (curve,) = curves(tmp_path / "progress.jsonl")
    assert (curve.name, curve.low, curve.high, curve.last, curve.count) == ("loss", 0.0, 2.0, 0.0, 3)
    assert curve.points == "6.0,6.0 160.0,60.0 314.0,114.0"


def test_what_a_later_attempt_did_again_is_drawn_once_as_it_came_out_last(tmp_path):
    for attempt, reports in ((1, {0: 2.0, 50: 9.0}), (2, {50: 1.0, 100: 0.0})):
        with SeriesWriter(tmp_path, attempt=attempt) as writer:
            for done, loss in reports.items():
                writer.add({"done": done, "metrics": {"loss": loss}})
    (curve,) = curves(tmp_path / "progress.jsonl")
    assert (curve.high, curve.points) == (2.0, "6.0,6.0 160.0,60.0 314.0,114.0")


def test_a_long_series_is_thinned_and_keeps_its_span(tmp_path, monkeypatch):
    monkeypatch.setattr(series, "LARGEST_SERIES", 20_000)
    with SeriesWriter(tmp_path, attempt=1) as writer:
        for done in range(5000):
            writer.add({"done": done, "metrics": {"loss": 5000 - done}})
    assert (tmp_path / "progress.jsonl").stat().st_size <= 20_100
    done = [json.loads(line)["done"] for line in (tmp_path / "progress.jsonl").read_text().splitlines()]
    assert done == sorted(done) and done[0] == 0 and done[-1] > 4900
    assert len(curves(tmp_path / "progress.jsonl")[0].points.split()) <= 400


def test_a_half_written_line_and_a_missing_file_draw_nothing_wrong(tmp_path):
    assert curves(tmp_path / "progress.jsonl") == []
    (tmp_path / "progress.jsonl").write_text('{"done": 1, "metrics": {"loss": 1}}\n{"done": 2, "metr')
    assert curves(tmp_path / "progress.jsonl") == []


@pytest.mark.parametrize(
    "written, shown", [("", ""), ("one\ntwo\n", "one\ntwo"), ("x" * 100_000, "x" * 65536)]
)
def test_only_the_end_of_a_log_is_read(tmp_path, written, shown):
    (tmp_path / "log.txt").write_text(written)
    assert tail(tmp_path / "log.txt") == shown
    assert tail(tmp_path / "missing.txt") == ""
