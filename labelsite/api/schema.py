"""The OpenAPI schema's own concerns, and a page of it that asks no other server for anything."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.generators import SchemaGenerator

from labelsite.api.once import KEY_HEADER
from labelsite.api.problems import CONTENT_TYPE
from labelsite.api.serializers import ANNOTATOR_FIELDS

METHODS = ("get", "post", "put", "patch", "delete")
PROBLEM = {
    "content": {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    "description": "A refusal.",
}


class TokenScheme(OpenApiAuthenticationExtension):
    """Tells the schema about `Authorization: Token ...`; found by drf-spectacular by its target."""

    target_class = "labelsite.accounts.tokens.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "apiKey", "in": "header", "name": "Authorization", "description": "Token <token>"}


def tell_refusals(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """What no view needs to say of itself; drf-spectacular calls it with the schema that it has made of the views."""
    for path, methods in result["paths"].items():
        for method in methods.keys() & set(METHODS):
            operation = methods[method]
            told = operation["responses"]
            refused = {*_refused_anywhere(path, operation), *(status for status in told if status >= "400")}
            operation["responses"] = dict(sorted({**told, **dict.fromkeys(refused, PROBLEM)}.items()))
    # What annotators are told of a campaign lacks the rest.
    campaign = result["components"]["schemas"]["Campaign"]
    campaign["required"] = [name for name in campaign["required"] if name in ANNOTATOR_FIELDS]
    return result


def _refused_anywhere(path: str, operation: dict[str, Any]) -> Iterator[str]:
    """How any view refuses what it has in common with others: its address, its reader, its body, its key."""
    yield from ("400", "401", "403")
    names = {parameter["name"] for parameter in operation.get("parameters", ())}
    if "{" in path or "cursor" in names:
        yield "404"
    if KEY_HEADER in names:
        yield from ("409", "410")
    if "requestBody" in operation:
        yield "415"


@login_required
def documentation(request: HttpRequest) -> HttpResponse:
    """Every endpoint on one plain page."""
    schema = SchemaGenerator().get_schema(request=None, public=True)
    return render(request, "api/documentation.html", {"operations": list(_operations(schema))})


def _operations(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path, methods in schema["paths"].items():
        for method in METHODS:
            if method in methods:
                yield _operation(path, method, methods[method], schema)


def _operation(path: str, method: str, found: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    bodies = found.get("requestBody", {}).get("content", {})
    return {
        "path": path,
        "method": method.upper(),
        "text": _marked(found.get("description", "")),
        "parameters": [
            {
                "name": given["name"],
                "place": given["in"],
                "values": ", ".join(map(str, given["schema"].get("enum", []))) or given["schema"].get("type"),
                "text": _marked(given.get("description", "")),
            }
            for given in found.get("parameters", [])
        ],
        "body": list(_fields(next(iter(bodies.values()))["schema"], schema)) if bodies else [],
        "content_type": next(iter(bodies), ""),
        "responses": [
            {"status": status, "shape": _shape(answer)} for status, answer in found["responses"].items()
        ],
    }


def _fields(shape: dict[str, Any], schema: dict[str, Any], within: str = "") -> Iterator[dict[str, Any]]:
    """Every field, and behind one that holds others these, by the way to them."""
    known = _resolved(shape, schema)
    required = known.get("required", [])
    for name, field in known.get("properties", {}).items():
        if field.get("readOnly"):
            # The answer says it, and the request cannot.
            continue
        target = _resolved(field, schema)
        yield {
            "name": within + name,
            "is_required": name in required,
            "type": ", ".join(map(str, target.get("enum", []))) or target.get("type", _name(field)),
            "text": _marked(field.get("description", "")),
        }
        if "properties" in target:
            yield from _fields(target, schema, f"{within}{name}.")


def _resolved(shape: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """The shape behind a `$ref`, also where it stands alone in an `allOf`."""
    if "allOf" in shape and len(shape["allOf"]) == 1:
        shape = shape["allOf"][0]
    if "$ref" not in shape:
        return shape
    target: dict[str, Any] = schema["components"]["schemas"][shape["$ref"].rpartition("/")[2]]
    return target


def _name(shape: dict[str, Any]) -> str:
    reference = shape.get("$ref") or next((part.get("$ref", "") for part in shape.get("allOf", [])), "")
    return str(reference).rpartition("/")[2] or str(shape.get("type", ""))


def _shape(answer: dict[str, Any]) -> str:
    content = answer.get("content", {})
    if not content:
        return ""
    kind, body = next(iter(content.items()))
    name = _name(body.get("schema", {}))
    return name if kind in ("application/json", CONTENT_TYPE) else f"{name} ({kind})"


def _marked(text: str) -> SafeString:
    """A description as HTML: what stands between backticks is code, and lines are not broken as in the source."""
    text = re.sub(r"(?<!\n)\n(?!\n)", " ", text)
    parts = (("<code>{}</code>" if place % 2 else "{}", part) for place, part in enumerate(text.split("`")))
    return format_html_join("", "{}", ((format_html(shape, part),) for shape, part in parts))
