"""Freezes a campaign's labels: reads the evidence, decides by one rule, writes files that never change.

The folder is named by the hash of its content. Freezing the same data again gives the same bytes and so the
same folder, whatever the new snapshot is called and by whatever rule its labels were decided. The folder's
manifest is that of the first one, so whoever needs a snapshot's name or rule takes its row's manifest.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.utils.translation import gettext as _

from labelsite.accounts.models import User
from labelsite.autolabels.models import EstimateRun
from labelsite.campaigns.models import Campaign
from labelsite.problems.streaming import rare_collections
from labelsite.snapshots.annotation_lines import annotations_of, prm800k_lines
from labelsite.snapshots.evidence import read_evidence
from labelsite.snapshots.gold import calibration_of
from labelsite.snapshots.labelers import LABELERS, counting
from labelsite.snapshots.lineage import lineage_of
from labelsite.snapshots.models import LabelSource, Snapshot
from labelsite.snapshots.naming import default_name, free_names
from labelsite.snapshots.refusals import nothing_to_freeze, usable_run
from labelsite.snapshots.rows import Posteriors, evidence_rows, labelled_rows
from labelsite.snapshots.second_runs import described, with_second
from labelsite.snapshots.verifying import MANIFEST_FILE, Damaged, require_whole
from ml.errors import MisstepError
from ml.evaluation.second_verdicts import confirmed
from ml.file_hash import sha256_of
from ml.json_lines import as_line
from ml.snapshot import SnapshotRow, read_snapshot, refuse_used, write_manifest, write_snapshot
from ml.targets import LabelRule
from ml.targets.named_rules import without_idle_parts
from ml.whole_folder import settle

ANNOTATIONS_FILE = "annotations.jsonl"
REPORTED_ROWS = 500
NAME_ATTEMPTS = 20
Report = Callable[[int], None]


def snapshots_folder() -> Path:
    return Path(settings.VAR) / "snapshots"


def folder_of(snapshot: Snapshot) -> Path:
    """Where a snapshot's files lie."""
    return snapshots_folder() / snapshot.folder


@dataclass(frozen=True, slots=True)
class Files:
    """Files that lie in their folder: the row that is not yet saved, and further names for it."""

    snapshot: Snapshot
    names: Iterator[str]


def freeze(
    campaign: Campaign,
    labels: str,
    rule: LabelRule | None = None,
    name: str | None = None,
    created_by: User | None = None,
    report: Report | None = None,
    second: EstimateRun | None = None,
    keep_unlabelled: bool = False,
) -> Snapshot:
    """Freeze the campaign's `labels` (human, automatic or mixed) under `rule` and return the snapshot's row.

    second: a search that has to agree with the campaign's own. keep_unlabelled: solutions on which the rule leaves no
    label stay where it is known whether their answer is right. Raises MisstepError when there is nothing to freeze: no
    usable labels, or no loaded run of estimates.
    """
    return add_row(write_files(campaign, labels, rule, name, created_by, report, second, keep_unlabelled))


def write_files(
    campaign: Campaign,
    labels: str,
    rule: LabelRule | None = None,
    name: str | None = None,
    created_by: User | None = None,
    report: Report | None = None,
    second: EstimateRun | None = None,
    keep_unlabelled: bool = False,
) -> Files:
    """The first part of `freeze`: everything but the row."""
    # The site's form always sends every part; what changes nothing would be said of these labels all the same.
    rule = without_idle_parts(replace(rule or LabelRule(), labels=labels))
    names = free_names(name or default_name(campaign, labels))
    beside = snapshots_folder() / f".{uuid.uuid4().hex}"
    try:
        with rare_collections(), _one_moment():
            run = usable_run(campaign, second, rule)
            manifest = _write(beside, campaign, rule, run, next(names), report, second, keep_unlabelled)
        folder = _settle(beside, manifest)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    snapshot = Snapshot(
        campaign=campaign,
        labels=labels,
        folder=folder,
        sha256=manifest["sha256"],
        manifest=manifest,
        created_by=created_by,
    )
    return Files(snapshot, names)


