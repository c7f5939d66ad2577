"""Domain configurations as devices meet them: certificate, TLS, protocol and status by the name they ask for."""

import contextlib
import io
import json
import socket
import ssl
import subprocess
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from botocore.exceptions import ClientError
from paho.mqtt.enums import CallbackAPIVersion

from hedgerow.testing import Device, TestCloud
from tests.support.mqtt import Connected
from tests.support.waiting import until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),  # paho leaves its socket open
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]
DEADLINE_S = 15
X509_MQTT = {"authenticationType": "AWS_X509", "applicationProtocol": "SECURE_MQTT"}


def named(cloud: TestCloud, name: str = "fleet") -> str:
    """A host name that no other test has."""
    return f"{name}.a{cloud.account}.example"


def create(cloud: TestCloud, name: str = "fleet", **more: Any) -> str:
    cloud.client("iot").create_domain_configuration(domainConfigurationName=name, domainName=named(cloud, name), **more)
    return named(cloud, name)


def disable(cloud: TestCloud, name: str = "fleet") -> None:
    cloud.client("iot").update_domain_configuration(domainConfigurationName=name, domainConfigurationStatus="DISABLED")


class Asking(ssl.SSLContext):
    """Asks for a name, whatever address is connected to, and checks that the server proves it."""

    def __new__(cls, device: Device, name: str) -> "Asking":
        return super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)

    def __init__(self, device: Device, name: str) -> None:
        self._name = name
        self.load_verify_locations(device.ca_file)
        self.load_cert_chain(device.certificate_file, device.key_file)

    def wrap_socket(self, sock: Any, *_: Any, **options: Any) -> ssl.SSLSocket:
        return super().wrap_socket(sock, **{**options, "server_hostname": self._name})


class Attempted(Connected):
    """A connection that may be refused."""

    def __init__(self, client: paho.Client) -> None:
        super().__init__(client)
        self.said: list[int] = []

    def _on_connect(self, client: Any, data: Any, flags: Any, reason: Any, properties: Any) -> None:
        self.said.append(reason.value)
        super()._on_connect(client, data, flags, reason, properties)


@contextmanager
def dialling(device: Device, name: str, port: int) -> Iterator[Attempted]:
    client = paho.Client(
        CallbackAPIVersion.VERSION2, client_id=device.name, protocol=paho.MQTTv5, reconnect_on_failure=False
    )
    client.tls_set_context(Asking(device, name))
    connection = Attempted(client)
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        until("an answer to CONNECT", lambda: connection.said or connection.ended)
        yield connection
    finally:
        client.disconnect()
        client.loop_stop()


def answer(device: Device, name: str, port: int | None = None) -> int:
    with dialling(device, name, port or device.mqtt_port) as connection:
        return connection.said[0]


def test_a_device_connects_by_the_name_of_its_fleet(hedgerow_cloud: TestCloud) -> None:
    device = hedgerow_cloud.device("lamp")
    name = create(hedgerow_cloud)

    with dialling(device, name, device.mqtt_port) as connection:
        assert connection.said == [0]
        connection.publish("devices/lamp/hello", "hi")
    place = ["-connect", f"127.0.0.1:{device.mqtt_port}", "-servername", name, "-CAfile", str(device.ca_file)]
    command = ["openssl", "s_client", *place, "-verify_hostname", name, "-verify_return_error"]
    shown = subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=DEADLINE_S, stdin=subprocess.DEVNULL
    )

    assert "Verify return code: 0 (ok)" in shown.stdout
    assert f"CN = {name}" in shown.stdout or f"CN={name}" in shown.stdout


