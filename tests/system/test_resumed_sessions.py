"""A TLS session that is resumed saves signatures, not questions: the certificate's status is asked every time."""

import contextlib
import re
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from hedgerow.testing import Device, TestCloud
from tests.support.waiting import until

pytestmark = [pytest.mark.slow]
DEADLINE_S = 10
CONNECT = b"\x10\x11\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x04lamp"
DISCONNECT = b"\xe0\x00"
CONNACK = re.compile(rb"\x20[^\x00]\x00\x00")  # no session, let in
LET_IN, NOT_AUTHORIZED = 0, 0x87
VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.fixture
def device(hedgerow_cloud: TestCloud) -> Device:
    return hedgerow_cloud.device("lamp")


@contextlib.contextmanager
def dialled(
    device: Device, port: int, context: ssl.SSLContext, session: ssl.SSLSession | None
) -> Iterator[ssl.SSLSocket]:
    with (
        socket.create_connection(("127.0.0.1", port), DEADLINE_S) as raw,
        context.wrap_socket(raw, server_hostname=device.host, session=session) as secure,
    ):
        yield secure


def mqtt(
    device: Device, context: ssl.SSLContext, session: ssl.SSLSession | None = None
) -> tuple[int, bool, ssl.SSLSession | None]:
    """CONNECT; answer the code of the CONNACK, whether the TLS session was resumed, and the session."""
    with dialled(device, device.mqtt_port, context, session) as secure:
        secure.sendall(CONNECT)
        connack = secure.recv(4096)
        assert connack[0] == 0x20
        return connack[3], bool(secure.session_reused), secure.session


@pytest.mark.spec("JB-39")
@pytest.mark.parametrize("version", VERSIONS)
def test_a_resumed_mqtt_session_shows_the_certificate_and_its_status_is_asked(
    hedgerow_cloud: TestCloud, device: Device, version: ssl.TLSVersion
) -> None:
    context = device.tls()
    context.minimum_version = context.maximum_version = version
    iot, certificate = hedgerow_cloud.client("iot"), device.certificate_arn.rpartition("/")[2]

    first, was_resumed, session = mqtt(device, context)
    again, resumed, session = mqtt(device, context, session)
    iot.update_certificate(certificateId=certificate, newStatus="INACTIVE")
    refused = until("a refusal", lambda: [code for code in [mqtt(device, context, session)] if code[0]])[0]
    iot.update_certificate(certificateId=certificate, newStatus="ACTIVE")

    assert (first, was_resumed) == (LET_IN, False)
    assert (again, resumed) == (LET_IN, True)
    assert refused[:2] == (NOT_AUTHORIZED, True)
    assert mqtt(device, context, session)[:2] == (LET_IN, True)


def https(device: Device, context: ssl.SSLContext, session: ssl.SSLSession | None) -> tuple[str, bool, ssl.SSLSession]:
    request = f"GET /things/lamp/shadow HTTP/1.1\r\nhost: {device.host}\r\nconnection: close\r\n\r\n"
    with dialled(device, device.https_port, context, session) as secure:
        secure.sendall(request.encode())
        status = secure.recv(4096).split(b" ")[1].decode()
        assert secure.session is not None
        return status, bool(secure.session_reused), secure.session


@pytest.mark.parametrize("version", VERSIONS)
def test_a_resumed_https_session_does_likewise(hedgerow_cloud: TestCloud, version: ssl.TLSVersion) -> None:
    may_ask = {"Effect": "Allow", "Action": "iot:GetThingShadow", "Resource": "*"}
    device = hedgerow_cloud.device("lamp", {"Version": "2012-10-17", "Statement": [may_ask]})
    context = device.tls()
    context.minimum_version = context.maximum_version = version
    iot, certificate = hedgerow_cloud.client("iot"), device.certificate_arn.rpartition("/")[2]

    first = https(device, context, None)
    again = https(device, context, first[2])
    iot.update_certificate(certificateId=certificate, newStatus="REVOKED")
    revoked = https(device, context, again[2])

    assert first[:2] == ("404", False)  # it may ask, but there is no shadow
    assert again[:2] == ("404", True)
    assert revoked[:2] == ("403", True)


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_openssl_resumes_with_its_own_files(device: Device, tmp_path: Path, version: str) -> None:
    place = ["-connect", f"127.0.0.1:{device.mqtt_port}", "-servername", device.host, "-CAfile", str(device.ca_file)]
    shown = ["-cert", str(device.certificate_file), "-key", str(device.key_file), "-ign_eof", version]
    command = ["openssl", "s_client", *place, *shown]

    def say(*more: str) -> bytes:
        done = subprocess.run(
            [*command, *more], input=CONNECT + DISCONNECT, check=False, capture_output=True, timeout=DEADLINE_S
        )
        return done.stdout

    first = say("-sess_out", str(tmp_path / "session"))
    second = say("-sess_in", str(tmp_path / "session"))

    assert b"\nNew, TLSv1" in first
    assert b"\nReused, TLSv1" in second
    assert CONNACK.search(second)
