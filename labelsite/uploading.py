"""Whose files are written to disk at all, and where the large ones wait until a view takes them."""

from __future__ import annotations

import errno
import os
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import TemporaryUploadedFile, UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, SkipFile, TemporaryFileUploadHandler
from django.utils.translation import gettext as _

from ml.errors import MisstepError

# Of files that go when their request ends; one that a killed process leaves is forgotten as an old upload is.
PREFIX = "received-"


def no_room(name: str, problem: OSError) -> MisstepError:
    """What is told of an upload that could not be written."""
    what = _("the disk is full") if problem.errno == errno.ENOSPC else str(problem.strerror)
    message = _("%(name)s: %(what)s, expected room for the upload in %(folder)s")
    return MisstepError(message % {"name": name, "what": what, "folder": settings.MEDIA_ROOT})


def _folder() -> Path:
    folder = Path(settings.MEDIA_ROOT)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


@contextmanager
def as_path(upload: UploadedFile, suffix: str) -> Iterator[Path]:
    """An uploaded file under a name, for as long as it is read; raises MisstepError where there is no room for it."""
    path = Path(settings.MEDIA_ROOT, f"{PREFIX}{uuid.uuid4()}{suffix}")
    try:
        try:
            with os.fdopen(
                os.open(_folder() / path.name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb"
            ) as kept:
                kept.writelines(upload.chunks())
        except OSError as problem:
            raise no_room(str(upload.name), problem) from problem
        yield path
    finally:
        with suppress(OSError):
            path.unlink()


class OnlyFromAdmins(FileUploadHandler):
    """Passes over the files of everybody but admins, who alone import any.

    Django reads a form, its files too, to find the CSRF token in it: before any view has said who may send what, a
    stranger could fill the disk.
    """

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        user = getattr(self.request, "user", None)
        if user is None or not user.is_authenticated or not user.is_admin:
            raise SkipFile

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        return raw_data

    def file_complete(self, file_size: int) -> None:
        """The handlers after this one make the file."""


class Received(TemporaryUploadedFile):
    """A large file beside the uploads, whose disk is watched, while /tmp is often small or memory.

    What kept it from being written is told to whoever reads it: while the form is parsed nobody could answer.
    """

    problem: OSError | None = None

    def __init__(
        self, name: str, content_type: str | None, size: int, charset: str | None, more: Any
    ) -> None:
        try:
            file: Any = tempfile.NamedTemporaryFile(prefix=PREFIX, dir=_folder())  # noqa: SIM115
        except OSError as problem:
            self.problem, file = problem, BytesIO()
        UploadedFile.__init__(self, file, name, content_type, size, charset, more)

    def fail(self, problem: OSError) -> None:
        """Remember what is wrong, and give back what room the file took."""
        self.problem = problem
        with suppress(OSError):
            self.close()

    def chunks(self, chunk_size: int | None = None) -> Iterator[bytes]:
        if self.problem:
            raise no_room(str(self.name), self.problem)
        return super().chunks(chunk_size)


class BesideTheUploads(TemporaryFileUploadHandler):
    """Writes large files to where `Received` keeps them."""

    file: Received

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        FileUploadHandler.new_file(self, *args, **kwargs)
        self.file = Received(str(self.file_name), self.content_type, 0, self.charset, self.content_type_extra)

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        if self.file.problem is None:
            try:
                super().receive_data_chunk(raw_data, start)
            except OSError as problem:
                self.file.fail(problem)

    def file_complete(self, file_size: int) -> UploadedFile:
        if self.file.problem is None:
            try:
                self.file.seek(0)
            except OSError as problem:
                self.file.fail(problem)
        self.file.size = file_size
        return self.file

    def upload_interrupted(self) -> None:
        if hasattr(self, "file"):
            with suppress(OSError):
                self.file.close()
