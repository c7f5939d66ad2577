"""One port for every protocol, told apart by ALPN, as AWS's 443: with the clients that people have."""

import json
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

import paho.mqtt.client as paho
import pytest
from awscrt import io, mqtt
from paho.mqtt.enums import CallbackAPIVersion

from hedgerow.cli.cloud import environment_lines
from hedgerow.core.wire import HttpRequest, sigv4
from hedgerow.testing import Device, TestCloud
from tests.support.mqtt import Connected, connected
from tests.support.people import allow
from tests.support.waiting import until

pytestmark = [pytest.mark.slow]
DEADLINE_S = 20


@pytest.fixture
def device(hedgerow_cloud: TestCloud) -> Device:
    own = f"arn:aws:iot:{hedgerow_cloud.region}:{hedgerow_cloud.account}:"
    resources = [own + "client/lamp", own + "topic/devices/lamp/*", own + "topicfilter/devices/lamp/*"]
    return hedgerow_cloud.device("lamp", {"Version": "2012-10-17", "Statement": [allow("iot:*", resources)]})


def port(device: Device) -> int:
    assert device.alpn_port is not None
    return device.alpn_port


def run(*command: object) -> subprocess.CompletedProcess[str]:
    words = [str(word) for word in command]
    return subprocess.run(
        words, check=False, capture_output=True, text=True, timeout=DEADLINE_S, stdin=subprocess.DEVNULL
    )


def certificate(device: Device) -> list[object]:
    return ["--cert", device.certificate_file, "--key", device.key_file]


@pytest.mark.spec("DR-23")
@pytest.mark.skipif(shutil.which("mosquitto_pub") is None, reason="needs Debian's mosquitto-clients")
def test_mosquitto_connects_with_its_certificate(device: Device) -> None:
    command = ["mosquitto_pub", "--cafile", device.ca_file, *certificate(device), "-h", device.host, "-i", device.name]
    say = ["-t", "devices/lamp/hello", "-m", "hi", "-q", "1"]

    with connected(device, client_id="lamp") as listening:  # its own port; taken over by mosquitto below
        assert listening.subscribe("devices/lamp/#") == [1]
    by_alpn = run(*command, "-p", port(device), "--tls-alpn", "x-amzn-mqtt-ca", *say)
    on_8883 = run(*command, "-p", device.mqtt_port, "--tls-alpn", "x-amzn-mqtt-ca", *say)

    assert (by_alpn.returncode, by_alpn.stderr) == (0, "")
    assert (on_8883.returncode, on_8883.stderr) == (0, "")


def test_paho_connects_with_its_certificate(device: Device) -> None:
    context = device.tls()
    context.set_alpn_protocols(["x-amzn-mqtt-ca"])
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=device.name)
    client.tls_set_context(context)
    connection = Connected(client)
    client.connect(device.host, port(device))
    client.loop_start()
    try:
        connection.wait_connected()
        connection.subscribe("devices/lamp/#")
        connection.publish("devices/lamp/hello", "hi")

        assert connection.payloads(1) == [b"hi"]
    finally:
        client.disconnect()
        client.loop_stop()


def test_the_device_sdk_connects_as_it_does_to_aws(device: Device) -> None:
    """The builder of the SDK sends this name on port 443 alone, so its parts are put together here."""
    got: Future[bytes] = Future()
    options = io.TlsContextOptions.create_client_with_mtls_from_path(str(device.certificate_file), str(device.key_file))
    options.override_default_trust_store_from_path(None, str(device.ca_file))
    options.alpn_list = ["x-amzn-mqtt-ca"]
    client = mqtt.Client(io.ClientBootstrap.get_or_create_static_default(), io.ClientTlsContext(options))
    connection = mqtt.Connection(
        client, host_name=device.host, port=port(device), client_id=device.name, clean_session=True
    )

    connection.connect().result(DEADLINE_S)
    subscribed, _ = connection.subscribe(
        topic="devices/lamp/hello",
        qos=mqtt.QoS.AT_LEAST_ONCE,
        callback=lambda topic, payload, **_: got.set_result(payload),
    )
    subscribed.result(DEADLINE_S)
    connection.publish(topic="devices/lamp/hello", payload=b"hi", qos=mqtt.QoS.AT_LEAST_ONCE)[0].result(DEADLINE_S)

    assert got.result(DEADLINE_S) == b"hi"
    connection.disconnect().result(DEADLINE_S)


