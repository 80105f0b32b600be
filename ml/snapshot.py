"""Frozen labels: a folder of JSONL parts and a manifest whose sha256 covers every byte of them.

A snapshot is written beside its place, synced and renamed, so a folder with this name is always whole. It is
read only after every part's hash has been compared with the manifest, so what trains is what was frozen.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from itertools import chain, islice
from pathlib import Path
from typing import Any

from ml.errors import BadRecord, MisstepError
from ml.file_hash import sha256_of
from ml.snapshot_checks import SPLITS, complaint_about
from ml.whole_file import whole_file

FORMAT = "misstep-snapshot"
VERSION = 1
ROWS_PER_PART = 20_000


@dataclass(frozen=True)
class SnapshotRow:
    """One solution with its evidence and the labels that the snapshot's rule decided.

    labels: per step the probability that the step is correct, None where the step is not supervised.
    human, automatic: the evidence itself, so that another rule can be applied later (see `ml.targets`).
    options: alternatives that are not on the trajectory: {"position", "text", "rating", "q_value"}.
    external_id, source: the solution's id in the file that it was imported from, and that file's format; None in rows
    of `python -m ml snapshot`, whose `id` is the file's own.
    """

    id: str
    problem_id: str
    problem: str
    steps: list[str]
    split: str
    labels: list[float | None]
    label_source: list[str | None]
    first_mistake: int | None = None
    answer: str | None = None
    final_answer: str | None = None
    is_correct: bool | None = None
    generator: str | None = None
    human: dict[str, Any] | None = None
    automatic: dict[str, Any] | None = None
    options: list[dict[str, Any]] = field(default_factory=list)
    external_id: str | None = None
    source: str | None = None


@dataclass(frozen=True)
class Snapshot:
    """A verified snapshot; iterating it streams its rows."""

    folder: Path
    manifest: Mapping[str, Any]

    @property
    def sha256(self) -> str:
        """The hash that names this snapshot on cards and pages."""
        return str(self.manifest["sha256"])

    def __iter__(self) -> Iterator[SnapshotRow]:
        for part in self.manifest["parts"]:
            yield from _read_part(self.folder / part["file"])


def normalise_problem(text: str) -> str:
    """The problem's text without case, spacing and Unicode variants. It may merge problems, and never parts one.

    "5² + 1" and "52 + 1" are alike in it, and "1 1/2" and "11/2": harmless for a split or a list of known problems,
    which must not leak, and no reason to take the two for the same problem anywhere else.
    """
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", text)).casefold()


def read_problem_hashes(path: Path) -> frozenset[str]:
    """The problems that a file names by their hashes, such as a checkpoint's; none where there is no file."""
    return frozenset(path.read_text(encoding="utf-8").split()) if path.is_file() else frozenset()


# A problem's solutions stand side by side, and each of them asks.
@lru_cache(maxsize=256)
def problem_hash(text: str) -> str:
    """Sixteen hexadecimal digits that name a problem by its normalised text, and those that look alike in it."""
    return hashlib.sha256(normalise_problem(text).encode()).hexdigest()[:16]


def split_of(problem_text: str) -> str:
    """`train` (80 %), `validation` (10 %) or `test` (10 %), by the problem's normalised text alone.

    Every solution of a problem, from any campaign and at any time, falls into the same split.
    """
    tenth = int(problem_hash(problem_text), 16) % 10
    return "test" if tenth == 0 else "validation" if tenth == 1 else "train"


def leaked_problems(rows: Iterable[SnapshotRow]) -> dict[str, set[str]]:
    """Problems (by hash) that stand in more than one split, with those splits. Empty when nothing leaks."""
    seen: dict[str, set[str]] = {}
    for row in rows:
        seen.setdefault(problem_hash(row.problem), set()).add(row.split)
    return {name: splits for name, splits in seen.items() if len(splits) > 1}


