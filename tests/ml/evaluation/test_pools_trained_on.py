"""Best-of-n without the problems that the model was trained on."""

from __future__ import annotations

import json

import pytest

from ml.commands.evaluate import main
from ml.errors import MisstepError
from ml.snapshot import problem_hash


@pytest.fixture
def pool(tmp_path):
    """Four problems of two candidates; the scores find the right one on the first two problems alone."""
    path = tmp_path / "pool.jsonl"
    with path.open("w") as stream:
        for number in range(4):
            scores = [0.9, 0.1] if number < 2 else [0.1, 0.9]
            candidates = [
                {"is_correct": right, "final_answer": str(right), "step_scores": {"prm": [score]}}
                for right, score in zip((True, False), scores, strict=True)
            ]
            line = {"id": str(number), "problem": f"problem {number}", "candidates": candidates}
            stream.write(json.dumps(line) + "\n")
    return path


def chosen(capsys, pool, trained=None):
    known = pool.with_name("training_problems.txt")
    known.write_text("\n".join(problem_hash(f"problem {number}") for number in trained or ()))
    further = [] if trained is None else ["--training-problems", str(known)]
    main(["best-of-n", "--pool", str(pool), *further])
    report = json.loads(capsys.readouterr().out.splitlines()[-1])
    [product] = [row["accuracy"] for row in report["rows"] if (row["rule"], row["n"]) == ("product", 2)]
    return report, product


def test_the_problems_that_a_checkpoint_names_are_left_out_and_counted(capsys, pool):
    report, product = chosen(capsys, pool, trained=(0, 1, 7))
    assert (report["training_problems_left_out"], report["problems"], report["candidates"]) == (2, 2, 4)
    assert product == 0.0


def test_the_problems_of_two_models_that_are_compared_are_left_out_of_both(capsys, pool, tmp_path):
    options = []
    for name, trained in (("one", (0, 1)), ("other", (1, 2))):
        known, scores = tmp_path / f"{name}.txt", tmp_path / f"{name}.jsonl"
        known.write_text("\n".join(problem_hash(f"problem {number}") for number in trained))
        ids = [f"{number}/{k}" for number in range(4) for k in range(2)]
        scores.write_text("".join(json.dumps({"id": one, "scores": [0.5]}) + "\n" for one in ids))
        source = "--scores" if name == "one" else "--second-scores"
        options += [source, str(scores), "--training-problems", str(known)]
    main(["best-of-n", "--pool", str(pool), *options])
    report = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (report["training_problems_left_out"], report["problems"]) == (3, 1)
    more = tmp_path / "more.txt"
    more.write_text("\n".join(problem_hash(f"problem {number}") for number in (0, 3)))
    with pytest.raises(MisstepError, match=r"all of its 4 problems stand in one\.txt, other\.txt, more\.txt"):
        main(["best-of-n", "--pool", str(pool), *options, "--training-problems", str(more)])


def test_where_nobody_says_what_it_was_trained_on_all_are_judged_and_that_is_told(capsys, pool):
    report, product = chosen(capsys, pool)
    assert (report["training_problems_left_out"], report["problems"], product) == (None, 4, 0.5)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", r"training_problems\.txt: no problem, expected a checkpoint's"),
        (
            b"0123456789abcdef\n\n# Problems\n",
            r"training_problems\.txt:3: '#', expected 16 digits of 0-9 and a-f",
        ),
        (b"0123456789ABCDEF\n", r"training_problems\.txt:1: '0123456789ABCDEF', expected 16 digits"),
        (b"\xff\xfe0\0", r"training_problems\.txt:1: .*, expected 16 digits"),
    ],
)
def test_another_file_than_one_of_training_problems_does_not_make_all_of_them_unseen(pool, content, told):
    known = pool.with_name("training_problems.txt")
    known.write_bytes(content)
    with pytest.raises(MisstepError, match=told):
        main(["best-of-n", "--pool", str(pool), "--training-problems", str(known)])


def test_a_problem_without_a_text_and_nothing_left_to_choose_are_refused(capsys, pool):
    with pytest.raises(
        MisstepError, match=r"all of its 4 problems stand in training_problems\.txt, expected others"
    ):
        chosen(capsys, pool, trained=range(4))
    pool.write_text(pool.read_text().replace('"problem": "problem 3", ', ""))
    with pytest.raises(MisstepError, match="problem 3 has no text in `problem`"):
        chosen(capsys, pool, trained=(0,))
    with pytest.raises(MisstepError, match=r"absent\.txt: no such file"):
        main(["best-of-n", "--pool", str(pool), "--training-problems", str(pool.with_name("absent.txt"))])
