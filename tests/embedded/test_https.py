"""HTTPS=1 and the proxy in front: the doctor asks the site by its public name, as a browser would."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from django.test import Client

from labelsite.embedded import https_check
from labelsite.embedded.management.commands.doctor import https
from tests.data import ROOT

Proxy = Callable[..., str]


@pytest.fixture
def proxy(tmp_path: Path, settings, monkeypatch) -> Iterator[Proxy]:
    """Starts a proxy that speaks TLS and adds the given headers to what it asks of the site, or sends everybody to
    `elsewhere`; returns its address."""
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    name = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", *name]
    subprocess.run([*make, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    settings.HTTPS = settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    servers: list[ThreadingHTTPServer] = []

    def start(headers: dict[str, str], elsewhere: str = "") -> str:
        class Passes(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if elsewhere:
                    self.send_response(301)
                    self.send_header("Location", elsewhere + self.path)
                    return self.end_headers()
                answer = Client(headers={"host": "localhost", **headers}).get(self.path)
                self.send_response(answer.status_code)
                for title, value in answer.headers.items():
                    self.send_header(title, value)
                self.end_headers()

        server = ThreadingHTTPServer(("127.0.0.1", 0), Passes)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        settings.CSRF_TRUSTED_ORIGINS = [f"https://localhost:{server.server_port}"]
        return settings.CSRF_TRUSTED_ORIGINS[0]

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_proxy_that_does_not_say_https_is_found_to_redirect_for_ever(proxy):
    proxy({})
    (finding,) = https()
    assert finding.state == "bad" and "X-Forwarded-Proto" in finding.found and "nginx" in finding.mend


@pytest.mark.django_db
def test_a_proxy_that_says_https_is_good(proxy):
    proxy({"x-forwarded-proto": "https"})
    (finding,) = https()
    assert (finding.state, finding.mend) == ("good", "")


def test_a_proxy_that_passes_another_host_is_found(proxy):
    proxy({"host": "backend:8000", "x-forwarded-proto": "https"})
    (finding,) = https()
    assert finding.state == "bad" and "answers 400" in finding.found


@pytest.mark.parametrize("elsewhere", ["https://www.example.org", "http://www.localhost:1"])
def test_a_proxy_that_sends_people_to_another_host_is_told_as_that(proxy, elsewhere):
    proxy({}, elsewhere)
    (finding,) = https()
    assert finding.state == "weak" and f"redirects to another host: {elsewhere}/login/" in finding.found
    assert "first in TRUSTED_ORIGINS" in finding.mend


def test_a_redirect_to_itself_without_a_host_is_one_for_ever(proxy):
    """A `Location` may hold a path alone."""
    address = proxy({}, "/.")
    assert https_check.asked(address)[0] is False


def test_a_location_that_is_no_address_does_not_end_the_doctor(proxy):
    proxy({}, "https://[")
    (finding,) = https()
    assert finding.state == "weak" and "cannot be asked from here" in finding.found


def test_an_address_that_cannot_be_asked_from_here_is_weak_only(settings):
    settings.HTTPS, settings.CSRF_TRUSTED_ORIGINS = True, ["https://localhost:1"]
    (finding,) = https()
    assert finding.state == "weak" and "cannot be asked from here" in finding.found


def test_the_public_name_is_the_first_that_is_not_this_machine_s_own(settings):
    settings.CSRF_TRUSTED_ORIGINS, settings.ALLOWED_HOSTS = (
        [],
        ["localhost", ".example.org", "label.example.org"],
    )
    assert https_check.public_address() == "https://label.example.org"
    settings.ALLOWED_HOSTS = ["127.0.0.1"]
    assert https_check.public_address() is None


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, [0, False, False]),
        ({"HTTPS": "1"}, [31536000, False, False]),
        ({"HTTPS": "1", "HSTS_SUBDOMAINS": "1"}, [31536000, True, False]),
        ({"HTTPS": "1", "HSTS_PRELOAD": "1"}, [31536000, True, True]),
    ],
)
def test_other_names_of_the_domain_are_bound_to_https_only_where_that_is_asked_for(
    tmp_path, variables, expected
):
    code = (
        "import json; from labelsite import settings as s;"
        "print(json.dumps([s.SECURE_HSTS_SECONDS, s.SECURE_HSTS_INCLUDE_SUBDOMAINS, s.SECURE_HSTS_PRELOAD]))"
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HTTPS", "HSTS"))}
    environment = {**kept, "VAR": str(tmp_path), **variables}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, check=True
    )
    assert json.loads(done.stdout) == expected
