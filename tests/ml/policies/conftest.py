"""Small servers for the tests of policies."""

import pytest

from tests.ml.policies.small_server import Server


@pytest.fixture
def serve():
    servers = []

    def start(reply):
        servers.append(Server(reply))
        return servers[-1]

    yield start
    for server in servers:
        server.server.shutdown()
        server.server.server_close()
