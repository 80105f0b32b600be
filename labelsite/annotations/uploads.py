"""Files that somebody uploaded to be imported: kept below VAR until they are, and never served back."""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from labelsite.accounts.models import User
from labelsite.annotations.import_campaigns import deleted
from labelsite.annotations.importers import import_file, lines_in
from labelsite.campaigns.imports import key_of_this_import
from labelsite.campaigns.models import Campaign
from labelsite.jobs.lease import Lease
from labelsite.jobs.models import Job
from labelsite.jobs.services import enqueue
from labelsite.jobs.titles import worded
from labelsite.uploading import PREFIX, no_room
from ml.errors import MisstepError
from ml.said import Said
from ml.whole_folder import sync

TASK = "labelsite.annotations.tasks.run_import"
LARGEST_BYTES = 2 * 2**30
_ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtextextended('misstep upload ' || %s, 0))"
FORGOTTEN_AFTER_SECONDS = 7 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Upload:
    """One uploaded file. Its name is only shown; on disk it goes by an id that nobody outside chose."""

    id: str
    name: str
    size: int
    campaign: str = ""

    @property
    def path(self) -> Path:
        return _folder() / f"{self.id}.data"


def _folder() -> Path:
    return Path(settings.MEDIA_ROOT)


def keep(name: str, chunks: Iterable[bytes], campaign: str = "") -> Upload:
    """Write an upload to disk piece by piece. Raises MisstepError if it is too large or the disk is full."""
    identity = str(uuid.uuid4())
    partial = _folder() / f"{identity}.partial"
    try:
        _folder().mkdir(parents=True, exist_ok=True, mode=0o700)
        forget_old()
        size = _write(partial, chunks)
        upload = Upload(identity, name[:200], size, campaign)
        _facts(identity).write_text(json.dumps(asdict(upload)))
        sync(_facts(identity))
        os.replace(partial, upload.path)
        # What is acknowledged outlives a power cut, as the job that will read it does.
        sync(_folder())
    except OSError as error:
        with suppress(OSError):
            _facts(identity).unlink()
        raise no_room(name, error) from error
    finally:
        with suppress(OSError):
            partial.unlink()
    return upload


def _write(path: Path, chunks: Iterable[bytes]) -> int:
    size = 0
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as stream:
        for chunk in chunks:
            size += len(chunk)
            if size > LARGEST_BYTES:
                message = _(
                    "a file of more than %(size)s GiB, expected a smaller one, or several;"
                    " `manage.py import_solutions` on the server has no such limit"
                )
                raise MisstepError(message % {"size": LARGEST_BYTES // 2**30})
            stream.write(chunk)
        stream.flush()
        os.fsync(stream.fileno())
    return size


def _facts(identity: str) -> Path:
    return _folder() / f"{identity}.json"


def find(identity: uuid.UUID | str) -> Upload | None:
    """The upload of that id, or None when it was imported, discarded or forgotten."""
    name = str(uuid.UUID(str(identity)))
    try:
        upload = Upload(**json.loads(_facts(name).read_text()))
    except (OSError, ValueError, TypeError):
        return None
    with suppress(OSError):
        return upload if upload.path.stat().st_size == upload.size else None
    return None


def begun_import(identity: uuid.UUID | str) -> Job | None:
    """The import of that upload, begun in another tab perhaps; None where the file waits for one."""
    job = Job.objects.filter(verb="import", spec__upload=str(identity)).order_by("-pk").first()
    return job if job and (not job.is_finished or find(identity) is None) else None


def discard(upload: Upload) -> None:
    upload.path.unlink(missing_ok=True)
    _facts(upload.id).unlink(missing_ok=True)


def forget_old() -> None:
    """Remove uploads that nobody imported for a week."""
    limit = time.time() - FORGOTTEN_AFTER_SECONDS
    for path in _folder().iterdir():
        with suppress(FileNotFoundError):
            is_ours = path.suffix in (".data", ".json", ".partial") or path.name.startswith(PREFIX)
            if is_ours and path.stat().st_mtime < limit:
                path.unlink()


@transaction.atomic
def start_import(
    upload: Upload,
    format: str,
    campaign: str,
    created_by: User | None,
    section: str = "",
    begins_paused: bool = False,
) -> Job:
    """Queue the import of an upload into the campaign of that name, and into a section of it if one is named.

    A campaign that is there is kept by its id, so that the import finds it under another name and makes none in its
    place. One that the import makes begins paused where that is asked for; one that is there stays as it is. Whoever
    asks while another asks for the same upload gets the other's job.
    """
    with connection.cursor() as cursor:
        cursor.execute(_ONE_AT_A_TIME, [upload.id])
    return begun_import(upload.id) or enqueue(
        "django",
        "import",
        {
            "upload": upload.id,
            "name": upload.name,
            "format": format,
            "campaign": campaign,
            "campaign_id": Campaign.objects.filter(name=campaign).values_list("pk", flat=True).first(),
            "section": section,
            "begins_paused": begins_paused,
        },
        created_by=created_by,
        task_name=TASK,
        title=worded(gettext_noop("Import %(file)s"), file=upload.name),
    )


def work(job: Job, lease: Lease) -> dict[str, Any]:
    """Import what the job names; runs in the transaction that marks the job as done."""
    upload = find(job.spec["upload"])
    if upload is None:
        words = gettext_noop("the upload %(name)s is gone, expected it to be uploaded again")
        raise MisstepError(Said(words, name=job.spec["name"]))
    total = lines_in(upload.path)
    target = _target(job)

    def report(line: int) -> None:
        lease.report(line, total, "lines", message="importing")

    summary = import_file(
        upload.path,
        job.spec["format"],
        target.name if target else job.spec["campaign"],
        create=target is None,
        section=job.spec["section"],
        name=upload.name,
        created_by=job.created_by,
        report=report,
        begins_paused=job.spec["begins_paused"],
    )
    told = asdict(summary)
    return {**told, "imported_at": key_of_this_import()} if summary.new_tasks else told


def _target(job: Job) -> Campaign | None:
    """The campaign that was there when the import was asked for, whatever it is called by now; None where the import
    makes one. Raises MisstepError where it was deleted since.
    """
    if job.spec["campaign_id"] is None:
        return None
    target = Campaign.objects.only("name").filter(pk=job.spec["campaign_id"]).first()
    if target is None:
        raise deleted(job.spec["campaign"])
    return target
