"""A device that asked for a certificate with the cloud's own name cannot pass for the cloud, whatever the client is."""

import contextlib
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID

from hedgerow.core import pki

NOW = time.time()
KEY = pki.new_key("p256")
SERVERS, DEVICES = pki.new_server_authority(NOW), pki.new_device_authority(NOW, kind="p256")


def impostor() -> str:
    """What the device CA would sign for CN=localhost if no name were refused."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject).add_extension(names, critical=False)
    request = builder.sign(KEY, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    return pki.issue_from_csr(DEVICES, request, NOW, host_names=())


def genuine() -> str:
    return pki.issue_server(SERVERS, KEY.public_key(), ["localhost", "127.0.0.1"], NOW)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "ca.pem").write_text(SERVERS.pem)
    (tmp_path / "key.pem").write_text(pki.private_pem(KEY))
    (tmp_path / "genuine.pem").write_text(genuine())
    (tmp_path / "impostor.pem").write_text(impostor())
    return tmp_path


def listening(folder: Path, certificate: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / certificate, folder / "key.pem")
    return context


def shake(client: ssl.SSLContext, server: ssl.SSLContext) -> None:
    """Let the two sides talk in memory; raises what the first of them raises."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        client.wrap_bio(to_client, to_server, server_hostname="localhost"),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    for _ in range(10):
        for side in sides:
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()


def test_python_trusts_the_genuine_server_and_refuses_the_impostor(folder: Path) -> None:
    client = ssl.create_default_context(cafile=str(folder / "ca.pem"))

    shake(client, listening(folder, "genuine.pem"))
    with pytest.raises(ssl.SSLCertVerificationError, match="unable to get local issuer certificate"):
        shake(client, listening(folder, "impostor.pem"))


def test_a_listener_for_devices_refuses_a_server_certificate(folder: Path) -> None:
    server = listening(folder, "genuine.pem")
    server.verify_mode = ssl.CERT_REQUIRED
    server.load_verify_locations(cadata=DEVICES.pem)
    device = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    device.load_cert_chain(folder / "impostor.pem", folder / "key.pem")
    stranger = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    stranger.load_cert_chain(folder / "genuine.pem", folder / "key.pem")

    shake(device, server)
    with pytest.raises(ssl.SSLCertVerificationError):
        shake(stranger, server)


@contextmanager
def served(folder: Path, certificate: str) -> Iterator[int]:
    """Shake hands with whoever comes, on a free port, and hang up."""
    context = listening(folder, certificate)
    listener = socket.create_server(("127.0.0.1", 0))

    def run() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                connection.settimeout(5)
                with contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True) as secure:
                    secure.recv(1)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)
        assert not thread.is_alive()


def output(*command: str) -> str:
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=20)
    assert done.returncode != 0
    return done.stdout + done.stderr


CLIENTS = {
    "curl": ("curl", "-sS", "--cacert", "{ca}", "https://localhost:{port}/"),
    "mosquitto_pub": (
        *("mosquitto_pub", "-d", "--cafile", "{ca}", "-h", "localhost", "-p", "{port}"),
        *("-t", "a", "-m", "b"),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CLIENTS)
def test_other_clients_refuse_the_impostor_for_its_certificate(folder: Path, name: str) -> None:
    if shutil.which(name) is None:
        pytest.skip(f"needs {name} (packages curl, mosquitto-clients)")

    said = {}
    for certificate in ("genuine.pem", "impostor.pem"):
        with served(folder, certificate) as port:
            said[certificate] = output(*(p.format(ca=folder / "ca.pem", port=port) for p in CLIENTS[name]))

    assert "certif" not in said["genuine.pem"].lower(), said
    assert "certif" in said["impostor.pem"].lower(), said
