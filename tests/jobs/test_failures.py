"""Why a job failed is said in the reader's language, and the program's own English stands below it."""

import json

import pytest
from django.utils import translation

from labelsite.annotations.import_refusals import ImportRefused
from labelsite.jobs.failures import Failure, failure
from labelsite.jobs.lease import Lease
from labelsite.jobs.models import Job
from labelsite.jobs.services import perform, retry
from labelsite.jobs.wording import message
from ml.errors import BadRecord
from ml.policies.silence import Silence
from ml.said import Said
from tests.factories import make_job

KILLED = "the child process was ended by SIGKILL: 40 steps done (attempt 3 of 3)"


def test_what_the_runner_says_is_a_sentence_and_keeps_the_child_s_last_words() -> None:
    assert failure(KILLED) == Failure(
        "The system killed its process, most often because memory ran out. (attempt 3 of 3)", "40 steps done"
    )
    with translation.override("ko"):
        said = failure(KILLED).said
        assert said.startswith("시스템이 프로세스를 강제로") and said.endswith("(3번 중 3번째 시도)")
        assert failure("the process that ran it has vanished").detail == ""


def test_what_a_program_says_stands_below_a_sentence_that_announces_it() -> None:
    with translation.override("ko"):
        assert failure("--base: no model") == Failure("프로그램이 영어로 남긴 설명:", "--base: no model")


@pytest.mark.django_db
def test_a_refusal_of_ours_is_told_in_the_reader_s_language_alone_and_kept_in_english() -> None:
    def work(job: Job, lease: Lease) -> None:
        raise ImportRefused([BadRecord("a%s.jsonl", 3, "an empty file", Said("at most %(most)s", most=7))], 2)

    job = make_job(kind="django")
    perform(job.pk, work=work)
    job = Job.objects.get()
    assert job.error.splitlines() == [
        "a%s.jsonl:3: an empty file, expected at most 7",
        "... and 1 more",
        "2 bad lines; nothing was imported",
    ]
    assert job.failure == Failure(job.error, "")
    with translation.override("ko"):
        assert job.failure.said.splitlines() == [
            "a%s.jsonl:3: 발견: 빈 파일, 예상: 최대 7",
            "… 그 밖에 1개",
            "잘못된 줄 2개. 아무것도 가져오지 않았습니다",
        ]
    # Of another attempt, other words.
    retry(job)
    Job.objects.update(state="running", error="the process that ran it has vanished")
    assert Job.objects.get().failure.said.startswith("The process that ran it has vanished")


@pytest.mark.django_db
def test_of_an_exception_among_a_refusal_s_values_a_job_keeps_what_it_says() -> None:
    def work(job: Job, lease: Lease) -> None:
        found = Said("broken gzip data (%(why)s)", why=EOFError("cut off"))
        raise BadRecord("a.gz", 1, found, "a whole gzip file")

    job = make_job(kind="django")
    perform(job.pk, work=work)
    job.refresh_from_db()
    assert (job.state, job.failure.said) == ("failed", job.error) and "(cut off)" in job.error


@pytest.mark.parametrize(
    ("language", "said"),
    [("en", "The policy's server http://a:1 does not answer"), ("ko", "정책 서버(http://a:1)")],
)
def test_a_silent_server_is_told_of_in_the_reader_s_language(language, said, monkeypatch, capsys) -> None:
    monkeypatch.setenv("MISSTEP_PROGRESS", "json")
    Silence("http://a:1", "it is asked again").tell("refused")
    with translation.override(language):
        told = message(json.loads(capsys.readouterr().out)["progress"])
        assert told.startswith(said) and "(refused)" in told