def export(snapshot: Snapshot, target: Path) -> None:
    """Copy a snapshot's folder to `target`, which must be new or empty; it appears whole or not at all.

    Raises Damaged where the copy is not what was frozen.
    """
    refuse_used(target)
    partial = target.with_name(target.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        shutil.copytree(folder_of(snapshot), partial)
        # The folder may be shared with a snapshot of the same content under another name.
        write_manifest(partial / MANIFEST_FILE, snapshot.manifest)
        require_whole(partial, snapshot.manifest)
        os.replace(partial, target)
    except Damaged:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    except (OSError, MisstepError) as error:
        shutil.rmtree(partial, ignore_errors=True)
        why = error.strerror if isinstance(error, OSError) else error
        raise MisstepError(f"{target}: {why}, expected a folder that can be written") from error


def add_row(files: Files) -> Snapshot:
    """The snapshot, saved under its manifest's name, or the next free one where another one took that meanwhile.

    Only saving tells: the files saw one moment, and not what was committed after it.
    """
    snapshot = files.snapshot
    for _attempt in range(NAME_ATTEMPTS):
        # A try that a lost connection undid has left its number, which is of no row.
        snapshot.pk, snapshot.name = None, snapshot.manifest["name"]
        try:
            with transaction.atomic():
                snapshot.save(force_insert=True)
        except IntegrityError:
            snapshot.manifest = {**snapshot.manifest, "name": next(files.names)}
        else:
            return snapshot
    raise MisstepError(_("the name “%(name)s” was taken meanwhile: freeze again") % {"name": snapshot.name})


@contextmanager
def _one_moment() -> Iterator[None]:
    """A transaction that sees the tables as they were at one moment, where it is the outermost one."""
    outermost = not connection.in_atomic_block
    with transaction.atomic():
        if outermost:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


def _write(
    folder: Path,
    campaign: Campaign,
    rule: LabelRule,
    run: EstimateRun | None,
    name: str,
    report: Report | None,
    second: EstimateRun | None,
    keep_unlabelled: bool,
) -> dict[str, Any]:
    """Write everything into `folder`; the mappings of the manifest fill while the rows stream by."""
    counts: Counter[str] = Counter()
    dropped: Counter[str] = Counter()
    labelers: Counter[str] = Counter()

    def evidence(left_out: Counter[str], keep: bool = False) -> Iterator[SnapshotRow]:
        asks_people = rule.labels != LabelSource.AUTOMATIC
        items = read_evidence(campaign, run, left_out, given_up=rule.given_up, asks_people=asks_people)
        found = evidence_rows(items, rule, run.method if run else "", left_out, keep)
        return with_second(found, second, rule) if second else found

    posteriors, figures = None, dict[str, Any]()
    if rule.labels == LabelSource.MIXED and rule.mixture == "fusion":
        posteriors = Posteriors.fitted(evidence(Counter()), rule)
        figures = calibration_of(campaign, run, rule, evidence(Counter()))
    found = evidence(dropped, keep_unlabelled)
    rows = labelled_rows(found, rule, posteriors, counts, dropped, keep_unlabelled)
    if second:
        figures["second_verdicts"] = {}
        rows = confirmed(rows, described(second), dropped, rule, figures["second_verdicts"])
    manifest = write_snapshot(
        folder,
        _reported(counting(rows, labelers), report),
        name=name,
        labels=rule.labels,
        campaign=campaign.name,
        rule=asdict(rule),
        counts=counts,
        filters=dropped,
        lineage={**lineage_of(campaign, run), LABELERS: labelers},
        **figures,
    )
    if not manifest["counts"]["rows"]:
        raise MisstepError(nothing_to_freeze(campaign, rule, dropped))
    if rule.labels != LabelSource.AUTOMATIC:
        manifest["files"] = [_write_annotations(folder, campaign)]
        write_manifest(folder / MANIFEST_FILE, manifest)
    return manifest


def _reported(rows: Iterator[SnapshotRow], report: Report | None) -> Iterator[SnapshotRow]:
    number = 0
    for number, row in enumerate(rows, start=1):
        yield row
        if report and number % REPORTED_ROWS == 0:
            report(number)
    if report and number % REPORTED_ROWS:
        report(number)


def _write_annotations(folder: Path, campaign: Campaign) -> dict[str, Any]:
    """Keep every live annotation as a PRM800K line beside the labels that were made of them.

    Its flags say what was screening or quality control, as in PRM800K itself; only the labels of people
    whom an admin excluded are missing.
    """
    annotations = annotations_of(campaign).exclude(annotator__labels_excluded=True)
    digest, rows = hashlib.sha256(), 0
    with (folder / ANNOTATIONS_FILE).open("wb") as stream:
        for record in prm800k_lines(annotations):
            line = as_line(record).encode()
            stream.write(line)
            digest.update(line)
            rows += 1
        stream.flush()
        os.fsync(stream.fileno())
    return {"file": ANNOTATIONS_FILE, "format": "prm800k", "rows": rows, "sha256": digest.hexdigest()}


def _settle(beside: Path, manifest: Mapping[str, Any]) -> str:
    """Move a finished folder to its own name; a folder of the same content that is there already stays."""
    digest = hashlib.sha256(manifest["sha256"].encode())
    for file in manifest.get("files", []):
        digest.update(bytes.fromhex(file["sha256"]))
    name = f"{manifest['sha256'][:16]}-{digest.hexdigest()[:8]}"
    settle(beside, snapshots_folder() / name, lambda folder: _holds(folder, manifest))
    return name


def _holds(folder: Path, manifest: Mapping[str, Any]) -> bool:
    """Whether a folder reads back and its content is what this manifest names."""
    try:
        if read_snapshot(folder).sha256 != manifest["sha256"]:
            return False
        return all(sha256_of(folder / file["file"]) == file["sha256"] for file in manifest.get("files", []))
    except (OSError, MisstepError):
        return False
