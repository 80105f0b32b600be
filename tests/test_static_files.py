"""Styles and scripts as `collectstatic` leaves them: each name changes with what is in the file."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.management import call_command
from django.test import RequestFactory, override_settings
from whitenoise.middleware import WhiteNoiseMiddleware

from labelsite.embedded.management.commands import doctor
from labelsite.static_files import module_scripts, modules_of

HASHED = re.compile(r"\.[0-9a-f]{12}\.\w+$")


@pytest.fixture(scope="module")
def collected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("static")
    with override_settings(STATIC_ROOT=folder, WHITENOISE_AUTOREFRESH=False, WHITENOISE_USE_FINDERS=False):
        call_command("collectstatic", interactive=False, verbosity=0, ignore_patterns=["rest_framework"])
        yield folder


def test_whatever_names_a_file_names_it_by_its_hash_and_browsers_keep_it(collected: Path) -> None:
    main = collected / staticfiles_storage.stored_name("annotate/main.js")
    imported = re.findall(r'from "(.+)";', main.read_text())
    style = collected / staticfiles_storage.stored_name("vendor/katex/katex.min.css")
    fonts = re.findall(r'url\("([^"]+woff2)"\)', style.read_text())
    assert len(imported) > 15 and len(fonts) == 20
    for file, name in [(main, each) for each in imported] + [(style, each) for each in fonts]:
        assert HASHED.search(name) and (file.parent / name).exists(), name

    serve = WhiteNoiseMiddleware(lambda request: None)
    address = staticfiles_storage.url("annotate/main.js")
    answer = serve(RequestFactory().head(address, headers={"accept-encoding": "gzip"}))
    assert "immutable" in answer["Cache-Control"] and answer["Content-Encoding"] == "gzip"


def test_the_links_to_modules_name_what_the_modules_import(collected: Path) -> None:
    links = re.findall(r'modulepreload" href="/static/([^"]+)"', module_scripts("annotate/main.js"))
    assert len(links) == len(modules_of("annotate/main.js"))
    for link in links:
        imports = re.findall(r'from "([^"]+)";', (collected / link).read_text())
        assert {(collected / link).parent.joinpath(each).resolve() for each in imports} <= {
            collected / each for each in links
        }


def test_a_module_that_is_not_there_is_named_with_the_one_that_wants_it(
    settings: Any, tmp_path: Path
) -> None:
    settings.STATICFILES_DIRS = [tmp_path]
    (tmp_path / "page.js").write_text('import { gone } from "./gone.js";\n')
    with pytest.raises(FileNotFoundError, match=r"gone\.js is imported .* page\.js"):
        modules_of("page.js")


def test_the_doctor_sees_that_an_upgrade_did_not_gather_them_anew(settings: Any, tmp_path: Path) -> None:
    settings.STATICFILES_DIRS, settings.STATIC_ROOT = [tmp_path / "sources"], tmp_path / "gathered"
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    source = tmp_path / "sources" / "app.css"
    source.parent.mkdir()
    source.write_text("body { margin: 0 }\n")
    assert [finding.state for finding in doctor.styles()] == ["weak"]
    call_command("collectstatic", interactive=False, verbosity=0)
    assert [finding.state for finding in doctor.styles()] == ["good"]
    source.write_text("body { margin: 1px }\n")
    (finding,) = doctor.styles()
    assert finding.state == "bad" and "such as app.css" in finding.found and "collectstatic" in finding.mend
    # As the doctor says it: without `clear` a source that is not newer than its copy would stay out.
    call_command("collectstatic", interactive=False, clear=True, verbosity=0)
    assert [finding.state for finding in doctor.styles()] == ["good"]
