"""A run's folder: results appear as they come, survive `kill -9`, and are put in order once all are there.

While a run is under way, `progress.jsonl.partial` holds one line for each finished item, in the order of
finishing. A second start with the same settings keeps those lines and does the rest. The final files are
written beside and renamed, `run.json` last, so that a folder with a `run.json` is whole.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ml.errors import FolderInUse, MisstepError
from ml.file_hash import sha256_of
from ml.file_lock import take_lock
from ml.finished_run import difference, refuse_another
from ml.json_lines import as_line
from ml.progress import tell
from ml.said import Said
from ml.whole_file import naming, whole_file

PROGRESS, SETTINGS, SERVED = "progress.jsonl.partial", "settings.json.partial", "served.partial"
SPENT = "spent.jsonl.partial"

SECONDS_IN_SILENCE = 2.0
# How `add` begins a line.
_POSITION = re.compile(rb'\{"position": (\d+)[,}]')


def was_served(folder: Path) -> bool:
    """Whether a server has answered a start of the run in this folder, or any policy has finished an item of it."""
    path = folder / PROGRESS
    return (folder / SERVED).exists() or (path.exists() and path.stat().st_size > 0)


class RunFolder:
    """Where one run of `autolabel` writes, or of `sample` or `score` until its file is whole. `settings` is what makes
    two runs the same run, but for the address of a policy's server.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        self.folder = folder
        self.settings = json.loads(json.dumps(settings))
        self.offsets: dict[int, tuple[int, int]] = {}

    def finished_run(self) -> dict[str, Any] | None:
        """The `run.json` of an earlier whole run with the same settings, or None. Raises MisstepError where one of its
        files is no longer what it wrote."""
        run = self._run_there()
        if run is None or self._other_than(run.get("settings")):
            return None
        for name, known in run["files"].items():
            path = self.folder / name
            if not path.is_file() or sha256_of(path) != known:
                how = "was changed" if path.is_file() else "is gone"
                raise MisstepError(
                    f"{path} {how} since a run finished it, expected the file of this very run: choose another --out,"
                    " or delete the folder"
                )
        return run

    def open(self) -> Iterator[dict[str, Any]]:
        """Start or resume; returns the lines that an earlier, killed start had finished, each read when it is taken.

        Raises MisstepError where the folder holds another run's work, finished or not, and FolderInUse where a
        later start may go on or find the result.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except FileExistsError as error:
            raise MisstepError(f"{self.folder} is no folder, expected one to keep work in") from error
        self._refuse_finished()
        self._file = (self.folder / PROGRESS).open("ab")
        try:
            self._lock()
            # Whoever held the lock until now may have finished since the first look.
            self._refuse_finished()
            self._refuse_unfinished()
        except MisstepError:
            self._file.close()
            raise
        with whole_file(self.folder / SETTINGS) as file:
            file.write(json.dumps(self.settings))
        self._recover()
        self._file.seek(0, os.SEEK_END)
        return self._read(list(self.offsets.values()), "reading what is done")

    @contextlib.contextmanager
    def opened(self) -> Iterator[RunFolder]:
        """Itself, open: gone once the block has ended well, and else left for the next start if there is any use."""
        self.open()
        try:
            yield self
        except BaseException:
            if self._file.closed or was_served(self.folder):
                self.close()
            else:
                self.discard()
            raise
        self.discard()

    def add(self, position: int, line: Mapping[str, Any]) -> None:
        """Keep one finished item; what is not a whole line when the process dies is done again."""
        body = as_line({"position": position, **line}).encode()
        start = self._file.tell()
        with naming(self.folder / PROGRESS):
            self._file.write(body)
            self._file.flush()
        self.offsets[position] = (start, len(body))

    def keep_spent(self, spent: Mapping[str, Any]) -> None:
        """Keep what was spent on items that this start leaves to the next one."""
        with (self.folder / SPENT).open("a") as file:
            # Behind what a full disk has torn, too.
            file.write("\n" + as_line(spent))

    def spent_before(self) -> list[dict[str, Any]]:
        """What earlier starts spent on items that they left; one that was killed had no time to say it."""
        path = self.folder / SPENT
        kept = path.read_text().splitlines() if path.exists() else []
        return [spent for line in kept if (spent := _whole(line))]

    def mark_served(self) -> None:
        """Keep for the next start that the policy's server has answered; see `was_served`."""
        (self.folder / SERVED).touch()

    def close(self) -> None:
        """Stop writing; what is there stays for the next start."""
        # Closing writes what did not fit once more.
        with naming(self.folder / PROGRESS):
            self._file.close()

    def finish(self, run: Mapping[str, Any], names: Mapping[str, str]) -> None:
        """Write the final files in input order, then `run.json`.

        names: key of a line -> file name; a line may lack one, and a list gives one line for each entry.
        """
        # The lock goes last: whoever starts before that would take the progress for a killed run's.
        with self._file:
            self._write_parts(names)
            kept = {**run, "files": {name: sha256_of(self.folder / name) for name in names.values()}}
            with whole_file(self.folder / "run.json") as file:
                file.write(json.dumps(kept, ensure_ascii=False, indent=2, allow_nan=False) + "\n")
            self._forget()

    def lines(self) -> Iterator[dict[str, Any]]:
        """The finished items so far, in input order."""
        return self._read([where for _, where in sorted(self.offsets.items())], "writing the results")

    def discard(self) -> None:
        """Leave nothing of the progress, nor the folder where it is empty then."""
        with self._file:
            self._forget()
        with contextlib.suppress(OSError):
            self.folder.rmdir()

    def _forget(self) -> None:
        for name in (PROGRESS, SETTINGS, SERVED, SPENT):
            (self.folder / name).unlink(missing_ok=True)

    def _other_than(self, settings: Any) -> str | None:
        """What another run's settings differ in; None where they are this one's."""
        return difference(settings, self.settings)

    def _run_there(self) -> dict[str, Any] | None:
        path = self.folder / "run.json"
        run: dict[str, Any] | None = json.loads(path.read_text()) if path.exists() else None
        return run

    def _lock(self) -> None:
        # A retried job may start before the one it replaces is quite dead; two writers would count twice.
        if not take_lock(self._file):
            raise FolderInUse(
                Said("%(folder)s: another run is writing here, expected one at a time", folder=self.folder)
            )

    def _refuse_finished(self) -> None:
        if self.finished_run() is not None:
            raise FolderInUse(
                f"{self.folder}: another start has just finished this run, expected one at a time: "
                "start again to have its result"
            )
        if (run := self._run_there()) is not None:
            # Written over, what only the earlier run has (trees, disputed answers) would stand beside the new.
            refuse_another(self.folder, run.get("settings"), self.settings)

    def _refuse_unfinished(self) -> None:
        known = self.folder / SETTINGS
        if not known.exists():
            # What was spent is the deleted run's.
            (self.folder / SPENT).unlink(missing_ok=True)
            return
        if not (found := self._other_than(json.loads(known.read_text() or "null"))):
            return
        with (self.folder / PROGRESS).open("rb") as progress:
            has_something = progress.readline().endswith(b"\n")
        # Of a start that ended before it had anything to keep, nothing can be lost.
        if has_something:
            raise MisstepError(
                f"{self.folder} holds an unfinished run with other settings ({found}): "
                f"choose another --out, or delete {known.name} and {PROGRESS} there"
            )
        for name in (SERVED, SPENT):
            (self.folder / name).unlink(missing_ok=True)

    def _write_parts(self, names: Mapping[str, str]) -> None:
        """Every final file, in one reading of the finished items."""
        with contextlib.ExitStack() as files:
            parts = {key: files.enter_context(whole_file(self.folder / name)) for key, name in names.items()}
            for line in self.lines():
                for key, file in parts.items():
                    content = line.get(key)
                    if content is not None:
                        file.writelines(map(as_line, content if isinstance(content, list) else [content]))

    def _read(self, places: Sequence[tuple[int, int]], doing: str) -> Iterator[dict[str, Any]]:
        """The lines at these places. Where there are many, that takes long, and says so."""
        last, has_told = time.monotonic(), False
        with (self.folder / PROGRESS).open("rb") as source:
            for number, (start, length) in enumerate(places):
                if time.monotonic() - last > SECONDS_IN_SILENCE:
                    last, has_told = time.monotonic(), True
                    tell(f"{doing}: {number} of {len(places)}")
                source.seek(start)
                yield json.loads(source.read(length))
        if has_told:
            tell("")

    def _recover(self) -> None:
        """Where the whole lines of the progress file stand; a torn last line is cut off."""
        path = self.folder / PROGRESS
        whole = 0
        with path.open("rb") as file:
            for body in file:
                if not body.endswith(b"\n"):
                    break
                # Trees are long, and where a line belongs stands at its beginning.
                begin = _POSITION.match(body)
                position = int(begin[1]) if begin is not None else json.loads(body)["position"]
                self.offsets[position] = (whole, len(body))
                whole += len(body)
        os.truncate(path, whole)


def _whole(line: str) -> dict[str, Any] | None:
    """What a line says; None of one that was torn."""
    try:
        said: dict[str, Any] = json.loads(line)
    except ValueError:
        return None
    return said
