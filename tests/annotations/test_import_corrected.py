"""A file whose labels were put right after it was imported."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from labelsite.annotations.import_refusals import Differs
from labelsite.annotations.importers import import_file
from labelsite.annotations.models import Annotation
from labelsite.campaigns.models import Task
from labelsite.problems.models import Problem, Solution
from labelsite.problems.queries import record_of

pytestmark = pytest.mark.django_db
BENCH = {"id": "s", "generator": "m", "problem": "p", "steps": ["a", "b", "c"]}


def written(folder: Path, *lines: dict[str, Any]) -> Path:
    path = folder / "file.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def bench(label: int, right: bool | None = False, **more: Any) -> dict[str, Any]:
    return {**BENCH, "label": label, "final_answer_correct": right, **more}


def test_another_label_is_refused_with_its_line_and_nothing_of_the_file_is_stored(tmp_path: Path) -> None:
    import_file(written(tmp_path, bench(1), bench(2, id="t")), "processbench", "C")
    corrected = written(tmp_path, bench(1), bench(0, id="new"), bench(1, id="t"))
    with pytest.raises(Differs, match=r"file.jsonl: 1 record differs from what is stored \(line 3\)"):
        import_file(corrected, "processbench", "C")
    assert sorted(Annotation.objects.values_list("trajectory", flat=True)) == [[1, -1], [1, 1, -1]]


def test_another_word_on_the_answer_is_refused_and_none_at_all_is_not(tmp_path: Path) -> None:
    import_file(written(tmp_path, bench(1)), "processbench", "C")
    with pytest.raises(Differs):
        import_file(written(tmp_path, bench(1, True)), "processbench", "C")
    assert import_file(written(tmp_path, bench(1, None)), "processbench", "C").new_annotations == 0


def test_the_command_fails_and_with_revise_keeps_the_old_label_as_an_earlier_revision(tmp_path: Path) -> None:
    path, asked = written(tmp_path, bench(1)), {"format": "processbench", "campaign": "C"}
    call_command("import_solutions", path, **asked, create_campaign=True, stdout=StringIO())
    written(tmp_path, bench(-1, True))
    with pytest.raises(CommandError, match="--revise"):
        call_command("import_solutions", path, **asked, stdout=StringIO())
    told = StringIO()
    call_command("import_solutions", path, **asked, revise=True, stdout=told)
    assert "put 1 that were there right" in told.getvalue()
    rows = Annotation.objects.order_by("revision").values_list("trajectory", "is_live", "revision")
    assert list(rows) == [([1, -1], False, 1), ([1, 1, 1], True, 2)]
    assert sorted(Annotation.objects.get(is_live=True).ratings.values_list("rating", flat=True)) == [1, 1, 1]
    assert Solution.objects.get().is_correct is True
    call_command("import_solutions", path, **asked, stdout=StringIO())
    assert Annotation.objects.count() == 2


def test_gold_of_a_checker_follows_what_it_now_says(tmp_path: Path) -> None:
    def samples(mistake: int) -> Path:
        wrong = {"steps": ["A = 2", "So 2"], "first_mistake": mistake}
        return written(tmp_path, {"id": "p", "problem": "1 =", "solutions": [wrong]})

    import_file(samples(0), "misstep", "C")
    import_file(samples(1), "misstep", "C", revises=True)
    assert Task.objects.values_list("gold", "gold_source").get() == ([1], "checker")


@pytest.mark.parametrize("is_numbered", [True, False])
def test_labels_of_a_machine_are_compared_too(tmp_path: Path, is_numbered: bool) -> None:
    def shepherd(sign: str) -> Path:
        before = [{"input": "q Step 1: x ки", "label": "q Step 1: x +"}] if is_numbered else []
        return written(tmp_path, *before, {"input": "p Step 1: a ки", "label": f"p Step 1: a {sign}"})

    import_file(shepherd("+"), "math_shepherd", "C")
    with pytest.raises(Differs):
        import_file(shepherd("-"), "math_shepherd", "C")
    import_file(shepherd("-"), "math_shepherd", "C", revises=True)
    assert Solution.objects.get(problem__text="p").extra["hard"] == [0]


def test_a_corrected_answer_is_graded_anew_where_the_file_says_nothing_of_it(tmp_path: Path) -> None:
    def answered(answer: str) -> Path:
        return written(
            tmp_path, {"id": "s", "problem": "1 + 1?", "answer": "2", "steps": ["a"], "final_answer": answer}
        )

    import_file(answered("3"), "records", "C")
    assert Solution.objects.get().is_correct is False
    import_file(answered("2"), "records", "C", revises=True)
    assert Solution.objects.values_list("final_answer", "is_correct").get() == ("2", True)
    import_file(answered("no number"), "records", "C", revises=True)
    assert Solution.objects.get().is_correct is not True


def test_other_metadata_is_refused_and_with_revise_put_beside_what_was_kept(tmp_path: Path) -> None:
    def kept(**metadata: Any) -> Path:
        return written(tmp_path, {"id": "s", "problem": "p", "steps": ["a"], **metadata})

    import_file(kept(ticket="T-1", size=1e23, batch=1), "records", "C")
    import_file(kept(ticket=None, size=1e23), "records", "C")
    with pytest.raises(Differs, match="in metadata, expected"):
        import_file(kept(ticket="T-2"), "records", "C")
    with pytest.raises(Differs, match="in metadata, expected"):
        import_file(kept(colour="red"), "records", "C")
    import_file(kept(ticket="T-2", colour="red"), "records", "C", revises=True)
    metadata = {"ticket": "T-2", "size": 10**23, "batch": 1, "colour": "red"}
    assert Solution.objects.get().extra["metadata"] == metadata


def test_a_reference_solution_that_comes_later_is_told_and_with_revise_taken_over(tmp_path: Path) -> None:
    def sampled(**reference: str) -> Path:
        sample = {"steps": ["A = 2"]}
        return written(tmp_path, {"id": "p", "problem": "1 =", "solutions": [sample, sample], **reference})

    import_file(sampled(), "misstep", "C")
    with pytest.raises(Differs, match="in reference_solution, expected"):
        import_file(sampled(reference_solution="One is one."), "misstep", "C")
    for reference in ("One is one.", "One is 1."):
        path = sampled(reference_solution=reference)
        import_file(path, "misstep", "C", revises=True)
        import_file(path, "misstep", "C")
        assert {record_of(row, (), "").problem.reference_solution for row in Solution.objects.all()} == {
            reference
        }
    assert Problem.objects.get().reference_solution == "One is one."


def test_a_known_id_by_another_generator_is_no_correction_and_is_told_as_what_it_is(tmp_path: Path) -> None:
    import_file(written(tmp_path, bench(1)), "processbench", "C")
    other = written(tmp_path, bench(0, generator="another"))
    for revises in (False, True):
        with pytest.raises(Differs, match=r"\(line 1\) in generator, labels, expected an id of its own"):
            import_file(other, "processbench", "C", revises=revises)
    assert Solution.objects.get().generator == "m"


def test_a_generator_that_nobody_had_named_is_taken_over(tmp_path: Path) -> None:
    import_file(written(tmp_path, {"id": "s", "problem": "p", "steps": ["a"]}), "records", "C")
    named = written(tmp_path, {"id": "s", "problem": "p", "steps": ["a"], "generator": "m"})
    with pytest.raises(Differs, match="in generator, expected the same labels and facts"):
        import_file(named, "records", "C")
    import_file(named, "records", "C", revises=True)
    assert Solution.objects.get().generator == "m"
