"""Small servers for the tests of policies."""

import shutil
import ssl
import subprocess

import pytest

from ml.policies import openai_client
from tests.ml.policies.small_server import Server


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """Servers are asked again at once."""
    monkeypatch.setattr(openai_client, "RETRY_SECONDS", 0.0001)


@pytest.fixture
def patient(impatient, monkeypatch):
    """Whoever waits before another try is noticed."""
    monkeypatch.setattr(openai_client, "RETRY_SECONDS", 30)


@pytest.fixture
def serve():
    servers = []

    def start(reply, **more):
        servers.append(Server(reply, **more))
        return servers[-1]

    yield start
    for server in servers:
        server.go_away()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """The file of a certificate of this machine and of somewhere.example, and the context of a server that has it."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed, and makes the certificate")
    folder = tmp_path_factory.mktemp("certificate")
    key, made = folder / "key.pem", folder / "certificate.pem"
    names = "subjectAltName=IP:127.0.0.1,DNS:somewhere.example"
    made_as = ["-days", "2", "-subj", "/CN=somewhere.example", "-addext", names]
    given = [
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        str(key),
        "-out",
        str(made),
        *made_as,
    ]
    subprocess.run(["openssl", *given], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made, key)
    return made, context
