"""A snapshot's files as answers to a request, for the pages and for scripts."""

from __future__ import annotations

from collections.abc import Iterator

from django.http import FileResponse, Http404, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.text import slugify

from labelsite.snapshots.exports import annotations_entry
from labelsite.snapshots.models import Snapshot
from labelsite.snapshots.services import ANNOTATIONS_FILE, folder_of
from labelsite.snapshots.verifying import open_whole, require_whole

JSON_LINES = "application/x-ndjson"


def part_response(snapshot: Snapshot, number: int) -> HttpResponseBase:
    """One part file as it lies on disk; 404 for a part that the manifest does not name."""
    parts = snapshot.manifest["parts"]
    if number >= len(parts):
        raise Http404("no such part")
    file = open_whole(folder_of(snapshot), parts[number])
    return attached(FileResponse(file, content_type=JSON_LINES), snapshot, f"part-{number:05d}.jsonl")


def annotations_response(snapshot: Snapshot) -> HttpResponseBase:
    """Each person's annotation as a PRM800K line; 404 for a snapshot without people's labels."""
    if not snapshot.manifest.get("files"):
        raise Http404("this snapshot holds no annotations")
    file = open_whole(folder_of(snapshot), annotations_entry(snapshot))
    return attached(FileResponse(file, content_type=JSON_LINES), snapshot, ANNOTATIONS_FILE)


def streamed(lines: Iterator[str], snapshot: Snapshot, name: str) -> HttpResponseBase:
    """Lines sent as they are made, so that neither memory nor the first byte waits for the last.

    The first of them says that all is well, so what they are made of is looked at before.
    """
    require_whole(folder_of(snapshot), snapshot.manifest)
    return attached(StreamingHttpResponse(lines, content_type=JSON_LINES), snapshot, name)


def attached(response: HttpResponseBase, snapshot: Snapshot, name: str) -> HttpResponseBase:
    """Downloads hold strangers' text, so a browser must store them and never show them."""
    stem = slugify(snapshot.name) or f"snapshot-{snapshot.pk}"
    response.headers["Content-Disposition"] = f'attachment; filename="{stem}-{name}"'
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response.headers["ETag"] = f'"{snapshot.sha256}-{name}"'
    return response
