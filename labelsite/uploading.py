"""Whose files are written to disk at all."""

from __future__ import annotations

from typing import Any

from django.core.files.uploadhandler import FileUploadHandler, SkipFile


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
