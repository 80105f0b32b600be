"""`python -m ml snapshot --second-verdicts`: two methods have to agree on the first mistake, without people."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest

from ml.commands.snapshot import main
from ml.errors import MisstepError
from ml.snapshot import read_snapshot
from ml.targets import LabelRule, label_rows
from ml.targets.named_rules import decided_anew
from tests.autolabels.files import estimate_line, write_lines
from tests.ml.prm.commands import processbench_file
from tests.ml.prm.toys import sums

# The rollouts' verdicts on four sums: the second step, none, the first step, the third.
ROLLOUTS = ([4, 0, 0], [3, 4, 1], [0, 0, 0], [2, 1, 0])
AUTOMATIC = ("--labels", "automatic", "--label-rule", "consensus")


def frozen(tmp_path, capsys, second, *options, rows=None, out="snapshot"):
    rows = rows or sums(4)
    estimates = [estimate_line(row.id, corrects) for row, corrects in zip(rows, ROLLOUTS, strict=True)]
    given = ["--solutions", str(processbench_file(tmp_path, rows)), "--format", "processbench"]
    given += ["--estimates", str(write_lines(tmp_path / "estimates.jsonl", estimates))]
    given += ["--second-verdicts", str(write_lines(tmp_path / "second.jsonl", second))]
    assert main([*given, "--out", str(tmp_path / out), *(options or AUTOMATIC)]) == 0
    return read_snapshot(tmp_path / out), json.loads(capsys.readouterr().out.splitlines()[-1])


@pytest.mark.parametrize(
    ("kind", "field", "said", "options"),
    [
        ("critiques", "critiques", [[1, 1, 2], ["it is \\boxed{0}"], [0]], ()),
        (
            "scores",
            "scores",
            [[0.9, 0.2, 0.9], [0.1, 0.9, 0.9], [0.4, 0.1, 0.9]],
            ("--second-threshold", "0.5"),
        ),
    ],
)
def test_solutions_on_which_two_methods_agree_are_kept_and_the_rest_is_counted(
    tmp_path, capsys, kind, field, said, options
):
    rows = sums(4)
    lines = [{"id": row.id, field: one} for row, one in zip(rows, said, strict=False)]
    snapshot, told = frozen(tmp_path, capsys, lines, *AUTOMATIC, *options)
    assert [(row.id, row.first_mistake, row.labels) for row in snapshot] == [
        (rows[0].id, 1, [1.0, 0.0, None]),
        (rows[2].id, 0, [0.0, None, None]),
    ]
    assert told["filters"] == {
        "solutions_contradicted_by_second_method": 1,
        "solutions_without_second_verdict": 1,
    }
    second = snapshot.manifest["second_verdicts"]
    assert told["second_verdicts"] == second
    sha256 = hashlib.sha256((tmp_path / "second.jsonl").read_bytes()).hexdigest()
    assert (second["file"], second["kind"], second["sha256"]) == ("second.jsonl", kind, sha256)
    assert (second["agree"], second["differ"], second["without_verdict"]) == (2, 1, 1)


def test_what_is_kept_without_labels_is_counted_too_and_stays_without_labels_where_they_are_decided_anew(
    tmp_path, capsys
):
    rows = sums(4)
    said = ([1, 1, 2], ["it is \\boxed{0}"], [0])
    lines = [{"id": row.id, "critiques": one} for row, one in zip(rows, said, strict=False)]
    snapshot, told = frozen(tmp_path, capsys, lines, *AUTOMATIC, "--keep-unlabelled")
    kept = list(snapshot)
    assert len(kept) == 4 and not told["filters"]
    second = snapshot.manifest["second_verdicts"]
    assert (second["agree"], second["differ"], second["without_verdict"]) == (2, 1, 1)
    anew = decided_anew("automatic", {"after_mistake": "wrong"}, snapshot.manifest["rule"])
    assert [row.labels for row in label_rows(kept, anew)] == [
        [1.0, 0.0, 0.0],
        [None] * 3,
        [0.0, 0.0, 0.0],
        [None] * 3,
    ]


def test_a_second_search_is_read_by_the_same_threshold_as_the_first(tmp_path, capsys):
    rows = sums(4)
    second = [estimate_line(rows[0].id, [4, 1, 0]), estimate_line(rows[1].id, [4, 4, 1])]
    options = (*AUTOMATIC, "--threshold", "0.25")
    snapshot, _ = frozen(tmp_path, capsys, second, *options)
    assert [(row.id, row.first_mistake) for row in snapshot] == [(rows[0].id, 1), (rows[1].id, 2)]


def test_what_two_methods_agree_on_can_have_the_shares_as_labels(tmp_path, capsys):
    second = [{"id": sums(4)[0].id, "critiques": [1]}]
    snapshot, _ = frozen(tmp_path, capsys, second, *AUTOMATIC, "--target", "soft")
    assert [row.labels for row in snapshot] == [[1.0, 0.0, None]]


def test_a_judge_that_names_a_step_beyond_the_end_has_no_verdict(tmp_path, capsys):
    rows = sums(4)
    second = [{"id": rows[0].id, "critiques": [7]}, {"id": rows[1].id, "critiques": [-1]}]
    snapshot, told = frozen(tmp_path, capsys, second)
    assert [row.id for row in snapshot] == [rows[1].id]
    assert told["filters"] == {"solutions_without_second_verdict": 3}


def test_among_mixed_labels_people_are_asked_where_they_judged_and_the_second_method_elsewhere(
    tmp_path, capsys
):
    rows = sums(4)
    snapshot, told = frozen(
        tmp_path,
        capsys,
        [{"id": rows[1].id, "critiques": [0]}],
        "--labels",
        "mixed",
        "--label-rule",
        "consensus",
    )
    by_people = [row for row, found in zip(rows, (1, None, 0, 2), strict=True) if row.first_mistake == found]
    assert [row.id for row in snapshot] == [row.id for row in by_people]
    assert told["filters"] == {"solutions_without_agreement": 4 - len(by_people)}
    [alone] = label_rows([_unjudged(next(iter(snapshot)))], LabelRule("mixed", mixture="consensus"))
    assert set(alone.label_source) <= {"automatic", None} and alone.labels[0] is not None


def _unjudged(row):
    """The same row where nobody looked, and the second method sees what the rollouts see."""
    return replace(
        row, human=None, automatic={**row.automatic, "second": {"first_mistake": row.first_mistake}}
    )


@pytest.mark.parametrize(
    ("line", "options", "complaint"),
    [
        ({"critiques": [1]}, ("--labels", "automatic"), "--second-verdicts without --label-rule consensus"),
        ({"scores": [1, 1, 1]}, AUTOMATIC, "second.jsonl holds scores, expected --second-threshold"),
        ({"critiques": [1]}, (*AUTOMATIC, "--second-threshold", "0.5"), "expected it with scores alone"),
        ({"scores": [1]}, (*AUTOMATIC, "--second-threshold", "0.5"), "sum-0-0: 1 steps, expected its 3"),
        ({"label": 1}, AUTOMATIC, "expected a file of estimates, critiques or scores"),
        ({"id": "of-another", "critiques": [1]}, AUTOMATIC, "1 of its ids are not in .*of-another"),
    ],
)
def test_a_second_file_that_does_not_go_with_the_rest_is_refused(tmp_path, capsys, line, options, complaint):
    with pytest.raises(MisstepError, match=complaint):
        frozen(tmp_path, capsys, [{"id": sums(1)[0].id, **line}], *options)


def test_a_method_does_not_confirm_itself(tmp_path, capsys):
    rows = sums(4)
    same = [estimate_line(row.id, corrects) for row, corrects in zip(rows, ROLLOUTS, strict=True)]
    with pytest.raises(MisstepError, match="is the same file as --estimates"):
        frozen(tmp_path, capsys, same, rows=rows)
