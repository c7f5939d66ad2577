"""Clients without certificate and signature that mean no good, and authorizers that do: others do not notice."""

import contextlib
import io
import json
import socket
import ssl
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from hedgerow.core.mqtt import MQTT_3_1_1, Connect, encode
from hedgerow.testing import TestCloud
from tests.support.mqtt import connected
from tests.support.people import role, trust
from tests.support.waiting import until

pytestmark = [pytest.mark.slow]

NAME = "x-amz-customauthorizer-name"
HANDLER = """
import base64
import os
import time


def decide(event, context):
    secret = base64.b64decode(event["protocolData"]["mqtt"]["password"]).decode()
    if secret.startswith("hang"):
        time.sleep(50)
    if secret.startswith("raise"):
        raise ValueError(secret)
    if secret.startswith("exit"):
        os._exit(1)
    if secret.startswith("much"):
        return {"isAuthenticated": True, "principalId": "a", "policyDocuments": [secret * 300_000]}
    if secret.startswith("nonsense"):
        return [secret]
    statement = {"Effect": "Allow", "Action": "iot:*", "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    return {"isAuthenticated": True, "principalId": "a", "policyDocuments": [policy]}
"""


def door(cloud: TestCloud) -> None:
    trusted = trust({"Service": "lambda.amazonaws.com"})
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as package:
        package.writestr("m.py", HANDLER)
    made = cloud.client("lambda").create_function(
        FunctionName="decide",
        Code={"ZipFile": data.getvalue()},
        Runtime="python3.11",
        Handler="m.decide",
        Role=role(cloud, "f", trusted),
        Timeout=60,
    )
    arn = cloud.client("iot").create_authorizer(
        authorizerName="door", authorizerFunctionArn=made["FunctionArn"], signingDisabled=True
    )["authorizerArn"]
    cloud.client("lambda").add_permission(
        FunctionName="decide",
        StatementId="iot",
        Action="lambda:InvokeFunction",
        Principal="iot.amazonaws.com",
        SourceArn=arn,
    )


@contextmanager
def stranger(cloud: TestCloud, *alpn: str, port: str = "mqtt_port") -> Iterator[ssl.SSLSocket]:
    context = ssl.create_default_context(cafile=cloud.process.ready["ca_file"])
    context.check_hostname = False  # OpenSSL takes no *.localhost
    if alpn:
        context.set_alpn_protocols(list(alpn))
    with (
        socket.create_connection((cloud.host, cloud.process.ready[port]), timeout=20) as plain,
        context.wrap_socket(plain, server_hostname=f"{cloud.account}.{cloud.host}") as secured,
    ):
        yield secured


def say_hello(secured: ssl.SSLSocket, client_id: str, secret: str, username: str = f"ann?{NAME}=door") -> None:
    secured.sendall(encode(Connect(client_id, True, 60, username, secret.encode()), MQTT_3_1_1))


def answer(cloud: TestCloud, secret: str, username: str = f"ann?{NAME}=door") -> bytes:
    """What comes back before the end; MQTT 3.1.1 that is refused is closed without a word."""
    with stranger(cloud, "mqtt") as secured:
        say_hello(secured, f"stranger-{secret[:4]}", secret, username)
        with contextlib.suppress(ConnectionError):
            return secured.recv(100)
    return b""


def test_an_authorizer_that_goes_wrong_lets_nobody_in_and_harms_nobody(hedgerow_cloud: TestCloud) -> None:
    cloud, secret = hedgerow_cloud, "-opensesame"
    door(cloud)
    device = cloud.device("pump")
    bad = [f"{way}{secret}" for way in ("raise", "exit", "much", "nonsense")]
    usernames = ["?" * 60_000, f"?{NAME}=" + "%" * 60_000, f"?{NAME}=door{secret}\x7f", "&=&" * 20_000, f"?{NAME}=%00"]

    refused = [answer(cloud, word) for word in bad]
    malformed = [answer(cloud, secret, username) for username in usernames]
    let_in = answer(cloud, secret)
    with connected(device) as pump, contextlib.ExitStack() as storm:
        pump.subscribe("devices/pump/#")
        for number in range(40):
            say_hello(storm.enter_context(stranger(cloud, "mqtt")), f"c{number}", f"hang{secret}")
        took = []
        for number in range(100):
            began = time.monotonic()
            pump.publish("devices/pump/a", str(number))
            took.append(time.monotonic() - began)
        heard = pump.payloads(100)
        until("a function is given up", lambda: "took longer than 5 s" in cloud.process.log.read_text("utf-8"))

    assert (refused, malformed, let_in) == ([b""] * 4, [b""] * 5, b"\x20\x02\x00\x00")
    assert (len(heard), max(took) < 1.0) == (100, True)
    log = cloud.process.log.read_text("utf-8")
    for why in ("ValueError", "131072 bytes", "must answer isAuthenticated"):
        assert why in log
    assert secret not in log.replace(f"door{secret}", "")  # a name that a client made up is shown


def test_floods_of_headers_and_tokens_are_cut_short(hedgerow_cloud: TestCloud) -> None:
    cloud = hedgerow_cloud
    door(cloud)
    flood = b"POST /topics/a HTTP/1.1\r\nhost: localhost\r\n"
    requests = [
        flood + b"x-token: " + b"t" * 1_000_000 + b"\r\n\r\n",
        flood + b"".join(b"x-%d: a\r\n" % number for number in range(100_000)) + b"\r\n",
        b"POST /topics/a?token=" + b"t" * 1_000_000 + b" HTTP/1.1\r\nhost: localhost\r\n\r\n",
        flood.replace(b"POST /topics/a", b"GET /mqtt") + b"upgrade: websocket\r\n" + b"x: " + b"t" * 1_000_000,
    ]

    for request in requests:
        with stranger(cloud, port="https_port") as secured, contextlib.suppress(ConnectionError, ssl.SSLError):
            secured.sendall(request)
            assert not secured.recv(100).startswith(b"HTTP/1.1 2")

    long = encode(Connect("c", True, 60, f"?{NAME}=door", b"p" * 60_000), MQTT_3_1_1)
    with stranger(cloud, "mqtt") as secured, contextlib.suppress(ConnectionError, ssl.SSLError):
        secured.sendall(b"\x10\xff\xff\xff\x7f" + long * 20)  # a CONNECT of 256 MB begins
        assert secured.recv(100) == b""
    assert cloud.client("iot").describe_authorizer(authorizerName="door")["authorizerDescription"]
    assert json.dumps("t" * 1000) not in cloud.process.log.read_text("utf-8")