def acknowledged(device: Device, at: int, offered: Sequence[str], *, shown: bool = False) -> tuple[str, bool]:
    """Ask `openssl s_client` what the server takes, and whether it asks for a client certificate."""
    more = ["-cert", device.certificate_file, "-key", device.key_file] if shown else []
    names = ["-alpn", ",".join(offered)] if offered else []
    said = run("openssl", "s_client", "-connect", f"127.0.0.1:{at}", "-servername", device.host, "-CAfile",
               device.ca_file, "-verify_return_error", *names, *more).stdout  # fmt: skip
    chosen = next((line for line in said.splitlines() if "ALPN protocol" in line), "")
    return chosen.partition(": ")[2], "Acceptable client certificate CA names" in said or "Requested Signature" in said


def test_openssl_sees_the_names_that_are_taken_and_who_is_asked_for_a_certificate(device: Device) -> None:
    at = port(device)

    assert acknowledged(device, at, ["x-amzn-mqtt-ca"]) == ("x-amzn-mqtt-ca", True)
    assert acknowledged(device, at, ["mqtt"]) == ("mqtt", False)
    assert acknowledged(device, at, ["x-amzn-http-ca"]) == ("x-amzn-http-ca", True)
    assert acknowledged(device, at, ["h2", "http/1.1"]) == ("http/1.1", True)
    assert acknowledged(device, at, ["h2"])[0] == ""
    assert acknowledged(device, device.https_port, ["x-amzn-http-ca"])[0] == "x-amzn-http-ca"
    assert acknowledged(device, device.mqtt_port, ["x-amzn-mqtt-ca"])[0] == "x-amzn-mqtt-ca"


@pytest.mark.spec("DR-23")
def test_curl_publishes_with_a_certificate_and_reads_health_without(device: Device) -> None:
    url = f"https://{device.host}:{port(device)}"
    curl = ["curl", "-sS", "--cacert", device.ca_file, "-w", "%{http_code}", "-o", "/dev/null"]

    health = run(*curl, f"{url}/_health")
    published = run(*curl, *certificate(device), "-d", "hi", f"{url}/topics/devices/lamp/hello?qos=1")
    refused = run(*curl, *certificate(device), "-d", "hi", f"{url}/topics/elsewhere?qos=1")

    assert (health.stdout, published.stdout, refused.stdout) == ("200", "200", "403")


def https(device: Device, context: ssl.SSLContext, request: str) -> str:
    """Say one HTTP request and answer the status line."""
    with (
        socket.create_connection(("127.0.0.1", port(device)), DEADLINE_S) as raw,
        context.wrap_socket(raw, server_hostname=device.host) as secure,
    ):
        secure.sendall(request.encode())
        return secure.recv(4096).partition(b"\r\n")[0].decode()


def test_a_name_for_certificates_takes_no_signature(hedgerow_cloud: TestCloud, device: Device) -> None:
    ready = hedgerow_cloud.process.ready
    query = sigv4.presign(
        HttpRequest("GET", "/retainedMessage", "", {"host": device.host}),
        access_key_id=ready["access_key_id"],
        secret=ready["secret_access_key"],
        token=None,
        region=hedgerow_cloud.region,
        service="iotdata",
        now=time.time(),
        expires_s=60,
    )
    request = f"GET /retainedMessage?{query} HTTP/1.1\r\nhost: {device.host}\r\nconnection: close\r\n\r\n"
    plain, for_certificates = (ssl.create_default_context(cafile=str(device.ca_file)) for _ in range(2))
    for_certificates.set_alpn_protocols(["x-amzn-http-ca"])

    assert https(device, plain, request) == "HTTP/1.1 200 OK"
    assert https(device, for_certificates, request).startswith("HTTP/1.1 403")


