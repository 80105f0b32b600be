"""Styles and scripts under names that change with their content, so that a browser asks once for each."""

from __future__ import annotations

import filecmp
import functools
import posixpath
import re
from pathlib import Path
from typing import Any

from django import template
from django.contrib.staticfiles import finders
from django.templatetags.static import static
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from whitenoise.storage import CompressedManifestStaticFilesStorage

register = template.Library()
IMPORT = re.compile(r'^(?:import|export)\b[^;"]*"(\.[^"]+)";', re.MULTILINE)


class HashedFiles(CompressedManifestStaticFilesStorage):
    """What `collectstatic` gathers: each file has its hash in its name, also where scripts and styles name it."""

    support_js_module_import_aggregation = True
    # A pass names files anew one level of imports further up.
    max_post_process_passes = 12

    def hashed_name(self, name: str, content: Any = None, filename: str | None = None) -> str:
        """KaTeX's style also names fonts in formats that only older browsers ask for; they are not here."""
        if content is None and not self.exists(filename or name):
            return name
        hashed: str = super().hashed_name(name, content, filename)
        return hashed

    def stored_name(self, name: str) -> str:
        """Where nothing has been collected (tests), the sources are served under their own names."""
        stored: str = self.hashed_files.get(name, name)
        return stored


def out_of_date(gathered: Path) -> list[str]:
    """The sources whose copy in the folder `gathered` is missing or another one, by name."""
    sources: dict[str, Path] = {}
    for finder in finders.get_finders():
        for name, storage in finder.list(ignore_patterns=None):
            sources.setdefault(name, Path(storage.path(name)))
    return sorted(name for name, path in sources.items() if not _is_same(path, gathered / name))


def _is_same(source: Path, copy: Path) -> bool:
    return copy.exists() and filecmp.cmp(source, copy, shallow=False)


@functools.cache
def modules_of(entry: str) -> tuple[str, ...]:
    """The file `entry` and all modules that it imports, nearest first."""
    found = [entry]
    for name in found:
        path = finders.find(name)
        if path is None:
            raise FileNotFoundError(
                f"{name} is imported by a module below {entry}, and there is no such file"
            )
        imported = IMPORT.findall(Path(path).read_text()) if name.endswith(".js") else []
        beside = (posixpath.normpath(posixpath.join(posixpath.dirname(name), each)) for each in imported)
        found += [each for each in beside if each not in found]
    return tuple(found)


@register.simple_tag
def module_scripts(*entries: str) -> SafeString:
    """The scripts of a page, whose browser asks for all modules at once: it would find each only in its importer."""
    scripts = format_html_join(
        "\n", '<script type="module" src="{}"></script>', ((static(name),) for name in entries)
    )
    return _links("modulepreload", entries) + scripts


@register.simple_tag
def fetched_beforehand(*names: str) -> SafeString:
    """What the next page will need, with the modules of the scripts among it; asked for once this page has its own."""
    return _links("prefetch", names)


def _links(relation: str, names: tuple[str, ...]) -> SafeString:
    wanted = dict.fromkeys(each for name in names for each in modules_of(name))
    return format_html_join("", '<link rel="{}" href="{}">\n', ((relation, static(name)) for name in wanted))
