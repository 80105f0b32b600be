"""Where the demo listens and how it finds out that the site is up: no proxy, no allowed name, IPv6."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from labelsite.embedded import demo as demo_module
from labelsite.embedded.demo import Demo, DemoError

Serve = Callable[..., int]


class IPv6Server(ThreadingHTTPServer):
    address_family = socket.AF_INET6


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
        return True
    except OSError:
        return False


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a site that answers everything with one status; gives its port."""
    servers: list[ThreadingHTTPServer] = []

    def start(status: int, host: str = "127.0.0.1") -> int:
        class Answers(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(status)
                self.send_header("Location", "https://127.0.0.1:1/")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        server = (IPv6Server if ":" in host else ThreadingHTTPServer)((host, 0), Answers)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return int(server.server_address[1])

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("status", [200, 301, 400])
def test_every_answer_of_the_site_says_that_it_is_up_and_no_proxy_is_asked(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setattr(demo_module, "WEB_ANSWERS_SECONDS", 0.0)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    Demo(tmp_path, "0.0.0.0", serve(status))._wait_for_page()


def test_a_site_that_fails_is_no_page(serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_module, "WEB_ANSWERS_SECONDS", 0.0)
    port = serve(503)
    with pytest.raises(DemoError, match=rf"no page at http://127.0.0.1:{port}/ \(503 Service Unavailable\)"):
        Demo(tmp_path, "127.0.0.1", port)._wait_for_page()


@needs_ipv6
def test_an_ipv6_host_is_found_and_written_in_brackets(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo_module, "WEB_ANSWERS_SECONDS", 0.0)
    port = serve(200, "::1")
    anywhere = Demo(tmp_path, "::", port)
    assert (anywhere.bind, anywhere.address) == (f"[::]:{port}", f"http://[::1]:{port}/")
    anywhere._wait_for_page()
    with pytest.raises(DemoError, match=f"port {port} is not free"):
        Demo(tmp_path, "::1", port)._refuse_unusable_address()


@needs_ipv6
def test_a_free_ipv6_port_is_no_obstacle(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::1", 0))
        port = int(probe.getsockname()[1])
    Demo(tmp_path, "::1", port)._refuse_unusable_address()


@pytest.mark.parametrize("host", ["203.0.113.7", "no-such-host.invalid"])
def test_an_address_of_another_machine_is_not_called_a_taken_port(tmp_path: Path, host: str) -> None:
    with pytest.raises(DemoError, match=rf"cannot listen at {host}:8000 \(.+\); choose with HOST="):
        Demo(tmp_path, host, 8000)._refuse_unusable_address()
