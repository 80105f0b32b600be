"""Why a job failed is said in the reader's language, and the program's own English stands below it."""

import gzip
import json
from pathlib import Path
from typing import get_args

import pytest
from django.test import Client
from django.utils import translation

from labelsite.annotations.import_refusals import ImportRefused
from labelsite.jobs.errors import Code
from labelsite.jobs.failures import Failure, failure
from labelsite.jobs.lease import Lease, claim
from labelsite.jobs.models import Job
from labelsite.jobs.services import enqueue, perform, retry
from labelsite.jobs.wording import message
from ml import formats
from ml.errors import BadRecord
from ml.policies.silence import Silence
from ml.said import Said
from tests.data import ROOT
from tests.factories import make_job, make_user
from tests.jobs.work import TASK, python, run_and_load

KILLED = "The system killed its process, most often because memory ran out."


def ended(*arguments: str, code: str = "") -> Job:
    """A job whose child process ran to its end: `python -m ml snapshot` with these arguments, or the code."""
    spec = python(code) if code else {"arguments": list(arguments)}
    job = enqueue("ml", "snapshot", spec, task_name=TASK, maximum_attempts=1)
    run_and_load(job.pk)
    return Job.objects.get(pk=job.pk)


@pytest.mark.django_db
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here, which is a full disk")
def test_a_job_that_a_full_disk_ended_says_so_although_its_log_cannot() -> None:
    job = make_job(task_name=TASK, spec=python(""))

    def prepare(job: Job, folder: Path) -> None:
        job.attempt_folder.mkdir(parents=True, exist_ok=True)
        (job.attempt_folder / "log.txt").symlink_to("/dev/full")
        with open("/dev/full", "w") as file:
            file.write("spec")

    perform(job.pk, job.task_name, prepare=prepare)
    job.refresh_from_db()
    assert (job.state, job.failure.code) == ("failed", "failed") and "No space left on device" in job.error


@pytest.mark.django_db
def test_a_refusal_of_a_child_is_told_to_each_reader_and_its_log_has_it_in_english(
    tmp_path: Path, client: Client
) -> None:
    broken = tmp_path / "%(a)s.jsonl"
    broken.write_text("7\n")
    job = ended("--solutions", str(broken), "--format", "records", "--labels", "human", "--out", "{out}/s")
    english = f"{broken}:1: a JSON number, expected one JSON object a line"
    assert (job.error, job.failure) == (english, Failure("refused", english))
    assert (job.attempt_folder / "log.txt").read_text() == f"python -m ml snapshot: {english}\n"
    client.force_login(make_user("admin"))
    for language, words in (
        ("en", english),
        ("ko", f"{broken}:1: 발견: JSON number, 예상: 한 줄에 JSON 객체 하나"),
    ):
        told = client.get(f"/api/v1/jobs/{job.pk}/", headers={"accept-language": language}).json()
        assert (told["error_code"], told["error"]) == ("refused", words)


@pytest.mark.django_db
def test_what_a_program_says_in_english_alone_stands_below_a_sentence_that_announces_it(
    tmp_path: Path, client: Client
) -> None:
    full = tmp_path / "<b>"
    (full / "file").mkdir(parents=True)
    job = ended("--solutions", "x", "--format", "records", "--labels", "human", "--out", str(full))
    assert job.failure == Failure(
        "refused", "", f"{full} already holds files, expected a new or empty folder"
    )
    client.force_login(make_user("admin"))
    page = client.get(f"/jobs/{job.pk}/", headers={"accept-language": "ko"}).content.decode()
    assert f'프로그램이 영어로 남긴 설명:</p><p class="said" lang="en">{tmp_path}/&lt;b&gt; already' in page


@pytest.mark.django_db
def test_a_child_that_breaks_down_leaves_its_last_line_and_the_log_has_the_traceback() -> None:
    job = ended(code="raise RuntimeError('<b> is %(odd)s')")
    assert job.failure == Failure("failed", "", "RuntimeError: <b> is %(odd)s")
    assert "Traceback" in (job.attempt_folder / "log.txt").read_text()