def test_a_signed_websocket_comes_in_by_the_same_port(hedgerow_cloud: TestCloud, device: Device) -> None:
    ready, host = hedgerow_cloud.process.ready, device.host
    query = sigv4.presign(
        HttpRequest("GET", "/mqtt", "", {"host": host}),
        access_key_id=ready["access_key_id"],
        secret=ready["secret_access_key"],
        token=None,
        region=hedgerow_cloud.region,
        service="iotdevicegateway",
        now=time.time(),
        expires_s=60,
    )
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="browser", transport="websockets")
    client.tls_set(ready["ca_file"])
    client.ws_set_options(path=f"/mqtt?{query}")
    connection = Connected(client)
    client.connect(host, port(device))
    client.loop_start()
    try:
        connection.wait_connected()
    finally:
        client.disconnect()
        client.loop_stop()


def refusal(device: Device, *alpn: str, shown: bool) -> Any:
    """Connect by MQTT 5 and answer the reason code of the CONNACK."""
    context = device.tls() if shown else ssl.create_default_context(cafile=str(device.ca_file))
    context.set_alpn_protocols(list(alpn))
    said: list[Any] = []
    client = paho.Client(
        CallbackAPIVersion.VERSION2, client_id=device.name, protocol=paho.MQTTv5, reconnect_on_failure=False
    )
    client.tls_set_context(context)
    client.on_connect = lambda _c, _d, _f, reason, _p: said.append(reason.value)
    client.connect(device.host, port(device))
    client.loop_start()
    try:
        return until("an answer to CONNECT", lambda: said)[0]
    finally:
        client.disconnect()
        client.loop_stop()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # paho leaves its socket open
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_a_certificate_is_neither_replaced_nor_enough_by_the_wrong_name(
    hedgerow_cloud: TestCloud, device: Device
) -> None:
    assert refusal(device, "x-amzn-mqtt-ca", shown=True) == 0
    assert refusal(device, "x-amzn-mqtt-ca", shown=False) == 0x87
    assert refusal(device, "mqtt", shown=True) == 0x87  # it is not asked for, so it is not shown


def test_a_client_that_says_nothing_keeps_nobody_out(device: Device) -> None:
    silent = [socket.create_connection(("127.0.0.1", port(device)), DEADLINE_S) for _ in range(40)]
    try:
        for one in silent[::2]:
            one.sendall(b"\x16\x03\x01\x02\x00\x01")  # half of a ClientHello

        context = ssl.create_default_context(cafile=str(device.ca_file))
        request = f"GET /_health HTTP/1.1\r\nhost: {device.host}\r\n\r\n"
        assert https(device, context, request) == "HTTP/1.1 200 OK"
    finally:
        for one in silent:
            one.close()


def test_what_is_no_tls_is_cut(device: Device) -> None:
    with socket.create_connection(("127.0.0.1", port(device)), DEADLINE_S) as raw:
        raw.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")

        assert b"HTTP" not in raw.recv(4096)


def test_the_port_is_said_to_tools(hedgerow_cloud: TestCloud) -> None:
    ready = hedgerow_cloud.process.ready
    lines = environment_lines(ready)

    assert f"export HEDGEROW_ALPN_PORT={ready['alpn_port']}" in lines
    assert "HEDGEROW_ALPN_PORT" in environment_lines(ready | {"alpn_port": None})[-1]
    assert json.loads((hedgerow_cloud.process.data / "ready.json").read_text())["alpn_port"] == ready["alpn_port"]
