"""Webhooks over real sockets: to this machine as a local stage may, with the host's certificate, cut off in time, never redirected."""

from __future__ import annotations

import datetime as dt
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from standardwebhooks.webhooks import Webhook

from shared.aws.webhook_sending import WebhookSender
from shared.messaging.port import Message, Sent, Throttled, Unreachable, WebhookTarget
from shared.messaging.webhooks import shown_secret

SECRET = bytes(range(32))
ORIGIN = {"tenant": "demo", "member": "mbr_1", "delivery": "dlv_1", "campaign": "c", "step": "s"}


class Receiver:
    """A tenant's system: what it was sent, and what it answers."""

    def __init__(self, status: int = 200, context: ssl.SSLContext | None = None) -> None:
        self.status = status
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.requests.append((self.path, dict(self.headers), body))
                self.send_response(receiver.status)
                self.send_header("location", "https://elsewhere.example/")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                return

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        if context is not None:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]


@contextmanager
def running(receiver: Receiver) -> Iterator[Receiver]:
    thread = threading.Thread(target=receiver.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield receiver
    finally:
        receiver.server.shutdown()
        thread.join()
        receiver.server.server_close()


def message(url: str) -> Message:
    return Message("t", "b", {"x": "y"}, origin=ORIGIN, settings=WebhookTarget(url, SECRET), at=5)


def now() -> int:
    return int(time.time() * 1000)


def test_a_receiver_gets_it_once_and_can_verify_it() -> None:
    with running(Receiver()) as receiver:
        url = f"http://127.0.0.1:{receiver.port}/hook?a=1"
        assert WebhookSender(now, local=True).send("crm", message(url)) == Sent("dlv_1")
        assert WebhookSender(now).send("crm", message(url)) == Unreachable("forbidden_address")
    ((path, headers, body),) = receiver.requests
    assert (path, headers["host"]) == ("/hook?a=1", f"127.0.0.1:{receiver.port}")
    received = Webhook(shown_secret(SECRET)).verify(body, {name.lower(): value for name, value in headers.items()})
    assert received["data"]["data"] == {"x": "y"}


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        (204, Sent("dlv_1")),
        (301, Unreachable("status_301")),
        (400, Unreachable("status_400")),
        (410, Unreachable("gone", dead=True)),
        (429, Throttled()),
        (500, Throttled()),
        (503, Throttled()),
    ],
)
def test_what_an_answer_means(status: int, meaning: object) -> None:
    with running(Receiver(status)) as receiver:
        assert WebhookSender(now, local=True).send("crm", message(f"http://127.0.0.1:{receiver.port}/")) == meaning
    assert len(receiver.requests) == 1


def test_nobody_there_is_tried_again() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/"
        assert WebhookSender(now, local=True).send("crm", message(url)) == Throttled()


def test_a_host_that_resolves_to_a_forbidden_address_is_not_called() -> None:
    for addresses in (["10.0.0.1"], ["169.254.169.254"], ["93.184.216.34", "127.0.0.1"], []):
        sender = WebhookSender(now, resolve=lambda _host, _port, found=addresses: found)
        assert sender.send("crm", message("https://crm.example/")) == Unreachable("forbidden_address")

    def unknown(_host: str, _port: int) -> list[str]:
        raise socket.gaierror

    assert WebhookSender(now, resolve=unknown).send("crm", message("https://crm.example/")) == Throttled()
    assert WebhookSender(now).send("crm", Message("t", "b", origin=ORIGIN)) == Unreachable("not_configured")


def test_a_receiver_that_drips_is_cut_off() -> None:
    was_cut = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            connection, _ = server.accept()
            with connection:
                try:
                    for _ in range(500):
                        connection.sendall(b"H")
                        time.sleep(0.02)
                except OSError:
                    was_cut.set()

        thread = threading.Thread(target=drip)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        assert WebhookSender(now, local=True, timeout=0.3).send("crm", message(url)) == Throttled()
        thread.join()
    assert was_cut.is_set()


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A certificate of ``crm.example`` that this process trusts."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "crm.example")])
    day = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(day - dt.timedelta(days=1))
        .not_valid_after(day + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("crm.example")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = tmp_path / "cert.pem", tmp_path / "key.pem"
    cert_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    monkeypatch.setenv("SSL_CERT_FILE", str(cert_file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert_file, key_file)
    return context


def test_the_certificate_is_the_hosts_whatever_address_it_is_at(certificate: ssl.SSLContext) -> None:
    sender = WebhookSender(now, local=True, resolve=lambda _host, _port: ["127.0.0.1"])
    with running(Receiver(context=certificate)) as receiver:
        assert sender.send("crm", message(f"https://crm.example:{receiver.port}/")) == Sent("dlv_1")
        assert sender.send("crm", message(f"https://other.example:{receiver.port}/")) == Throttled()
    assert [headers["host"] for _, headers, _ in receiver.requests] == [f"crm.example:{receiver.port}"]
