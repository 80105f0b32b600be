"""A run whose result is one file: the same command finds it done, as `run.json` tells of a run's folder.

`OUT.run.json` stands beside OUT with what makes two runs the same run, the hash of OUT, and the run's result line.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ml.file_hash import sha256_of
from ml.progress import tell
from ml.search.run_folder import is_same_run
from ml.whole_file import whole_file


def finished_result(out: Path, settings: Mapping[str, Any]) -> dict[str, Any] | None:
    """The result of the same run that wrote OUT, or None: there is no such file, or it is another run's or was changed
    since. Says on stderr that nothing is done again.
    """
    try:
        known = json.loads(_record_of(out).read_text(encoding="utf-8"))
        is_this = is_same_run(known["settings"], json.loads(json.dumps(settings))) and known[
            "sha256"
        ] == sha256_of(out)
        result: dict[str, Any] | None = known["result"] if is_this else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if result is not None:
        tell_finished(out)
    return result


def tell_finished(out: Path) -> None:
    """Say on stderr why a command ends at once."""
    tell(f"{out} is finished already: nothing is done again")


def keep_result(out: Path, settings: Mapping[str, Any], result: Mapping[str, Any]) -> None:
    """Note beside the finished OUT whose work it is."""
    with whole_file(_record_of(out)) as file:
        kept = {"settings": settings, "sha256": sha256_of(out), "result": result}
        file.write(json.dumps(kept, ensure_ascii=False, indent=2) + "\n")


def _record_of(out: Path) -> Path:
    return out.with_name(f"{out.name}.run.json")
