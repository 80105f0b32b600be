"""Connections to a server are kept for further requests, plain and secure, by way of a proxy or not."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from ml.errors import MisstepError, ServerAway
from ml.policies.openai_server import ServerPolicy
from ml.policies.protocol import Prefix
from ml.records import Problem
from tests.ml.policies.small_server import PREFIX, completions

OTHERS = [Prefix(PREFIX.problem, (f"step {number}",), "prose") for number in range(40)]


@pytest.fixture(params=["plain", "secure"])
def serve_open(request, serve, certificate, monkeypatch):
    """Starts servers that keep connections open, all of one kind, whose certificate is trusted."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    secured = certificate[1] if request.param == "secure" else None
    return lambda reply: serve(reply, keeps_open=True, secured=secured)


def ask_all(policy):
    with ThreadPoolExecutor(policy.concurrency) as pool:
        return list(pool.map(lambda prefix: policy.complete([prefix], 1, 0.7, 0), OTHERS))


def test_requests_under_way_at_once_have_a_connection_each_and_later_ones_take_these(serve_open):
    server = serve_open(completions)
    policy = ServerPolicy(server.address + "?concurrency=3")
    assert len(ask_all(policy)) == len(OTHERS) == len(server.requests)
    assert 1 <= len(server.connections) <= 3


def test_connections_that_nobody_uses_any_more_are_closed_also_those_of_a_server_that_is_not_asked(
    serve, monkeypatch
):
    monkeypatch.setattr("ml.policies.openai_client.IDLE_SECONDS", 0.5)
    servers = [serve(completions, keeps_open=True) for _ in range(2)]
    policy = ServerPolicy(",".join(server.address for server in servers) + "?concurrency=6&model=m")
    problems = [Prefix(Problem(f"p{n}", f"What is {n} + 1?", "2"), (), "prose") for n in range(40)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda prefix: policy.complete([prefix], 1, 0.7, 0), problems))
    assert all(server.connections for server in servers)
    for _ in range(3):
        time.sleep(0.4)
        policy.complete([problems[0]], 1, 0.7, 0)
    kept = [len(endpoint._connections._idle) for endpoint in policy._client._endpoints]
    assert sorted(kept) == [0, 1]


def test_there_is_room_for_the_connections_to_all_servers(monkeypatch):
    allowed = []
    monkeypatch.setattr("ml.policies.openai_client.allow_open", allowed.append)
    ServerPolicy("http://a:1/v1,http://b:1/v1,http://c:1/v1?model=m&concurrency=100")
    assert allowed == [300]


def test_the_machine_s_certificates_are_read_once(serve, certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    read, load = [], ssl.SSLContext.load_default_certs
    monkeypatch.setattr(
        ssl.SSLContext, "load_default_certs", lambda self, *how: (read.append(how), load(self, *how))[1]
    )
    # A server that closes each connection, so that each request makes one.
    server = serve(completions, secured=certificate[1])
    ask_all(ServerPolicy(server.address + "?concurrency=3"))
    assert len(read) == 1 and len(server.connections) > len(OTHERS)


def test_a_connection_that_the_server_has_closed_costs_no_try_and_no_pause(patient, serve_open):
    server = serve_open(completions)
    policy = ServerPolicy(server.address + "?model=m")
    for _ in range(3):
        started = time.monotonic()
        assert policy.complete([PREFIX], 1, 0.7, 0)[0][0].finished
        assert time.monotonic() - started < 5
        server.close_connections()
        time.sleep(0.05)


def test_a_connection_that_closes_as_it_is_used_again_costs_no_try_and_no_pause(patient):
    """The second request is read to its end and met by the connection's end, as by a server that has just given up."""
    begun = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            begun.append(self)
            for number in range(2):
                length = 0
                while (line := self.rfile.readline().strip()) != b"":
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.split(b":")[1])
                self.rfile.read(length)
                if number:
                    return
                body = b'{"choices": [{"text": "2", "finish_reason": "stop"}], "usage": {"completion_tokens": 1}}'
                self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_address[1]}/v1?model=m"
        policy = ServerPolicy(address)
        started = time.monotonic()
        for _ in range(2):
            assert policy.complete([PREFIX], 1, 0.7, 0)[0][0].finished
        assert time.monotonic() - started < 5 and len(begun) == 2
        server.shutdown()


