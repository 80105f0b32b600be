"""A small server that behaves and misbehaves on demand."""

import contextlib
import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from ml.policies.protocol import Prefix
from ml.records import Problem

PREFIX = Prefix(Problem("p", "What is 1 + 1?", "2"), ("Add them.",), "prose")


class Cut(bytes):
    """A body that ends before its announced length; in the place of a whole reply, what is no status line."""


class Server:
    """Answers completions by `reply(body, number)`: (status, answer), headers if any. Keeps every request.

    keeps_open: connections stay open for further requests. secured: by the certificate and key of such a context.
    """

    def __init__(self, reply, keeps_open=False, secured=None):
        self.requests, self.headers, self.busy, self.most_busy = [], [], 0, 0
        self.paths, self.connections = [], []
        lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1" if keeps_open else "HTTP/1.0"

            def setup(self):
                super().setup()
                outer.connections.append(self.connection)

            def do_GET(self):
                self.answer(200, {"data": [{"id": "served-model"}]})

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with lock:
                    outer.requests.append(body)
                    outer.headers.append(dict(self.headers))
                    outer.paths.append(self.path)
                    number = len(outer.requests)
                    outer.busy += 1
                    outer.most_busy = max(outer.most_busy, outer.busy)
                replied = reply(body, number)
                with lock:
                    outer.busy -= 1
                if isinstance(replied, Cut):
                    self.wfile.write(b"who is there?\r\n\r\n")
                else:
                    self.answer(*replied)

            def answer(self, status, answer, headers=()):
                data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data) + 9 * isinstance(data, Cut)))
                for name, value in dict(headers).items():
                    self.send_header(name, value)
                self.end_headers()
                with contextlib.suppress(BrokenPipeError):
                    self.wfile.write(data)

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if secured is not None:
            self.server.socket = secured.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.address = f"http{'s' if secured else ''}://127.0.0.1:{self.server.server_address[1]}/v1"

    def close_connections(self):
        """As a server does with those that nobody uses, and one that ends with all."""
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def go_away(self):
        """Nobody listens there any more."""
        self.server.shutdown()
        self.server.server_close()
        self.close_connections()


def completions(body, number, text="The answer is 2.", **extra):
    choices = [{"text": f"{text}", "finish_reason": "stop"} | extra for _ in range(body.get("n", 1))]
    return 200, {"choices": choices, "usage": {"completion_tokens": 5 * len(choices)}}


def seeded(body, number):
    """Texts that tell which seed and which place of an answer they are from."""
    texts = [f"Draw {body['seed']}.{place}" for place in range(body.get("n", 1))]
    return 200, {
        "choices": [{"text": text, "finish_reason": "stop"} for text in texts],
        "usage": {"completion_tokens": 5 * len(texts)},
    }
