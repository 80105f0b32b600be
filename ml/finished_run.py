"""A command that is started again over what stands at its OUT: the same run is finished and repeats nothing, and no
other one writes over it.

Of a run whose result is one file, `OUT.run.json` stands beside OUT with what makes two runs the same run, the hash of
OUT, and the run's result line. A run's folder says the same in a file of its own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ml.errors import MisstepError
from ml.file_hash import sha256_of
from ml.policies.address import without_address
from ml.progress import tell
from ml.whole_file import whole_file


def difference(known: Any, settings: Mapping[str, Any]) -> str | None:
    """What two runs differ in, with both values; None where they are the same run: where a server is does not count, so
    that it may move.
    """
    had, wanted = (_flat(_compared(json.loads(json.dumps(one)))) for one in (known, settings))
    names = [name for name in dict.fromkeys([*wanted, *had]) if had.get(name) != wanted.get(name)]
    if not names:
        return None
    others = f", and {len(names) - 1} more" if len(names) > 1 else ""
    first = names[0]
    return f"{first.removeprefix('parameters ')} {_shown(had.get(first))}, expected {_shown(wanted.get(first))}{others}"


def refuse_another(out: Path, known: Any, settings: Mapping[str, Any]) -> None:
    """Raises MisstepError where OUT is the finished work of another run: it may have cost hours, and is written over by
    nobody who did not delete it."""
    if found := difference(known, settings):
        raise MisstepError(
            f"{out} holds a finished run with other settings ({found}): choose another --out, or delete it"
        )


def finished_result(out: Path, settings: Mapping[str, Any], is_done: bool) -> dict[str, Any] | None:
    """The result of the same run that wrote the file OUT, or None where there is no such file, or an empty one. Says on
    stderr that nothing is done again. is_done: whether all of a run with these settings is done and kept beside OUT;
    then it was killed between OUT and the note of it. An OUT beside a part of the work is somebody else's.

    Raises MisstepError where OUT is of another run, was changed since, or nobody knows whose it is.
    """
    if not out.exists() or not out.stat().st_size:
        return None
    record = _read(out)
    if record is None or record["sha256"] != sha256_of(out):
        if is_done:
            return None
        how = "was changed since a run finished it" if record else f"has no {_record_of(out).name} beside it"
        raise MisstepError(
            f"{out} is there already and {how}, expected the file of this very run: choose another --out, or delete it"
        )
    refuse_another(out, record["settings"], settings)
    tell_finished(out)
    result: dict[str, Any] = record["result"]
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


def _read(out: Path) -> dict[str, Any] | None:
    """What was noted beside OUT; None where that says nothing."""
    try:
        record: dict[str, Any] = json.loads(_record_of(out).read_text(encoding="utf-8"))
        return record if record.keys() >= {"settings", "sha256", "result"} else None
    except (OSError, ValueError, AttributeError):
        return None


def _compared(settings: Any) -> Any:
    if not isinstance(settings, dict):
        return {}
    compared = dict(settings)
    if isinstance(policy := settings.get("policy"), str):
        compared["policy"] = without_address(policy)
    return compared


def _flat(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Each setting by its name, and those of a group by the group's name and their own."""
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        inner = _flat(value) if isinstance(value, Mapping) else None
        flat |= {name: value} if inner is None else {f"{name} {own}": one for own, one in inner.items()}
    return flat


def _shown(value: Any) -> str:
    if isinstance(value, str) and value.isprintable():
        return value
    return "none" if value is None else json.dumps(value, ensure_ascii=False)