def test_another_accounts_device_has_no_business_there(hedgerow_cloud: TestCloud, tmp_path: Path) -> None:
    name = create(hedgerow_cloud)
    folder = tmp_path / "theirs"
    folder.mkdir()
    stranger = hedgerow_cloud.process.new_account(folder)

    assert answer(hedgerow_cloud.device("lamp"), name) == 0
    assert answer(stranger.device("lamp"), name) == 0x87
    with pytest.raises(ClientError, match="used by another domain configuration"):
        stranger.client("iot").create_domain_configuration(domainConfigurationName="mine", domainName=name)
    with pytest.raises(ClientError, match="not found"):
        stranger.client("iot").describe_domain_configuration(domainConfigurationName="fleet")


def handshake(device: Device, name: str, **bounds: ssl.TLSVersion) -> str | None:
    context = Asking(device, name)
    for bound, version in bounds.items():
        setattr(context, bound, version)
    with socket.create_connection(("127.0.0.1", device.mqtt_port), DEADLINE_S) as raw, context.wrap_socket(raw) as tls:
        return tls.version()


def test_a_security_policy_counts_from_the_next_handshake_on(hedgerow_cloud: TestCloud) -> None:
    device = hedgerow_cloud.device("lamp")
    name = create(hedgerow_cloud, tlsConfig={"securityPolicy": "IoTSecurityPolicy_TLS13_1_3_2022_10"})

    with pytest.raises(ssl.SSLError, match=r"(?i)protocol.version"):
        handshake(device, name, maximum_version=ssl.TLSVersion.TLSv1_2)
    hedgerow_cloud.client("iot").update_domain_configuration(
        domainConfigurationName="fleet", tlsConfig={"securityPolicy": "IoTSecurityPolicy_TLS12_1_2_2022_10"}
    )

    assert handshake(device, name) == "TLSv1.2"
    assert handshake(device, device.host) == "TLSv1.3"


def test_a_protocol_of_its_own_needs_no_alpn(hedgerow_cloud: TestCloud) -> None:
    device = hedgerow_cloud.device("lamp")
    name = create(hedgerow_cloud, **X509_MQTT)
    assert device.alpn_port is not None

    assert answer(device, name, device.alpn_port) == 0
    with pytest.raises((ssl.SSLError, ConnectionError)):
        answer(device, name, device.https_port)


def test_a_signed_request_is_not_for_a_name_of_certificates(hedgerow_cloud: TestCloud) -> None:
    device = hedgerow_cloud.device("lamp", {"Version": "2012-10-17", "Statement": [ALLOW_SHADOW]})
    name = create(hedgerow_cloud, authenticationType="AWS_X509", applicationProtocol="HTTPS")
    signed = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=A%2F20260101%2Fr%2Fiotdata%2Faws4_request"
    signed += "&X-Amz-Date=20260101T000000Z&X-Amz-SignedHeaders=host&X-Amz-Signature=0"

    def status(path: str) -> str:
        with (
            socket.create_connection(("127.0.0.1", device.https_port), DEADLINE_S) as raw,
            Asking(device, name).wrap_socket(raw) as tls,
        ):
            tls.sendall(f"GET {path} HTTP/1.1\r\nhost: {name}\r\nconnection: close\r\n\r\n".encode())
            return b"".join(iter(lambda: tls.recv(4096), b"")).decode()

    assert status("/things/lamp/shadow").startswith("HTTP/1.1 404")  # it may ask, and there is none
    refused = status(f"/things/lamp/shadow?{signed}")
    assert refused.startswith("HTTP/1.1 403")
    assert "Signed requests are not served here" in refused


ALLOW_SHADOW = {"Effect": "Allow", "Action": "iot:GetThingShadow", "Resource": "*"}


