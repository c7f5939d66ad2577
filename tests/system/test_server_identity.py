"""Only the cloud can pass for the cloud: a device's certificate cannot, whatever its request says, whoever is asked."""

import contextlib
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from botocore.exceptions import ClientError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from paho.mqtt.enums import CallbackAPIVersion

from hedgerow.cli.demo import fleet
from hedgerow.testing import TestCloud
from tests.support.mqtt import ask, connected
from tests.support.sites import claim_device

KEY = ec.generate_private_key(ec.SECP256R1())


def request(common_name: str, *names: str) -> str:
    """A signing request, as an impostor would word it."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    )
    if names:
        alternatives = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
        builder = builder.add_extension(alternatives, critical=False)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return builder.sign(KEY, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["localhost", "LocalHost", "localhost.", "127.0.0.1", "012345678901.localhost"])
def test_a_request_for_the_name_of_the_cloud_is_refused(hedgerow_cloud: TestCloud, name: str) -> None:
    iot = hedgerow_cloud.client("iot")

    with pytest.raises(ClientError) as refused:
        iot.create_certificate_from_csr(certificateSigningRequest=request(name), setAsActive=True)

    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert "stands for the server name" in refused.value.response["Error"]["Message"]
    assert iot.list_certificates()["certificates"] == []


@pytest.mark.slow
def test_a_claim_cannot_have_a_certificate_with_the_name_of_the_cloud_either(
    hedgerow_cloud: TestCloud, tmp_path: Path
) -> None:
    claim = claim_device(hedgerow_cloud, tmp_path)

    with connected(claim, client_id=f"{fleet.CLAIM_CLIENT}impostor") as device:
        answer = ask(
            device, "$aws/certificates/create-from-csr/json", {"certificateSigningRequest": request("localhost")}
        )

    assert (answer["statusCode"], answer["errorCode"]) == (400, "InvalidCertificateSigningRequest")
    assert "stands for the server name" in answer["errorMessage"]


@pytest.fixture
def impostor(hedgerow_cloud: TestCloud, tmp_path: Path) -> Path:
    """The files of a device whose request asked for everything that a server has."""
    made = hedgerow_cloud.client("iot").create_certificate_from_csr(
        certificateSigningRequest=request("radio", "localhost"), setAsActive=True
    )
    (tmp_path / "impostor.pem").write_text(made["certificatePem"])
    key = KEY.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (tmp_path / "impostor.key").write_bytes(key)
    return tmp_path


@pytest.mark.slow
def test_what_a_device_asks_for_beyond_its_name_is_dropped(impostor: Path) -> None:
    certificate = x509.load_pem_x509_certificate((impostor / "impostor.pem").read_bytes())

    extensions = {type(extension.value): extension.value for extension in certificate.extensions}

    assert x509.SubjectAlternativeName not in extensions
    assert extensions[x509.BasicConstraints] == x509.BasicConstraints(ca=False, path_length=None)
    assert certificate.subject.rfc4514_string() == "CN=radio"


@contextmanager
def pretending(folder: Path) -> Iterator[int]:
    """Listen with the device's certificate on a free port and shake hands with whoever comes."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "impostor.pem", folder / "impostor.key")
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
        yield int(listener.getsockname()[1])
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)


# None of them asks for the name of the host: it is the signer that must give the impostor away.
CLIENTS = {
    "openssl": ("openssl", "s_client", "-connect", "localhost:{port}", "-CAfile", "{ca}", "-verify_return_error"),
    "mosquitto": (
        *("mosquitto_pub", "-d", "--insecure", "--cafile", "{ca}", "-h", "localhost", "-p", "{port}"),
        *("-t", "a", "-m", "b"),
    ),
    "curl": (
        "curl",
        "-sS",
        "--cacert",
        "{ca}",
        "--connect-to",
        "radio:{port}:localhost:{port}",
        "https://radio:{port}/",
    ),
}


def said(name: str, ca: str, port: int) -> tuple[int, str]:
    command = [part.format(ca=ca, port=port) for part in CLIENTS[name]]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.spec("JB-17")
@pytest.mark.parametrize("name", CLIENTS)
def test_stock_clients_refuse_a_device_that_pretends_to_be_the_cloud(
    hedgerow_cloud: TestCloud, impostor: Path, name: str
) -> None:
    ready = hedgerow_cloud.process.ready
    with pretending(impostor) as port:
        status, words = said(name, ready["ca_file"], port)
    _, genuine = said(name, ready["ca_file"], ready["mqtt_port"])

    assert status != 0
    assert "certificate verify failed" in words.lower() or "unable to get local issuer" in words.lower(), words
    assert "unable to get local issuer" not in genuine.lower(), genuine
    assert "verify failed" not in genuine.lower(), genuine


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # paho leaves its socket open
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_paho_refuses_a_device_that_pretends_to_be_the_cloud(hedgerow_cloud: TestCloud, impostor: Path) -> None:
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="radio", reconnect_on_failure=False)
    client.tls_set(ca_certs=hedgerow_cloud.process.ready["ca_file"])
    client.tls_insecure_set(True)

    with pretending(impostor) as port, pytest.raises(ssl.SSLCertVerificationError, match="local issuer"):
        client.connect("localhost", port)

    with connected(hedgerow_cloud.device("genuine")) as device:
        device.publish("devices/genuine/hello", "to the real cloud")


@pytest.mark.slow
@pytest.mark.spec("BS-40")
def test_the_server_proves_each_of_its_names(hedgerow_cloud: TestCloud) -> None:
    ready = hedgerow_cloud.process.ready
    context = ssl.create_default_context(cafile=ready["ca_file"])

    for name in ("localhost", "127.0.0.1"):
        for port in (ready["mqtt_port"], ready["https_port"]):
            with (
                socket.create_connection(("127.0.0.1", port), 10) as raw,
                context.wrap_socket(raw, server_hostname=name),
            ):
                pass
    with (
        socket.create_connection(("127.0.0.1", ready["mqtt_port"]), 10) as raw,
        pytest.raises(ssl.SSLCertVerificationError, match="not valid for 'elsewhere'"),
    ):
        context.wrap_socket(raw, server_hostname="elsewhere")
