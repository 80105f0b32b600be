"""Whether an answer of the API is what its schema says: status, media type and body."""

from __future__ import annotations

import functools
import re
from typing import Any

from drf_spectacular.generators import SchemaGenerator
from jsonschema import Draft202012Validator


@functools.cache
def schema() -> Any:
    return _as_json_schema(SchemaGenerator().get_schema(request=None, public=True))


def complaints(method: str, path: str, answer: Any) -> list[str]:
    """What the schema does not say of an answer; an address or a method that is no operation answers nothing of it."""
    operation = _operation(method, path)
    if operation is None:
        return []
    told = operation["responses"].get(str(answer.status_code))
    if told is None:
        return [f"{method} {path}: {answer.status_code}, expected one of {sorted(operation['responses'])}"]
    if "content" not in told:
        return []
    kind = answer.headers["Content-Type"].partition(";")[0]
    if kind not in told["content"]:
        return [f"{method} {path}: {answer.status_code} as {kind}, expected {list(told['content'])}"]
    if answer.streaming:
        return []
    shape = {**told["content"][kind]["schema"], "components": schema()["components"]}
    errors = Draft202012Validator(shape).iter_errors(answer.json())
    return [f"{method} {path}: {answer.status_code} {error.json_path}: {error.message}" for error in errors]


def _operation(method: str, path: str) -> dict[str, Any] | None:
    for template, methods in schema()["paths"].items():
        if re.fullmatch(re.sub(r"{\w+}", "[^/]+", template), path):
            found: dict[str, Any] | None = methods.get(method.lower())
            return found
    return None


def _as_json_schema(part: Any) -> Any:
    """OpenAPI 3.0 has a word of its own for what may be null."""
    if isinstance(part, list):
        return [_as_json_schema(each) for each in part]
    if not isinstance(part, dict):
        return part
    kept = {name: _as_json_schema(each) for name, each in part.items() if name != "nullable"}
    return {"anyOf": [kept, {"type": "null"}]} if part.get("nullable") is True else kept
