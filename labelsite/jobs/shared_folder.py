"""Whether this host's VAR is the site's own: the database and a file in VAR hold the same random identity.

Jobs leave their files in VAR, and every host reads there what another has written. A runner whose VAR is another folder
would do its work, say "done", and leave the weights where nobody finds them; so it takes no job at all.
"""

from __future__ import annotations

import fcntl
import logging
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection, transaction

from labelsite.jobs.lease import claim
from labelsite.jobs.models import Job, SiteIdentity
from ml.errors import MisstepError
from ml.whole_file import whole_file

log = logging.getLogger(__name__)

# In a job's command line, for the VAR of the host that runs it: it may be mounted elsewhere there.
VAR_PLACE = "{var}"


def identity_file() -> Path:
    return Path(settings.VAR) / "identity"


def in_var(path: Path) -> str:
    """A path as a job's command line has it: one inside VAR follows VAR to the host that runs the job."""
    folder = Path(settings.VAR)
    return f"{VAR_PLACE}/{path.relative_to(folder)}" if path.is_relative_to(folder) else str(path)


def settle_identity(**told: Any) -> None:
    """Give the site its identity after a `migrate`, unless it has one; a VAR that has one already keeps it.

    Also called after a test has emptied every table, which is no migration and brings no plan.
    """
    if "plan" not in told or SiteIdentity._meta.db_table not in connection.introspection.table_names():
        return
    if SiteIdentity.objects.exists():
        return
    try:
        # Row and file, or neither: a migration that is killed here leaves nothing that the next one cannot complete.
        with _settling_alone(), transaction.atomic():
            _make_identity()
    except MisstepError as problem:
        log.warning("the site gets no identity yet: %s", problem)


def _make_identity() -> None:
    # Row before file: of two that migrate at once, only the one that made the row writes.
    known, is_made = SiteIdentity.objects.get_or_create(pk=1, defaults={"value": uuid.uuid4().hex})
    if not is_made:
        return
    if written := _written():
        known.value = written
        known.save()
        return
    with whole_file(identity_file()) as file:
        file.write(known.value + "\n")


@contextmanager
def _settling_alone() -> Iterator[None]:
    """Waits for migrations of other databases that share this VAR, or each would write its own identity there.

    Where the file system knows no locks, or nothing can be written, it waits for nobody.
    """
    path = identity_file().with_name("identity.lock")
    with ExitStack() as opened:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            fcntl.flock(opened.enter_context(path.open("wb")), fcntl.LOCK_EX)
        except OSError as problem:
            log.info("%s cannot be locked: %s", path, problem)
        yield


def refusal() -> str | None:
    """Why no job may be taken with this VAR; None where it is the site's own, or the site has no identity yet."""
    known = SiteIdentity.objects.first()
    written = _written()
    if known is None or written == known.value:
        return None
    found = f"has identity {written}" if written else "has no file `identity`"
    return (
        f"VAR {settings.VAR} is not this site's: it {found}, expected {known.value}. Mount the site's own VAR here; "
        f"where this is it and only the file was lost, write {known.value} into {identity_file()}"
    )


def claim_here(job_id: int, task_name: str) -> Job | None:
    """Take a queued job of this task, unless VAR is not the site's: then it waits for a runner with the right one."""
    if refused := refusal():
        log.error("job %s is not taken: %s", job_id, refused)
        return None
    return claim(job_id, task_name)


def refusal_if_known() -> str | None:
    """The same at a process's start, where a database that does not answer yet is no reason to end."""
    try:
        return refusal()
    except DatabaseError:
        return None


def _written() -> str:
    try:
        return identity_file().read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return ""