@pytest.mark.django_db
def test_a_last_line_that_comes_in_pieces_is_one() -> None:
    first, rest = b"said\nOSError: \xc3", b"\xa9 is full"
    say = f"import os, time; os.write(2, {first}); time.sleep(0.5); os.write(2, {rest}); exit(1)"
    assert ended(code=say).failure.detail == "OSError: é is full"


@pytest.mark.django_db
def test_what_the_runner_says_of_a_killed_child_is_a_sentence_and_keeps_its_last_words() -> None:
    kill = "import os, sys; print('40 done\\0', file=sys.stderr, flush=True); os.kill(os.getpid(), 9)"
    job = ended(code=kill)
    assert job.failure == Failure("killed", KILLED, "40 done\N{REPLACEMENT CHARACTER}", "(attempt 1 of 1)")
    with translation.override("ko"):
        assert str(job.failure).startswith("시스템이 프로세스를 강제로")
        assert job.failure.attempts == "(1번 중 1번째 시도)"


@pytest.mark.django_db
def test_a_refusal_that_nobody_could_be_told_leaves_the_last_words() -> None:
    forged = {"text": "%(a)999999999d", "values": {"a": 7}}
    code = f"import sys; print({json.dumps({'refusal': forged})!r}); sys.exit('no')"
    assert ended(code=code).failure == Failure("refused", "", "no")


def test_the_reference_says_what_each_code_means() -> None:
    reference = (ROOT / "docs" / "reference.md").read_text()
    assert [code for code in get_args(Code) if f"| `{code}` |" not in reference] == []


@pytest.mark.parametrize("language", ["en", "ko"])
def test_an_older_row_is_told_as_it_was_kept(language: str) -> None:
    with translation.override(language):
        assert failure("the child process ended", None) == Failure("failed", "", "the child process ended")
        assert failure("none", {"text": "100% odd", "values": {}}) == Failure("refused", "100% odd")
        assert failure("", None) == Failure("", "")


@pytest.mark.django_db
def test_a_refusal_of_ours_is_told_in_the_reader_s_language_alone_and_kept_in_english() -> None:
    def work(job: Job, lease: Lease) -> None:
        raise ImportRefused([BadRecord("a%s.jsonl", 3, "an empty file", Said("at most %(most)s", most=7))], 2)

    job = make_job(kind="django")
    perform(job.pk, job.task_name, work=work)
    job = Job.objects.get()
    assert job.error.splitlines() == [
        "a%s.jsonl:3: an empty file, expected at most 7",
        "... and 1 more",
        "2 bad lines; nothing was imported",
    ]
    assert job.failure == Failure("refused", job.error)
    with translation.override("ko"):
        assert job.failure.said.splitlines() == [
            "a%s.jsonl:3: 발견: 빈 파일, 예상: 최대 7",
            "… 그 밖에 1개",
            "잘못된 줄 2개. 아무것도 가져오지 않았습니다",
        ]
    retry(job)
    assert claim(job.pk) and Job.objects.get().failure == Failure("", "")


@pytest.mark.django_db
def test_a_refusal_with_an_error_of_python_s_in_it_is_kept_as_well(tmp_path: Path) -> None:
    broken = tmp_path / "a.jsonl.gz"
    broken.write_bytes(gzip.compress(b'{"problem": "p", "steps": ["a"]}\n')[:-4])

    def work(job: Job, lease: Lease) -> None:
        list(formats.read(broken, "records", name="a.jsonl.gz"))

    job = make_job(kind="django")
    perform(job.pk, job.task_name, work=work)
    job.refresh_from_db()
    assert job.state == "failed" and "broken gzip data (Compressed file ended" in job.failure.said
    with translation.override("ko"):
        assert "깨진 gzip 데이터(Compressed file ended" in job.failure.said


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
