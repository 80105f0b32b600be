"""Answers on which the graders differ: loaded with their run, shown on its page, decided by a person."""

from __future__ import annotations

import pytest

from labelsite.autolabels import views
from labelsite.autolabels.loading import load_estimates
from labelsite.autolabels.models import DisputedAnswer
from ml.errors import BadRecord, MisstepError
from tests.autolabels.files import estimate_line, write_lines, write_run
from tests.factories import make_estimate_run, make_solution, make_user

pytestmark = pytest.mark.django_db


def loaded(tmp_path, lines):
    solution = make_solution(["Half.", "The answer is 2/4."])
    folder = write_run(tmp_path / "run", [estimate_line(solution.pk, [4, 4])])
    write_lines(folder / "disputed_answers.jsonl", lines(solution.pk))
    run = make_estimate_run()
    load_estimates(run, folder)
    return run, solution


def halves(pk):
    return [{"id": str(pk), "reference": "1/2", "answers": [{"answer": "2/4", "is_correct": True}]}]


def test_they_stand_with_their_run_and_problem_and_once(tmp_path):
    run, solution = loaded(tmp_path, lambda pk: halves(pk) * 2)
    (dispute,) = run.disputed_answers.all()
    assert (dispute.problem_id, dispute.answer, dispute.is_correct) == (solution.problem_id, "2/4", True)
    assert dispute.verdict is None


def test_they_keep_what_they_were_graded_against_and_the_run_s_page_shows_it(client, tmp_path):
    run, _ = loaded(
        tmp_path, lambda pk: halves(pk) + [{**line, "reference": "the majority's 7"} for line in halves(pk)]
    )
    assert set(run.disputed_answers.values_list("reference", "answer")) == {
        ("1/2", "2/4"),
        ("the majority's 7", "2/4"),
    }
    client.force_login(make_user("reviewer"))
    assert "the majority&#x27;s 7" in client.get(f"/autolabels/{run.pk}/").text


@pytest.mark.parametrize("odd", ["\x00", "\ud83d"])
def test_an_answer_that_postgresql_cannot_hold_is_kept_with_replacement_characters(tmp_path, odd):
    answers = [{"answer": f"{odd} 2/4", "is_correct": True}]
    run, _ = loaded(tmp_path, lambda pk: [{"id": str(pk), "answers": answers}])
    assert run.disputed_answers.get().answer == "\N{REPLACEMENT CHARACTER} 2/4"


def test_a_solution_that_is_not_here_and_a_line_without_a_judgement_are_refused(tmp_path):
    with pytest.raises(MisstepError, match="names 987654321, which is not here"):
        loaded(tmp_path / "a", lambda pk: halves(987654321))
    with pytest.raises(BadRecord, match="expected an answer and whether it is correct"):
        loaded(tmp_path / "b", lambda pk: [{"id": str(pk), "answers": ["2/4"]}])
    assert not DisputedAnswer.objects.exists()


def test_a_reviewer_decides_on_the_runs_page_and_an_annotator_does_not(client, tmp_path):
    run, _ = loaded(tmp_path, halves)
    (dispute,) = run.disputed_answers.all()
    address = f"/autolabels/{run.pk}/answers/{dispute.pk}/"
    client.force_login(make_user())
    assert client.post(address, {"verdict": "right"}).status_code in (403, 404)
    reviewer = make_user("reviewer")
    client.force_login(reviewer)
    assert "Answers on which the graders differ" in client.get(f"/autolabels/{run.pk}/").content.decode()
    assert client.post(address, {"verdict": "wrong"}, follow=True).status_code == 200
    dispute.refresh_from_db()
    assert dispute.verdict is False and dispute.decided_by == reviewer


@pytest.mark.parametrize("sent", [{}, {"verdict": ""}, {"verdict": "True"}])
def test_a_decision_that_says_neither_right_nor_wrong_is_refused(client, tmp_path, sent):
    run, _ = loaded(tmp_path, halves)
    (dispute,) = run.disputed_answers.all()
    client.force_login(make_user("reviewer"))
    answer = client.post(f"/autolabels/{run.pk}/answers/{dispute.pk}/", sent)
    assert (answer.status_code, b"expected right or wrong" in answer.content) == (400, True)
    dispute.refresh_from_db()
    assert dispute.verdict is None


def test_more_answers_than_a_page_holds_are_counted_and_each_can_be_reached(client, tmp_path, monkeypatch):
    monkeypatch.setattr(views, "PAGE", 2)
    answers = [{"answer": f"{n}/4", "is_correct": True} for n in (1, 2, 3)]
    run, _ = loaded(tmp_path, lambda pk: [{"id": str(pk), "reference": "1/2", "answers": answers}])
    client.force_login(make_user("reviewer"))
    address = f"/autolabels/{run.pk}/"
    first = client.get(address)
    assert "1 to 2 of 3 answers" in first.text and 'href="?disputed=2#disputed"' in first.text
    second = client.get(address, {"disputed": 2})
    (last,) = second.context["disputed"]
    assert "3 to 3 of 3 answers" in second.text and "?disputed=1#disputed" in second.text
    # A decision leaves its reader where it was taken.
    decide = f"{address}answers/{last.pk}/?disputed=2"
    assert f'action="{decide}"' in second.text
    assert client.post(decide, {"verdict": "right"}).url == f"{address}?disputed=2#disputed"
    for odd in ("0", "x", "99"):
        assert client.get(address, {"disputed": odd}).status_code == 200
    assert client.post(f"{address}answers/{last.pk}/?disputed=x", {"verdict": "right"}).status_code == 302


def test_answers_that_fit_on_a_page_have_no_pages(client, tmp_path):
    run, _ = loaded(tmp_path, halves)
    client.force_login(make_user("reviewer"))
    assert "?disputed=2" not in client.get(f"/autolabels/{run.pk}/").text