def test_a_refusal_leaves_its_connection_to_the_next_request(serve_open):
    def reply(body, number):
        return (400, {"error": "x" * 100}) if body.get("n", 1) > 1 else completions(body, number)

    server = serve_open(reply)
    with pytest.warns(UserWarning, match="one by one"):
        ServerPolicy(server.address + "?concurrency=1").complete([PREFIX], 4, 0.7, 0)
    assert len(server.requests) == 5 and len(server.connections) == 1


def test_what_is_left_of_a_long_refusal_is_not_read_as_the_next_answer(serve_open):
    def reply(body, number):
        return (400, {"error": "x" * 50_000}) if body.get("n", 1) > 1 else completions(body, number)

    with pytest.warns(UserWarning, match="one by one"):
        (written,) = ServerPolicy(serve_open(reply).address).complete([PREFIX], 2, 0.7, 0)
    assert all(one.finished for one in written)


def test_a_server_that_goes_away_while_connections_are_open_is_an_outage(serve_open):
    server = serve_open(completions)
    policy = ServerPolicy(server.address)
    policy.complete([PREFIX], 1, 0.7, 0)
    server.go_away()
    with pytest.raises(ServerAway, match="refused"):
        policy.complete([PREFIX], 1, 0.7, 0)


def test_a_certificate_that_nobody_vouches_for_ends_a_run_at_once(patient, serve, certificate):
    server = serve(completions, secured=certificate[1])
    with pytest.raises(MisstepError, match=r"certificate is not trusted .*SSL_CERT_FILE") as told:
        ServerPolicy(server.address)
    assert not isinstance(told.value, ServerAway)


@pytest.fixture
def by_proxy(monkeypatch):
    """Has the environment name a proxy for both schemes."""

    def start(address):
        for scheme in ("http", "https"):
            monkeypatch.setenv(f"{scheme}_proxy", address)
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)

    return start


def test_a_plain_request_by_way_of_a_proxy_names_the_whole_address_and_who_asks(serve, by_proxy):
    proxy = serve(completions, keeps_open=True)
    by_proxy(proxy.address.replace("http://", "http://me:se%40cret@"))
    policy = ServerPolicy("http://somewhere.example:81/v1?model=m")
    assert policy.complete([PREFIX], 1, 0.7, 0)[0][0].finished
    assert proxy.paths == ["http://somewhere.example:81/v1/completions"]
    assert proxy.headers[0]["Host"] == "somewhere.example:81"
    assert proxy.headers[0]["Proxy-Authorization"] == "Basic bWU6c2VAY3JldA=="


def test_a_secure_request_goes_through_a_proxy_that_reads_nothing_of_it(
    serve, by_proxy, certificate, monkeypatch
):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    server = serve(completions, keeps_open=True, secured=certificate[1])
    heads = []

    class Tunnel(socketserver.BaseRequestHandler):
        def handle(self):
            heads.append(self.request.recv(65536))
            self.request.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            with socket.create_connection(server.server.server_address) as behind:
                back = threading.Thread(target=pass_on, args=(behind, self.request))
                back.start()
                pass_on(self.request, behind)
                back.join()

    def pass_on(source, target):
        with contextlib.suppress(OSError):
            while part := source.recv(65536):
                target.sendall(part)
            target.shutdown(socket.SHUT_WR)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Tunnel) as proxy:
        proxy.daemon_threads = True
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        by_proxy(f"http://me:secret@127.0.0.1:{proxy.server_address[1]}")
        policy = ServerPolicy("https://somewhere.example/v1?model=m&concurrency=1")
        for _ in range(2):
            assert policy.complete([PREFIX], 1, 0.7, 0)[0][0].finished
        server.close_connections()
        proxy.shutdown()
    (head,) = heads
    assert head.startswith(b"CONNECT somewhere.example:443 ") and b"Proxy-Authorization: Basic " in head
    assert server.paths == ["/v1/completions"] * 2 and "Proxy-Authorization" not in server.headers[0]