def write_snapshot(
    folder: str | Path, rows: Iterable[SnapshotRow], *, rows_per_part: int = ROWS_PER_PART, **fields: Any
) -> dict[str, Any]:
    """Freeze `rows` into `folder`; return the manifest, into which `fields` (name, labels, rule, ...) go.

    Raises MisstepError as `refuse_used` does, BadRecord for a row that cannot be trained on; then nothing is left
    behind.
    """
    target = Path(folder)
    refuse_used(target)
    partial = target.with_name(target.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    (partial / "parts").mkdir(parents=True)
    try:
        manifest = _write_parts(partial, rows, rows_per_part, fields)
        write_manifest(partial / "manifest.json", manifest)
        os.replace(partial, target)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return manifest


def refuse_used(target: Path) -> None:
    """Raises MisstepError where a snapshot in `target` would meet other files, or `target` has no name of its own."""
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise MisstepError(f"{target} already holds files, expected a new or empty folder")
    if not target.name:
        # Until it is whole, it stands beside its place under another name.
        raise MisstepError(f"--out {target}, expected a folder's name")


def write_manifest(path: Path, manifest: Mapping[str, Any]) -> None:
    """Write a manifest whole and onto the disk: what is committed after it relies on it."""
    with whole_file(path) as stream:
        stream.write(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n")


def read_snapshot(folder: str | Path, manifest_file: str | Path | None = None) -> Snapshot:
    """Open a snapshot, by its own manifest where the folder serves several of the same content, and verify every part.

    Raises MisstepError when it is not whole or not unchanged.
    """
    snapshot = described_snapshot(folder, manifest_file)
    for part in snapshot.manifest["parts"]:
        found_hash = _part_hash(snapshot.folder, str(part["file"]))
        if found_hash != part["sha256"]:
            raise MisstepError(
                f"{snapshot.folder}/{part['file']}: sha256 {found_hash}, expected {part['sha256']}"
            )
    return snapshot


def described_snapshot(folder: str | Path, manifest_file: str | Path | None = None) -> Snapshot:
    """A snapshot as its manifest names it; no part is read."""
    root = Path(folder)
    path = Path(manifest_file or root / "manifest.json")
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise MisstepError(
            f"{path.parent}: no readable {path.name} ({error}), expected a snapshot"
        ) from error
    known = manifest if isinstance(manifest, dict) else {}
    found = (known.get("format"), known.get("version"))
    if found != (FORMAT, VERSION):
        raise MisstepError(f"{path}: format {found}, expected {(FORMAT, VERSION)}")
    whole = combined_hash(_hashes_of(known, path).values())
    if whole != known.get("sha256"):
        raise MisstepError(f"{path}: sha256 {known.get('sha256')}, expected {whole}")
    return Snapshot(root, known)


def _hashes_of(manifest: Mapping[str, Any], path: Path) -> dict[str, str]:
    """The hash of each part, by the name of its file."""
    try:
        return {str(part["file"]): str(part["sha256"]) for part in manifest["parts"]}
    except (KeyError, TypeError):
        raise MisstepError(f"{path}: no list of parts, expected each one's file and sha256") from None


def combined_hash(part_hashes: Iterable[str]) -> str:
    """The snapshot's hash: sha256 over its parts' hashes in order."""
    return hashlib.sha256("".join(part_hashes).encode()).hexdigest()


def _write_parts(
    partial: Path, rows: Iterable[SnapshotRow], rows_per_part: int, fields: Mapping[str, Any]
) -> dict[str, Any]:
    parts: list[dict[str, Any]] = []
    counts = {"rows": 0, "steps": 0, "labelled_steps": 0, **dict.fromkeys(SPLITS, 0)}
    lines = _lines(rows, counts)
    first = next(lines, None)
    # A snapshot without rows has an empty part.
    while first is not None or not parts:
        begun = [] if first is None else [first]
        parts.append(
            _write_part(partial, len(parts), chain(begun, islice(lines, rows_per_part - len(begun))))
        )
        first = next(lines, None)
    return {
        "format": FORMAT,
        "version": VERSION,
        "name": fields.get("name", ""),
        "labels": fields.get("labels", "human"),
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        **fields,
        "counts": {**counts, **fields.get("counts", {})},
        "parts": parts,
        "sha256": combined_hash(part["sha256"] for part in parts),
    }


def _lines(rows: Iterable[SnapshotRow], counts: dict[str, int]) -> Iterator[str]:
    """Each row as its line; `counts` gains what it has. Raises BadRecord for a row that cannot be trained on."""
    for number, row in enumerate(rows, start=1):
        complaint = complaint_about(row)
        if complaint:
            raise BadRecord("snapshot row", number, f"record {row.id}: {complaint[0]}", complaint[1])
        counts["rows"] += 1
        counts["steps"] += len(row.steps)
        counts["labelled_steps"] += sum(label is not None for label in row.labels)
        counts[row.split] += 1
        # `asdict` would copy every list of the row first, which takes longer than writing it.
        yield json.dumps(vars(row), ensure_ascii=False, allow_nan=False) + "\n"


def _write_part(partial: Path, number: int, lines: Iterable[str]) -> dict[str, Any]:
    """One part, line by line: all of its lines at once would take several times as much memory as the file is long."""
    name, rows, digest = f"parts/part-{number:05d}.jsonl", 0, hashlib.sha256()
    with (partial / name).open("wb") as stream:
        for line in lines:
            encoded = line.encode()
            rows += 1
            digest.update(encoded)
            stream.write(encoded)
        stream.flush()
        os.fsync(stream.fileno())
    return {"file": name, "rows": rows, "sha256": digest.hexdigest()}


def _part_hash(root: Path, name: str) -> str:
    path = root / name
    # A manifest may come from elsewhere: it must not make us read outside its own folder.
    if not path.resolve().is_relative_to(root.resolve()):
        raise MisstepError(f"{root}/manifest.json: part {name!r} lies outside, expected a file inside")
    try:
        return sha256_of(path)
    except OSError as error:
        raise MisstepError(f"{path}: {error.strerror}, expected the part that manifest.json names") from error


def _read_part(path: Path) -> Iterator[SnapshotRow]:
    names = SnapshotRow.__dataclass_fields__
    with path.open(encoding="utf-8") as stream:
        for number, line in enumerate(stream, start=1):
            try:
                body = json.loads(line)
                row = SnapshotRow(**{name: value for name, value in body.items() if name in names})
                complaint = complaint_about(row)
            except (ValueError, TypeError, AttributeError) as error:
                raise BadRecord(str(path), number, f"unreadable row ({error})", "a snapshot row") from error
            if complaint:
                raise BadRecord(str(path), number, f"record {row.id}: {complaint[0]}", complaint[1])
            yield row
