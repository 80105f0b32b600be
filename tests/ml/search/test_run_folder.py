"""The folder of a run: one writer at a time, up to the last file, and one run's files only."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ml.__main__ import main
from ml.commands import autolabel
from ml.errors import FolderInUse, MisstepError, ServerAway
from ml.search import run_folder
from ml.search.run_folder import RunFolder, was_served
from ml.whole_file import whole_file
from tests.ml.search.chain_autolabel_inputs import label, with_inputs
from tests.ml.search.toy import ChainPolicy

NAMES = {"estimate": "estimates.jsonl", "tree": "trees.jsonl"}


def finish(folder: RunFolder) -> None:
    folder.open()
    folder.add(0, {"estimate": 1, "tree": 2})
    folder.finish({"settings": folder.settings}, NAMES)


def test_nobody_else_starts_while_the_final_files_are_written(tmp_path: Path, monkeypatch) -> None:
    refused = []

    def write(path: Path):
        if path.suffix != ".partial":
            with pytest.raises(FolderInUse, match="another run is writing here"):
                RunFolder(tmp_path, {"seed": 0}).open()
            refused.append(path.name)
        return whole_file(path)

    monkeypatch.setattr(run_folder, "whole_file", write)
    finish(RunFolder(tmp_path, {"seed": 0}))
    assert refused == [*NAMES.values(), "run.json"]
    assert {path.name for path in tmp_path.iterdir()} == set(refused)


def test_a_start_that_looked_before_the_other_finished_does_not_run_it_again(tmp_path: Path) -> None:
    late = RunFolder(tmp_path, {"seed": 0})
    assert late.finished_run() is None
    finish(RunFolder(tmp_path, {"seed": 0}))
    with pytest.raises(FolderInUse, match="has just finished this run, expected one at a time"):
        late.open()


@pytest.mark.parametrize(
    ("spoil", "how"), [(Path.unlink, "is gone"), (lambda path: path.write_text("2\n"), "was changed")]
)
def test_a_run_whose_file_is_no_longer_what_it_wrote_is_not_called_finished(
    spoil, how: str, tmp_path: Path
) -> None:
    finish(RunFolder(tmp_path, {"seed": 0}))
    assert RunFolder(tmp_path, {"seed": 0}).finished_run()
    spoil(tmp_path / "estimates.jsonl")
    with pytest.raises(MisstepError, match=f"estimates.jsonl {how} since a run finished it"):
        RunFolder(tmp_path, {"seed": 0}).finished_run()


def test_a_finished_run_with_other_settings_is_refused_and_stays_as_it_was(tmp_path: Path) -> None:
    finish(RunFolder(tmp_path, {"seed": 0}))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(
        MisstepError, match=r"a finished run with other settings \(seed 0, expected 1\): choose"
    ):
        RunFolder(tmp_path, {"seed": 1}).open()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_command_whose_folder_another_run_writes_exits_as_one_that_may_be_tried_later(
    tmp_path: Path, monkeypatch, capsys
) -> None:
    other = RunFolder(tmp_path, {"seed": 0})
    other.open()

    def start_too(_: list[str]) -> int:
        RunFolder(tmp_path, {"seed": 0}).open()
        return 0

    monkeypatch.setattr("ml.commands.autolabel.main", start_too)
    assert main(["autolabel"]) == 75
    assert "another run is writing here" in capsys.readouterr().err
    other.close()
    assert main(["autolabel"]) == 0


def test_a_finished_run_keeps_no_mark_of_its_server(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path, {"seed": 0})
    folder.open()
    folder.mark_served()
    folder.add(0, {"estimate": 1})
    folder.finish({"settings": folder.settings}, NAMES)
    assert not list(tmp_path.glob("*.partial"))


def interrupted(tmp_path: Path, items: int) -> RunFolder:
    """A folder whose run was killed after so many items, finished in another order than given."""
    folder = RunFolder(tmp_path, {"seed": 0})
    assert list(folder.open()) == []
    for position in reversed(range(items)):
        folder.add(position, {"estimate": position, "tree": {"id": position}, "pairs": [position] * 2})
    folder.close()
    return RunFolder(tmp_path, {"seed": 0})


def test_what_an_earlier_start_finished_is_known_at_once_and_read_line_by_line(
    tmp_path: Path, monkeypatch
) -> None:
    folder = interrupted(tmp_path, 5)
    read = []

    def loads(body):
        if "tree" in str(body):
            read.append(body)
        return json_loads(body)

    json_loads = json.loads
    monkeypatch.setattr("ml.search.run_folder.json.loads", loads)
    finished = folder.open()
    assert sorted(folder.offsets) == [0, 1, 2, 3, 4] and not read
    assert next(finished)["position"] == 4 and len(read) == 1
    assert [line["position"] for line in finished] == [3, 2, 1, 0]
    read.clear()
    folder.finish({"settings": folder.settings}, {**NAMES, "pairs": "pairs.jsonl"})
    # All files come of one reading.
    assert len(read) == 5
    assert (tmp_path / "estimates.jsonl").read_text() == "0\n1\n2\n3\n4\n"
    assert (tmp_path / "pairs.jsonl").read_text() == "".join(f"{one}\n{one}\n" for one in range(5))


def test_a_torn_last_line_is_cut_off_and_a_line_of_another_form_is_read_whole(tmp_path: Path) -> None:
    folder = interrupted(tmp_path, 2)
    with (tmp_path / run_folder.PROGRESS).open("ab") as file:
        file.write(b'{"estimate": 7, "position": 9}\n{"position": 5, "esti')
    assert [line["position"] for line in folder.open()] == [1, 0, 9]
    folder.add(5, {"estimate": 5})
    assert [line["estimate"] for line in folder.lines()] == [0, 1, 5, 7]
    folder.close()


def test_a_full_disk_is_told_with_the_file_that_it_has_no_room_for(tmp_path: Path) -> None:
    folder = interrupted(tmp_path, 2)
    list(folder.open())
    folder._file.close()
    folder._file = open("/dev/full", "ab")  # noqa: SIM115
    for told in (lambda: folder.add(2, {"estimate": 2}), folder.close):
        with pytest.raises(OSError, match=r"No space left.*progress\.jsonl\.partial"):
            told()


def test_a_long_reading_and_a_long_writing_say_how_far_they_are(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(run_folder, "SECONDS_IN_SILENCE", -1.0)
    folder = interrupted(tmp_path, 3)
    list(folder.open())
    assert "reading what is done: 2 of 3" in capsys.readouterr().err
    folder.finish({"settings": folder.settings}, NAMES)
    assert "writing the results: 1 of 3" in capsys.readouterr().err


def test_a_start_that_kept_nothing_keeps_no_other_run_away(tmp_path: Path) -> None:
    nothing = RunFolder(tmp_path, {"seed": 0})
    nothing.open()
    nothing.mark_served()
    nothing.close()
    other = RunFolder(tmp_path, {"seed": 1})
    assert list(other.open()) == [] and not was_served(tmp_path)
    other.add(0, {"line": 1})
    other.close()
    with pytest.raises(MisstepError, match="holds an unfinished run with other settings"):
        RunFolder(tmp_path, {"seed": 2}).open()


def test_a_file_in_the_folders_place_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "out.partial").write_text("")
    with pytest.raises(MisstepError, match=r"out\.partial is no folder, expected one to keep work in"):
        RunFolder(tmp_path / "out.partial", {}).open()


def test_what_a_start_spent_on_what_it_left_is_in_the_cost_of_the_run(tmp_path: Path, monkeypatch) -> None:
    files = with_inputs(monkeypatch, tmp_path, 12)

    class Away(ChainPolicy):
        calls = written = 0

        def complete(self, *asked):
            Away.calls += 1
            # In the second call of the second problem.
            if Away.calls == 4:
                raise ServerAway("the server is away")
            answers = super().complete(*asked)
            Away.written += sum(one.tokens for row in answers for one in row)
            return answers

    monkeypatch.setattr(autolabel, "load_policy", lambda spec, engines, **_: Away(0.2))
    arguments = ["--problems", str(files / "problems.jsonl"), "--parallel-trees", "1"]
    with pytest.raises(ServerAway):
        label(files, *arguments)
    assert Away.written > 0 and not (files / "out" / "run.json").exists()
    label(files, *arguments)
    run = json.loads((files / "out" / "run.json").read_text())
    assert run["cost"]["tokens"] == Away.written
    assert not list((files / "out").glob("*.partial"))


def test_what_a_deleted_run_spent_is_not_in_the_cost_of_the_next(tmp_path: Path) -> None:
    left = RunFolder(tmp_path, {"seed": 0})
    left.open()
    left.add(0, {"estimate": 1})
    left.keep_spent({"cost": {"tokens": 900}})
    left.close()
    for name in (run_folder.SETTINGS, run_folder.PROGRESS):
        (tmp_path / name).unlink()
    anew = RunFolder(tmp_path, {"seed": 1})
    anew.open()
    assert anew.spent_before() == []
    anew.close()


def test_a_line_that_a_full_disk_tore_hides_nothing_that_was_spent_later(tmp_path: Path) -> None:
    (tmp_path / run_folder.SPENT).write_text('{"cost": {"tok')
    folder = RunFolder(tmp_path, {})
    folder.keep_spent({"cost": {"tokens": 7}})
    assert folder.spent_before() == [{"cost": {"tokens": 7}}]