def test_disabling_it_cuts_who_came_by_it_and_keeps_everyone_out(hedgerow_cloud: TestCloud) -> None:
    device, other = hedgerow_cloud.device("lamp"), hedgerow_cloud.device("pump")
    name, iot = create(hedgerow_cloud), hedgerow_cloud.client("iot")
    with pytest.raises(ClientError, match="must be DISABLED"):
        iot.delete_domain_configuration(domainConfigurationName="fleet")

    with (
        dialling(device, name, device.mqtt_port) as by_it,
        dialling(other, other.host, other.mqtt_port) as elsewhere,
    ):
        disable(hedgerow_cloud)
        until("the end of the connection", lambda: by_it.ended)
        assert not elsewhere.ended
    with pytest.raises(ssl.SSLError, match=r"(?i)unrecognized.name"):
        answer(device, name)
    iot.update_domain_configuration(domainConfigurationName="fleet", domainConfigurationStatus="ENABLED")
    assert answer(device, name) == 0
    disable(hedgerow_cloud)
    iot.delete_domain_configuration(domainConfigurationName="fleet")

    with pytest.raises(ClientError, match="not found"):
        iot.describe_domain_configuration(domainConfigurationName="fleet")
    with contextlib.suppress(ssl.SSLCertVerificationError):  # the cloud's own certificate, for other names
        answer(device, name)
        pytest.fail("the name is still served")


def test_it_has_tags(hedgerow_cloud: TestCloud) -> None:
    iot = hedgerow_cloud.client("iot")
    create(hedgerow_cloud, tags=[{"Key": "site", "Value": "north"}])
    arn = iot.describe_domain_configuration(domainConfigurationName="fleet")["domainConfigurationArn"]

    assert iot.list_tags_for_resource(resourceArn=arn)["tags"] == [{"Key": "site", "Value": "north"}]


LOOK = """
def look(event, context):
    shown = "BEGIN CERTIFICATE" in event["clientCertificateChain"][0]
    return {"isAuthenticated": shown and event["principalId"] in GOOD}
"""


def looking(cloud: TestCloud, *certificate_ids: str) -> str:
    """Make a function that knows these certificates; answer its ARN."""
    iam, functions = cloud.client("iam"), cloud.client("lambda")
    trusted = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = iam.create_role(RoleName="look", AssumeRolePolicyDocument=json.dumps({"Statement": [trusted]}))["Role"]
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as package:
        package.writestr("m.py", f"GOOD = {certificate_ids!r}\n{LOOK}")
    made = functions.create_function(
        FunctionName="look", Code={"ZipFile": data.getvalue()}, Runtime="python3.11", Handler="m.look", Role=role["Arn"]
    )
    return str(made["FunctionArn"])


def test_a_function_of_the_accounts_looks_at_certificates_first(hedgerow_cloud: TestCloud) -> None:
    good, bad = (hedgerow_cloud.device(name) for name in ("good", "bad"))
    function = looking(hedgerow_cloud, good.certificate_arn.rpartition("/")[2])
    by_function = {"clientCertificateConfig": {"clientCertificateCallbackArn": function}}
    mqtt = create(hedgerow_cloud, "mqtt", **X509_MQTT, **by_function)
    https = create(hedgerow_cloud, "https", authenticationType="AWS_X509", applicationProtocol="HTTPS", **by_function)

    def status(device: Device) -> bytes:
        with (
            socket.create_connection(("127.0.0.1", device.https_port), DEADLINE_S) as raw,
            Asking(device, https).wrap_socket(raw) as tls,
            contextlib.suppress(ConnectionError, ssl.SSLError),
        ):
            tls.sendall(f"GET /_health HTTP/1.1\r\nhost: {https}\r\nconnection: close\r\n\r\n".encode())
            return tls.recv(12)
        return b""

    assert answer(good, mqtt) == 0x87  # nobody let AWS IoT invoke the function yet
    hedgerow_cloud.client("lambda").add_permission(
        FunctionName="look", StatementId="iot", Action="lambda:InvokeFunction", Principal="iot.amazonaws.com"
    )
    assert (answer(good, mqtt), answer(bad, mqtt)) == (0, 0x87)
    assert (status(good), status(bad)) == (b"HTTP/1.1 200", b"")
    assert answer(bad, bad.host) == 0  # at the cloud's own name nobody looks
