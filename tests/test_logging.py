"""What a server without DEBUG writes of its troubles, in a process of its own as gunicorn would start it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SITE = """
import django
django.setup()
from django.http import Http404
from django.test import Client
from django.urls import path
import labelsite.urls

def breaks(request):
    raise ZeroDivisionError("seven by nothing")

def is_not_there(request):
    raise Http404

labelsite.urls.urlpatterns[:0] = [path("breaks/", breaks), path("gone/", is_not_there)]
client = Client(raise_request_exception=False, headers={"host": "localhost"})
print([client.get(page).status_code for page in ("/breaks/", "/gone/")])
"""

ASKED = """
import django, logging
django.setup()
logging.getLogger("django.server").info("GET /login/ 200", extra={"status_code": 200})
"""


def run(code: str, var: Path) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "DATABASE_URL")}
    environment = {**kept, "DJANGO_SETTINGS_MODULE": "labelsite.settings", "DEBUG": "0", "VAR": str(var)}
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60
    )


def test_an_unforeseen_error_leaves_its_traceback_and_a_missing_page_nothing(tmp_path: Path) -> None:
    done = run(SITE, tmp_path)
    assert done.stdout.strip() == "[500, 404]", done.stderr
    assert 'raise ZeroDivisionError("seven by nothing")' in done.stderr or "in breaks" in done.stderr
    assert "ERROR django.request: Internal Server Error: /breaks/" in done.stderr
    assert "/gone/" not in done.stderr


def test_the_development_server_says_what_it_was_asked_for(tmp_path: Path) -> None:
    done = run(ASKED, tmp_path)
    assert done.stderr.count("GET /login/ 200") == 1, done.stderr
