"""Every string that a page can show is in the Korean catalogue. Reads templates and Python itself, needs no gettext."""

from __future__ import annotations

import ast
import gettext
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.utils import translation
from django.utils.translation.template import templatize

from ml.acquisition import REASONS

ROOT = Path(__file__).resolve().parent.parent.parent
CATALOGUE = ROOT / "labelsite" / "locale" / "ko" / "LC_MESSAGES" / "django.mo"
MARKERS = {
    "_",
    "gettext",
    "gettext_lazy",
    "gettext_noop",
    "ngettext",
    "ngettext_lazy",
    "pgettext",
    "pgettext_lazy",
}
LITERAL = r"""u?('(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")"""
IN_TEMPLATE = re.compile(rf"\b(?:n?gettext|_)\({LITERAL}")


def catalogue() -> dict:
    with CATALOGUE.open("rb") as file:
        return {
            key[0] if isinstance(key, tuple) else key: text
            for key, text in gettext.GNUTranslations(file)._catalog.items()
        }  # type: ignore[attr-defined]


def in_templates() -> Iterator[tuple[str, str]]:
    for path in sorted((ROOT / "templates").rglob("*.html")):
        for match in IN_TEMPLATE.finditer(templatize(path.read_text())):
            yield str(path.relative_to(ROOT)), ast.literal_eval(match[1])


def in_python() -> Iterator[tuple[str, str]]:
    for path in sorted((ROOT / "labelsite").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in MARKERS
                and node.args
            ):
                place = f"{path.relative_to(ROOT)}:{node.lineno}"
                text = node.args[1 if node.func.id.startswith("pgettext") else 0]
                if isinstance(text, ast.Constant) and isinstance(text.value, str):
                    yield place, text.value
                elif isinstance(text, ast.JoinedStr):
                    yield place, "a translated string must not be an f-string"


def in_tables() -> Iterator[tuple[str, str]]:
    """Texts that ml gives and a page translates: ml itself knows nothing of languages."""
    for kind, text in REASONS.items():
        if text:
            yield f"ml.acquisition.REASONS {kind}", text


def test_every_string_is_translated() -> None:
    known = catalogue()
    found = [*in_templates(), *in_python(), *in_tables()]
    missing = [(place, text) for place, text in found if not known.get(text)]
    assert not missing, f"not in the Korean catalogue: {missing}"


def test_the_catalogue_is_found_to_hold_what_the_reader_finds() -> None:
    """The reader itself must see strings: an extraction that finds nothing would always pass."""
    assert len(list(in_templates())) > 200 and len(list(in_python())) > 150


def test_a_translation_keeps_every_placeholder() -> None:
    def placeholders(text: str) -> list[str]:
        return sorted(re.findall(r"%\(\w+\)[.\d]*\w|\{\w+\}", text))

    for source, target in catalogue().items():
        if source:
            assert placeholders(source) == placeholders(target), source


@pytest.mark.django_db
def test_the_site_speaks_korean_and_writes_dates_as_koreans_do(client) -> None:
    from tests.factories import make_annotation, make_campaign, make_task, make_user

    user = make_user()
    make_annotation(make_task(make_campaign(members=[user])), user)
    client.force_login(user)
    client.cookies["django_language"] = "ko"
    page = client.get("/my-day/").content.decode()
    assert '<html lang="ko"' in page and "나의 하루" in page and "년" in page
    with translation.override("ko"):
        assert translation.gettext("Submit and next") == "제출하고 다음으로"
