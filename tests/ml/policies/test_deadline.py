"""A server whose answer drips holds no request longer than its time."""

from __future__ import annotations

import json
import socketserver
import threading
import time

import pytest

from ml.errors import ServerAway
from ml.policies.openai_server import ServerPolicy
from tests.ml.policies.small_server import PREFIX

CHOICE = {"text": "The answer is 2.", "finish_reason": "stop"}
BODY = json.dumps({"choices": [CHOICE], "usage": {"completion_tokens": 7}}).encode()
HEAD = b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n"


@pytest.fixture
def dripping():
    """Starts servers that send what they are given, one byte in 50 ms from `slow_from` on; closes them at the end."""
    servers, ended = [], threading.Event()

    def start(slow_from, times):
        begun = []

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                self.request.recv(65536)
                begun.append(time.monotonic())
                answer = HEAD + BODY
                slow = slow_from if len(begun) <= times else len(answer)
                try:
                    self.wfile.write(answer[:slow])
                    for byte in answer[slow:]:
                        if ended.wait(0.05):
                            return
                        self.wfile.write(bytes([byte]))
                        self.wfile.flush()
                except OSError:
                    return

        server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_address[1]}/v1?model=m&timeout=0.4", begun

    yield start
    ended.set()
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("slow_from", [0, len(HEAD) - 10, len(HEAD)])
def test_an_answer_that_drips_is_asked_for_again_after_its_time(dripping, slow_from):
    address, begun = dripping(slow_from, times=1)
    written = ServerPolicy(address).complete([PREFIX], 1, 0.7, 0)
    assert written[0][0].finished and len(begun) == 2
    # At this pace the whole answer would have taken more than three seconds.
    assert begun[1] - begun[0] < 2.5


def test_answers_that_always_drip_are_an_outage(dripping):
    address, _ = dripping(len(HEAD), times=9)
    with pytest.raises(ServerAway, match=r"no whole answer within 0\.4 s"):
        ServerPolicy(address).complete([PREFIX], 1, 0.7, 0)
