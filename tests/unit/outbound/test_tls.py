"""HTTPS: certificates are checked, and the deadline holds inside TLS too."""

import datetime
import ipaddress
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.clock import SystemClock
from gateway.outbound.client import HttpClient
from gateway.outbound.errors import CallTimedOut, UpstreamUnreachable
from tests.doubles.raw_server import Handler, RawServer, answers_forever, ok, read_request

DAY = datetime.timedelta(days=1)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """PEM of a self-signed certificate for 127.0.0.1 and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    built = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - DAY, now + DAY)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True,
                key_cert_sign=True,
                crl_sign=False,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    plain = serialization.NoEncryption()
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    path.write_bytes(built.public_bytes(serialization.Encoding.PEM) + secret)
    return path


@pytest.fixture
def https() -> Iterator[HttpClient]:
    client = HttpClient(4, SystemClock())
    yield client
    client.close()


def over_tls(certificate: Path, handler: Handler) -> Handler:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def handle(sock: socket.socket) -> None:
        with context.wrap_socket(sock, server_side=True) as wrapped:
            handler(wrapped)

    return handle


def secure(url: str) -> str:
    return url.replace("http://", "https://")


def test_a_trusted_certificate_is_accepted_and_its_connection_reused(
    https: HttpClient, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with RawServer(over_tls(certificate, answers_forever(ok(b"[1]")))) as server:
        assert https.request("GET", secure(server.url), timeout_seconds=5).json() == [1]
        assert https.request("GET", secure(server.url), timeout_seconds=5).json() == [1]
        assert server.connections == 1


def test_an_unknown_certificate_is_refused_before_anything_is_sent(https: HttpClient, certificate: Path) -> None:
    with RawServer(over_tls(certificate, answers_forever(ok()))) as server, pytest.raises(UpstreamUnreachable) as caught:
        https.request("GET", secure(server.url), timeout_seconds=5)
    assert not caught.value.sent


def test_a_drip_inside_tls_ends_in_time(https: HttpClient, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))

    def drip(sock: socket.socket) -> None:
        read_request(sock)
        while True:
            sock.sendall(b"H")
            time.sleep(0.05)

    with RawServer(over_tls(certificate, drip)) as server, pytest.raises(CallTimedOut):
        https.request("GET", secure(server.url), timeout_seconds=0.4)
