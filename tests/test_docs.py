"""The documentation cannot rot: a command, setting, page or make target that it does not name fails here."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "docs" / "reference.md"
SETTING = re.compile(
    r"""(?:environ\.get\(|environ\[|environ\.setdefault\(|getenv\(|flag\(|whole_number\(|listed\()"([A-Z_]+)\""""
)
# A name that stands in a constant.
OWN_SETTING = re.compile(r"\"(MISSTEP_[A-Z_]+)\"")
# Set by Django or the operating system, or passed between our own processes; nobody sets these by hand.
INTERNAL = {
    "DJANGO_SETTINGS_MODULE",
    "PATH",
    "HOME",
    "MISSTEP_PROGRESS",
    "XDG_RUNTIME_DIR",
    "OMP_WAIT_POLICY",
}


def documentation() -> str:
    """The README and the reference as one text."""
    return (ROOT / "README.md").read_text() + REFERENCE.read_text()


def management_commands() -> list[str]:
    return sorted(
        path.stem
        for path in ROOT.glob("labelsite/*/management/commands/*.py")
        if not path.stem.startswith("_")
    )


def settings_read() -> list[str]:
    sources = [*ROOT.glob("labelsite/**/*.py"), *ROOT.glob("ml/**/*.py")]
    found = {
        name
        for path in sources
        for pattern in (SETTING, OWN_SETTING)
        for name in pattern.findall(path.read_text())
    }
    return sorted(found - INTERNAL)


def takes_forms_alone(view: Callable[..., Any] | None) -> bool:
    """Whether `require_POST` stands among the decorators of a view: nobody ever looks at such an address."""
    while view is not None:
        if inspect.getclosurevars(view).nonlocals.get("request_method_list") == ["POST"]:
            return True
        view = getattr(view, "__wrapped__", None)
    return False


def pages(patterns: list[URLPattern | URLResolver], prefix: str = "") -> Iterator[str]:
    """Every route that can be looked at, as written in the url configuration."""
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from pages(pattern.url_patterns, route)
        elif not takes_forms_alone(pattern.callback):
            yield "/" + route


@pytest.mark.parametrize("command", management_commands())
def test_every_management_command_is_documented(command: str) -> None:
    assert f"manage.py {command}" in documentation()


@pytest.mark.parametrize("setting", settings_read())
def test_every_setting_is_documented(setting: str) -> None:
    assert f"`{setting}`" in documentation()


def test_every_page_is_documented() -> None:
    text = documentation()
    missing = [page for page in pages(get_resolver().url_patterns) if f"`{page}`" not in text]
    assert not missing, f"docs/reference.md does not name {missing}"


def test_every_make_target_is_documented() -> None:
    targets = re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    text = documentation()
    assert targets
    missing = [target for target in targets if f"make {target}" not in text]
    assert not missing, f"the docs do not name {missing}"


def test_every_verb_of_ml_is_documented() -> None:
    from ml.__main__ import VERBS

    text = documentation()
    missing = [verb for verb in VERBS if f"python -m ml {verb}" not in text]
    assert not missing, f"the docs do not name {missing}"


def promises() -> dict[str, str]:
    """Each promise, and what is said to keep it."""
    text = (ROOT / "docs" / "promises.md").read_text()
    return dict(re.findall(r"^\| (?!promise \|)(.+?) \|(.*)\|$", text, re.MULTILINE))


def test_every_promise_names_a_test_that_exists() -> None:
    assert promises()
    for promise, kept_by in promises().items():
        named = re.findall(r"`(tests/[\w/]+\.py)::(?:\w+::)?(test_\w+)`", kept_by)
        assert named and kept_by.count("::test_") == len(named), f"docs/promises.md: {promise} {kept_by!r}"
        missing = [
            f"{path}::{name}"
            for path, name in named
            if not (ROOT / path).exists() or f"def {name}(" not in (ROOT / path).read_text()
        ]
        assert not missing, f"docs/promises.md counts on tests that are gone: {missing}"


def test_no_command_of_the_readme_writes_over_a_file_that_one_before_it_reads() -> None:
    read: set[str] = set()
    for block in (ROOT / "README.md").read_text().split("```")[1::2]:
        for line in block.splitlines():
            words = line.partition(" # ")[0].split()
            written = {after for word, after in pairwise(words) if word == "--out"}
            assert not written & read, line
            read |= {word for word in words if word.endswith(".jsonl")} - written


def holds_something(path: Path) -> bool:
    """Whether this is a folder with more than Python leaves where a package was."""
    return path.is_dir() and any(child.name != "__pycache__" for child in path.iterdir())


@pytest.mark.parametrize("package", ["labelsite", "ml"])
def test_the_file_tree_names_what_stands_in_each_package_and_nothing_else(package: str) -> None:
    tree = (ROOT / "README.md").read_text().partition("## The file tree")[2].split("```")[1]
    part = re.split(r"^(?=\w)", tree.partition(f"\n{package}/")[2], flags=re.MULTILINE)[0]
    there = {
        path.name + "/" * path.is_dir()
        for path in (ROOT / package).iterdir()
        if (holds_something(path) or path.suffix == ".py") and not path.name.startswith(("__", "."))
    }
    named = set(re.findall(r"[a-z_]+(?:\.py|/)(?=[ ,);:]|$)", part, flags=re.MULTILINE))
    assert named == there


def texts() -> list[Path]:
    """Every page of the documentation."""
    return [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]


def links(path: Path) -> list[tuple[Path, str]]:
    """The file and the anchor of each link of a page to a file of ours."""
    found = re.findall(r"\]\(([^)#\s]*)#?([^)\s]*)\)", path.read_text())
    return [
        (path.parent / target if target else path, anchor) for target, anchor in found if "://" not in target
    ]


def anchors(path: Path) -> set[str]:
    """What GitHub calls the headings of a page."""
    text = re.sub(r"^```.*?^```", "", path.read_text(), flags=re.DOTALL | re.MULTILINE)
    names = (
        re.sub(r"[^\w\- ]", "", heading.lower()) for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    )
    return {name.replace(" ", "-") for name in names}


@pytest.mark.parametrize("path", texts(), ids=lambda path: str(path.relative_to(ROOT)))
def test_links_of_the_documentation_lead_to_files_and_headings_that_exist(path: Path) -> None:
    for target, anchor in links(path):
        assert target.exists(), f"{path.name} links to {target}, which is not there"
        assert not anchor or anchor in anchors(target), f"{target} has no heading {anchor}, of {path.name}"


def tables(path: Path) -> list[list[list[str]]]:
    """The cells of each row of each table of a page, without the text of its code blocks."""
    text = re.sub(r"^```.*?^```", "", path.read_text(), flags=re.DOTALL | re.MULTILINE)
    found = re.findall(r"(?:^\|.*\n?)+", text, re.MULTILINE)
    return [
        [re.split(r"(?<!\\)\|", row.strip())[1:-1] for row in table.strip().splitlines()] for table in found
    ]


@pytest.mark.parametrize("path", texts(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_table_has_a_header_and_a_rule_and_rows_of_as_many_cells(path: Path) -> None:
    for rows in tables(path):
        rules = [number for number, row in enumerate(rows) if all(set(cell) <= set("-: ") for cell in row)]
        assert rules == [1], (
            f"{path.name}: the table {rows[0]} has rules at rows {rules}, expected at 1 alone"
        )
        uneven = [row for row in rows if len(row) != len(rows[0])]
        assert not uneven, f"{path.name}: rows of other than {len(rows[0])} cells: {uneven}"


def test_the_index_of_the_results_lists_every_raw_file() -> None:
    index = (ROOT / "docs" / "results" / "README.md").read_text()
    missing = [path.name for path in ROOT.glob("docs/results/*.json") if f"({path.name})" not in index]
    assert not missing, f"docs/results/README.md does not list {missing}"
