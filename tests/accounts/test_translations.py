"""Every string that a page can show is in the Korean catalogue. Reads templates and Python itself, needs no gettext."""

from __future__ import annotations

import ast
import gettext
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from django.utils import translation
from django.utils.translation.template import templatize

from ml.acquisition import REASONS
from ml.search.named_options import FRESH, GIVEN

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


# What `ml` says and a page says too, and which arguments are the words; all but `Said` only in these files.
SAID = {"Said": (0,), "Unreadable": (0, 1), "refuse": (2,), "BadRecord": (2, 3), "Bounds": (1,)}
SAYING = ("formats/*.py", "bounds.py", "errors.py", "search/named_options.py", "search/recipes.py")


def in_ml() -> Iterator[tuple[str, str]]:
    saying = {path for pattern in SAYING for path in (ROOT / "ml").glob(pattern)}
    for path in sorted((ROOT / "ml").rglob("*.py")):
        takes = SAID if path in saying else {"Said": SAID["Said"]}
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            called = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            for text in (node.args[place] for place in takes.get(called, ()) if place < len(node.args)):
                place = f"{path.relative_to(ROOT)}:{node.lineno}"
                if isinstance(text, ast.Constant) and isinstance(text.value, str):
                    yield place, text.value
                elif isinstance(text, ast.JoinedStr):
                    yield place, "what a page says must not be an f-string"


def in_tables() -> Iterator[tuple[str, str]]:
    """Texts that ml gives and a page translates: ml itself knows nothing of languages."""
    for kind, text in REASONS.items():
        if text:
            yield f"ml.acquisition.REASONS {kind}", text
    yield from (("ml.search.named_options", text) for text in (GIVEN, FRESH))


def test_every_string_is_translated() -> None:
    known = catalogue()
    found = [*in_templates(), *in_python(), *in_ml(), *in_tables()]
    missing = [(place, text) for place, text in found if not known.get(text)]
    assert not missing, f"not in the Korean catalogue: {missing}"
    # The catalogue's own head stands under the empty string.
    assert not set(known) - {text for _place, text in found} - {""}, "translated, and said nowhere"


# Names, units and code that are the same in every language.
NAMES = re.compile(
    r"^(Misstep|API|PRM|Q|PRM800K( JSONL)?|MATH-APS|sha|sqrt|manifest\.json|JSONL?|LoRA|F1|ROC|AUC|kappa|"
    r"of|English|한국어|none|Space|Token|HTTP)$"
)
SPOKEN = {"aria-label", "title", "placeholder", "alt"}


class BareText(HTMLParser):
    """Collects what a reader would see or hear of a template whose tags were taken out."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.inside: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.inside.append(tag)
        self.found += [value for name, value in attributes if name in SPOKEN and value]

    def handle_endtag(self, tag: str) -> None:
        while self.inside and self.inside.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if not {"code", "kbd", "script", "style"} & set(self.inside):
            self.found.append(data)


def bare_text(template: str) -> list[str]:
    """The words of a template that stand outside of every translation."""
    without = re.sub(
        r"{%\s*blocktranslate.*?endblocktranslate\s*%}|{%.*?%}|{{.*?}}|{#.*?#}",
        " ",
        template,
        flags=re.DOTALL,
    )
    reader = BareText()
    reader.feed(without)
    words = [word for text in reader.found for word in re.split(r"[\s·:,;()/–→+−×=<>…\d%✓✗]+", text)]
    return [word for word in words if re.search(r"[A-Za-z]{2,}", word) and not NAMES.match(word)]


def test_no_template_speaks_outside_of_a_translation() -> None:
    spoken = {
        str(path.relative_to(ROOT)): words
        for path in sorted((ROOT / "templates").rglob("*.html"))
        if (words := bare_text(path.read_text()))
    }
    assert not spoken
    assert bare_text('<p title="Say this">And {% translate "not" %} that</p>') == [
        "Say",
        "this",
        "And",
        "that",
    ]


# In scripts a phrase is words with a space between them; their texts come from `annotations/page.py`.
PHRASE = re.compile(r"""(["'`])((?:\\.|(?!\1).)*?[A-Za-z]{2,} [a-z]{2,}(?:\\.|(?!\1).)*)\1""")
NOT_SPOKEN = re.compile(
    r"console\.|new Error\(|querySelector|closest\(|className|NATIVE_ON_ENTER|split\(\" \"\)|KEYWORDS|font|"
    r"\+ \"|matchMedia"
)
COMMENT = re.compile(r"/\*.*?\*/|(?<![:\"'])//[^\n]*", re.DOTALL)


def phrases(script: str) -> list[str]:
    return [
        match[2]
        for line in COMMENT.sub("", script).splitlines()
        if not NOT_SPOKEN.search(line)
        for match in PHRASE.finditer(line)
    ]


def test_no_script_speaks_a_language_of_its_own() -> None:
    static = ROOT / "labelsite" / "static"
    scripts = [path for path in static.rglob("*.js") if "vendor" not in path.parts]
    spoken = {path.name: found for path in scripts if (found := phrases(path.read_text()))}
    assert not spoken and len(scripts) > 10
    assert phrases('toast("Your work is saved");') == ["Your work is saved"]


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
