"""Custom authorizers as a whole: a function that really runs lets clients of stock tools in, and keeps others out."""

import base64
import io
import json
import shutil
import ssl
import subprocess
import zipfile
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import paho.mqtt.client as paho
import pytest
from awscrt import mqtt5
from awsiot import mqtt5_client_builder
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from paho.mqtt.enums import CallbackAPIVersion

from hedgerow.testing import TestCloud
from tests.support.mqtt import Connected, connected
from tests.support.waiting import until
from tests.system.test_domains import answer, create, dialling

pytestmark = [pytest.mark.slow]

HANDLER = """
import json


def decide(event, context):
    data = event["protocolData"]
    mqtt, http = data.get("mqtt", {}), data.get("http", {})
    allowed = [
        {"Effect": "Allow", "Action": "iot:Connect", "Resource": "*:client/${iot:ClientId}"},
        {"Effect": "Allow", "Action": ["iot:Publish", "iot:Receive"], "Resource": "*:topic/${iot:ClientId}/*"},
        {"Effect": "Allow", "Action": "iot:Subscribe", "Resource": "*:topicfilter/${iot:ClientId}/*"},
    ]
    if not mqtt:
        allowed = [{"Effect": "Allow", "Action": "iot:Publish", "Resource": "*:topic/by/http"}]
    passwords = mqtt.get("password"), http.get("headers", {}).get("x-secret"), event.get("token")
    wanted = "b3BlbiBzZXNhbWU=", "open sesame", "open-sesame"
    tls = data.get("tls", {})
    certified = "BEGIN CERTIFICATE" in tls.get("x509CertificatePem", "")
    return {
        "isAuthenticated": certified or any(given == known for given, known in zip(passwords, wanted)),
        "principalId": tls.get("principalId", "somebody"),
        "policyDocuments": [{"Version": "2012-10-17", "Statement": allowed}],
        "disconnectAfterInSeconds": 300,
        "refreshAfterInSeconds": 300,
    }
"""
EVERYTHING = {"Effect": "Allow", "Action": "iot:*", "Resource": "*"}
NAME = "x-amz-customauthorizer-name"


def function(cloud: TestCloud, name: str = "decide") -> str:
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = cloud.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({"Statement": [trust]}))
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as package:
        package.writestr("m.py", HANDLER)
    options = {"Runtime": "python3.11", "Handler": "m.decide", "Role": role["Role"]["Arn"]}
    made = cloud.client("lambda").create_function(FunctionName=name, Code={"ZipFile": data.getvalue()}, **options)
    return str(made["FunctionArn"])


def authorizer(cloud: TestCloud, name: str = "door", *, permitted: bool = True, **more: Any) -> None:
    more = more or {"signingDisabled": True}
    made = cloud.client("iot").create_authorizer(
        authorizerName=name, authorizerFunctionArn=function(cloud, f"decides-{name}"), **more
    )
    if permitted:
        permit(cloud, name, made["authorizerArn"])


def permit(cloud: TestCloud, name: str, arn: str) -> None:
    cloud.client("lambda").add_permission(
        FunctionName=f"decides-{name}",
        StatementId="iot",
        Action="lambda:InvokeFunction",
        Principal="iot.amazonaws.com",
        SourceArn=arn,
    )


class Named(ssl.SSLContext):
    """Says the account in the server name, whatever address is connected to."""

    def __new__(cls, cloud: TestCloud, name: str | None = None) -> "Named":
        return super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)

    def __init__(self, cloud: TestCloud, name: str | None = None) -> None:
        self._name = name or f"{cloud.account}.{cloud.host}"
        self.check_hostname = False  # OpenSSL takes no *.localhost
        self.load_verify_locations(cloud.process.ready["ca_file"])

    def wrap_socket(self, sock: Any, *_: Any, **options: Any) -> ssl.SSLSocket:
        return super().wrap_socket(sock, **{**options, "server_hostname": self._name})


class Attempted(Connected):
    """A connection that may be refused."""

    def __init__(self, client: paho.Client) -> None:
        super().__init__(client)
        self.said: list[str] = []

    def _on_connect(self, client: Any, data: Any, flags: Any, reason: Any, properties: Any) -> None:
        self.said.append(reason.getName())
        super()._on_connect(client, data, flags, reason, properties)


@contextmanager
def by_websocket(
    cloud: TestCloud,
    client_id: str = "lamp",
    *,
    headers: Mapping[str, str] | None = None,
    query: str = "",
    username: str = "lamp",
    password: str | None = None,
) -> Iterator[Attempted]:
    """Connect with MQTT 5 over a WebSocket that nothing was signed for."""
    client = paho.Client(
        CallbackAPIVersion.VERSION2,
        client_id=client_id,
        transport="websockets",
        protocol=paho.MQTTv5,
        reconnect_on_failure=False,
    )
    client.tls_set_context(Named(cloud))
    client.ws_set_options(path=f"/mqtt{query}", headers=None if headers is None else dict(headers))
    client.username_pw_set(username, password)
    connection = Attempted(client)
    client.connect(cloud.host, cloud.process.ready["https_port"], keepalive=60)
    client.loop_start()
    try:
        until("an answer to CONNECT", lambda: connection.said)
        yield connection
    finally:
        client.disconnect()
        client.loop_stop()


@pytest.mark.spec("JB-35")
def test_a_function_lets_clients_in_by_websocket_with_what_it_grants(hedgerow_cloud: TestCloud) -> None:
    cloud = hedgerow_cloud
    authorizer(cloud)
    iot = cloud.client("iot")

    with by_websocket(cloud, username=f"lamp?SDK=PythonV2&{NAME}=door", password="open sesame") as lamp:
        granted = lamp.subscribe("lamp/#"), lamp.subscribe("other/#")
        lamp.publish("lamp/a", "1")
        heard = lamp.payloads(1)
    with by_websocket(cloud, headers={NAME: "door", "X-Secret": "open sesame"}) as by_header:
        pass
    with by_websocket(cloud, query=f"?{NAME}=door", password="open sesame") as by_query:
        pass
    with by_websocket(cloud, query=f"?{NAME}=door", password="open") as wrong:
        pass
    with by_websocket(cloud, password="open sesame") as unnamed:
        pass
    iot.set_default_authorizer(authorizerName="door")
    with by_websocket(cloud, password="open sesame") as by_default:
        pass
    iot.update_authorizer(authorizerName="door", status="INACTIVE")
    iot.create_authorizer(  # so that upgrades are let through to CONNECT at all
        authorizerName="other", authorizerFunctionArn=f"{function_arn(cloud)}", signingDisabled=True
    )
    with by_websocket(cloud, password="open sesame") as closed:
        pass

    assert (granted, heard) == (([1], [135]), [b"1"])
    said = [each.said for each in (lamp, by_header, by_query, wrong, unnamed, by_default, closed)]
    yes, no = ["Success"], ["Not authorized"]
    assert said == [yes, yes, yes, no, no, yes, no]
    log = cloud.process.log.read_text("utf-8")
    assert "the function of authorizer door does not let it in" in log
    assert "authorizer door is INACTIVE" in log
    assert "open sesame" not in log


def function_arn(cloud: TestCloud) -> str:
    return f"arn:aws:lambda:{cloud.region}:{cloud.account}:function:decides-door"


def test_a_token_must_be_signed_before_the_function_is_asked(hedgerow_cloud: TestCloud) -> None:
    cloud, key = hedgerow_cloud, rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    public = key.public_key().public_bytes(*form).decode("ascii")
    authorizer(cloud, tokenKeyName="Ticket", tokenSigningPublicKeys={"one": public})
    signature = base64.b64encode(key.sign(b"open-sesame", padding.PKCS1v15(), hashes.SHA256())).decode()
    signed = "x-amz-customauthorizer-signature"

    with by_websocket(cloud, headers={NAME: "door", "ticket": "open-sesame", signed: signature}) as by_header:
        pass
    name = f"?{NAME}=door&Ticket=open-sesame&{signed}="
    with by_websocket(cloud, username=name + quote(signature, safe="")) as quoted:
        pass
    with by_websocket(cloud, username=name + signature) as plain:
        pass
    with by_websocket(cloud, username=name.replace("sesame", "door") + signature) as wrong:
        pass
    with by_websocket(cloud, username=f"?{NAME}=door&Ticket=open-sesame") as unsigned:
        pass

    assert [each.said for each in (by_header, quoted, plain)] == [["Success"]] * 3
    assert [each.said for each in (wrong, unsigned)] == [["Not authorized"]] * 2
    log = cloud.process.log.read_text("utf-8")
    assert "the signature is not one of the token by a key of authorizer door" in log
    assert signature not in log


@pytest.mark.spec("JB-35")
def test_a_function_lets_http_publish_what_it_grants(hedgerow_cloud: TestCloud) -> None:
    cloud = hedgerow_cloud
    device = cloud.device("lamp", {"Version": "2012-10-17", "Statement": [EVERYTHING]})
    unsigned = post(cloud, "/topics/by/http", "a", "X-Secret: open sesame")
    authorizer(cloud)
    cloud.client("iot").update_authorizer(authorizerName="door", enableCachingForHttp=True)
    named = f"{NAME}: door"

    with connected(device) as listening:
        listening.subscribe("by/#")
        answers = [
            post(cloud, "/topics/by/http?qos=1", "b", named, "X-Secret: open sesame"),
            post(cloud, "/topics/by%2Fhttp?qos=1", "c", named, "X-Secret: open sesame"),
            post(cloud, f"/topics/by/http?qos=1&{NAME}=door", "d", "x-secret: open sesame"),
            post(cloud, "/topics/by/others", "e", named, "X-Secret: open sesame"),
            post(cloud, "/topics/by/http", "f", named, "X-Secret: shut sesame"),
            post(cloud, "/topics/by/http", "g", "X-Secret: open sesame"),
        ]
        heard = listening.payloads(3)
    shadow = post(cloud, "/things/lamp/shadow", "{}", named, "X-Secret: open sesame")

    assert (unsigned, answers) == ("403", ["200", "200", "200", "403", "401", "401"])
    assert heard == [b"b", b"c", b"d"]
    assert shadow == "403"


def post(cloud: TestCloud, path: str, body: str, *headers: str) -> str:
    """Answer the status that curl saw."""
    ready, name = cloud.process.ready, f"{cloud.account}.{cloud.host}"
    port = ready["https_port"]
    command = ["curl", "-sk", "-o", "/dev/null", "-w", "%{http_code}"]
    command += ["--connect-to", f"{name}:{port}:localhost:{port}"]
    command += [part for header in headers for part in ("-H", header)]
    done = subprocess.run(
        [*command, "--data-binary", body, f"https://{name}:{port}{path}"],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    return done.stdout


@pytest.mark.skipif(shutil.which("mosquitto_pub") is None, reason="needs Debian's mosquitto-clients")
def test_without_the_functions_permission_nobody_comes_in(hedgerow_cloud: TestCloud) -> None:
    cloud = hedgerow_cloud
    authorizer(cloud, permitted=False)
    asked = {"authorizerName": "door", "mqttContext": {"clientId": "lamp", "password": b"open sesame"}}

    with pytest.raises(ClientError, match="AddPermission"):
        cloud.client("iot").test_invoke_authorizer(**asked)
    with by_websocket(cloud, query=f"?{NAME}=door", password="open sesame") as refused:
        pass
    iot = cloud.client("iot")
    permit(cloud, "door", iot.describe_authorizer(authorizerName="door")["authorizerDescription"]["authorizerArn"])
    with by_websocket(cloud, query=f"?{NAME}=door", password="open sesame") as let_in:
        pass
    tested = cloud.client("iot").test_invoke_authorizer(**asked)

    assert (refused.said, let_in.said) == (["Not authorized"], ["Success"])
    assert (tested["isAuthenticated"], tested["principalId"]) == (True, "somebody")
    assert connects_without_certificate(cloud) != 0  # not on 8883


def connects_without_certificate(cloud: TestCloud) -> int:
    return mosquitto(cloud, cloud.process.ready["mqtt_port"], f"lamp?{NAME}=door", "open sesame").returncode


def mosquitto(
    cloud: TestCloud, port: int, username: str, password: str, *more: str
) -> subprocess.CompletedProcess[str]:
    where = ["--cafile", cloud.process.ready["ca_file"], "-h", cloud.host, "-p", str(port)]
    command = ["mosquitto_pub", *where, "-i", "lamp", "-u", username, "-P", password, "-t", "lamp/a", "-m", "x", *more]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)


def by_alpn(
    cloud: TestCloud, port: str, password: str, *, username: str = f"lamp?{NAME}=door", name: str | None = None
) -> list[str]:
    """Connect with MQTT 5 and the name that AWS has for clients of custom authorizers; answer what was said."""
    client = paho.Client(
        CallbackAPIVersion.VERSION2, client_id="lamp", protocol=paho.MQTTv5, reconnect_on_failure=False
    )
    context = Named(cloud, name)
    context.set_alpn_protocols(["mqtt"])
    client.tls_set_context(context)
    client.username_pw_set(username, password)
    connection = Attempted(client)
    client.connect(cloud.host, cloud.process.ready[port], keepalive=60)
    client.loop_start()
    try:
        return until("an answer to CONNECT", lambda: connection.said)
    finally:
        client.disconnect()
        client.loop_stop()


def test_an_authorizer_is_asked_beside_a_certificate_where_the_name_says_so(hedgerow_cloud: TestCloud) -> None:
    cloud = hedgerow_cloud
    authorizer(cloud)
    device = cloud.device("lamp")
    kind = {"authenticationType": "CUSTOM_AUTH_X509", "applicationProtocol": "SECURE_MQTT"}
    name = create(cloud, **kind, authorizerConfig={"defaultAuthorizerName": "door", "allowAuthorizerOverride": False})

    with dialling(device, name, device.mqtt_port) as both:
        granted = both.subscribe("lamp/#"), both.subscribe("devices/lamp/#"), both.subscribe("other/#")
    cloud.client("iot").update_authorizer(authorizerName="door", status="INACTIVE")

    assert (both.said, granted) == ([0], ([1], [1], [135]))
    assert answer(device, name) == 135


@pytest.mark.skipif(shutil.which("mosquitto_pub") is None, reason="needs Debian's mosquitto-clients")
@pytest.mark.parametrize("port", ["alpn_port", "mqtt_port"])
def test_mosquitto_comes_in_by_the_alpn_name_mqtt_without_a_certificate(
    hedgerow_cloud: TestCloud, tmp_path: Path, port: str
) -> None:
    first = first_account(hedgerow_cloud, tmp_path)
    ready = first.process.ready
    authorizer(first, port)
    user = f"?{NAME}={port}"
    by_name = "--tls-alpn", "mqtt", "-q", "1"

    right = mosquitto(first, ready[port], user, "open sesame", *by_name)
    wrong = mosquitto(first, ready[port], user, "shut sesame", *by_name)
    unnamed = mosquitto(first, ready[port], "lamp", "open sesame", *by_name)
    elsewhere = mosquitto(first, ready[port], user, "open sesame", *by_name, "-t", "other/a", "-V", "5")

    assert (right.returncode, right.stderr) == (0, "")
    assert [each.returncode != 0 for each in (wrong, unnamed)] == [True, True]
    assert "Not authorized" in elsewhere.stdout + elsewhere.stderr


def test_a_domain_configuration_says_which_authorizer_is_asked(hedgerow_cloud: TestCloud) -> None:
    authorizer(hedgerow_cloud)
    name = f"fleet.a{hedgerow_cloud.account}.example"
    hedgerow_cloud.client("iot").create_domain_configuration(
        domainConfigurationName="fleet",
        domainName=name,
        authorizerConfig={"defaultAuthorizerName": "door", "allowAuthorizerOverride": False},
        authenticationType="CUSTOM_AUTH",
        applicationProtocol="SECURE_MQTT",
    )

    iot = hedgerow_cloud.client("iot")
    for username in ("lamp", f"lamp?{NAME}=another"):
        assert by_alpn(hedgerow_cloud, "alpn_port", "open sesame", username=username, name=name) == ["Success"]
    assert by_alpn(hedgerow_cloud, "alpn_port", "a guess", username="lamp", name=name) == ["Not authorized"]
    iot.update_authorizer(authorizerName="door", status="INACTIVE")
    with pytest.raises(iot.exceptions.DeleteConflictException, match="fleet"):
        iot.delete_authorizer(authorizerName="door")
    iot.update_domain_configuration(domainConfigurationName="fleet", removeAuthorizerConfig=True)
    iot.delete_authorizer(authorizerName="door")


def first_account(cloud: TestCloud, folder: Path) -> TestCloud:
    """The account of who names none in the server name, as clients that cannot choose it."""
    ready = cloud.process.ready
    root = cloud.process.session(ready["access_key_id"], ready["secret_access_key"])
    return TestCloud(process=cloud.process, account=ready["account"], session=root, folder=folder)


@pytest.mark.parametrize("way", ["direct", "websockets"])
def test_the_device_sdks_builders_need_no_change(hedgerow_cloud: TestCloud, tmp_path: Path, way: str) -> None:
    first, key = first_account(hedgerow_cloud, tmp_path), rsa.generate_private_key(65537, 2048)
    form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    public = key.public_key().public_bytes(*form).decode("ascii")
    authorizer(first, f"sdk-{way}", tokenKeyName="Ticket", tokenSigningPublicKeys={"one": public})
    signature = base64.b64encode(key.sign(b"open-sesame", padding.PKCS1v15(), hashes.SHA256())).decode()
    ready, up = first.process.ready, Future[str]()
    failed: list[object] = []
    build = {
        "direct": mqtt5_client_builder.direct_with_custom_authorizer,
        "websockets": mqtt5_client_builder.websockets_with_custom_authorizer,
    }
    client = build[way](
        endpoint=first.host,
        port=ready["alpn_port"],
        ca_filepath=ready["ca_file"],
        client_id="lamp",
        auth_username="ann",
        auth_authorizer_name=f"sdk-{way}",
        auth_authorizer_signature=signature,
        auth_token_key_name="Ticket",
        auth_token_value="open-sesame",
        on_lifecycle_connection_success=lambda data: up.set_result(data.negotiated_settings.client_id),
        on_lifecycle_connection_failure=failed.append,
    )

    client.start()
    name = until("an answer", lambda: failed or (up.done() and up.result()))
    sent = client.publish(mqtt5.PublishPacket(topic="lamp/a", payload=b"1", qos=mqtt5.QoS.AT_LEAST_ONCE))
    answered = sent.result(20).puback.reason_code
    client.stop()

    assert (name, answered) == ("lamp", mqtt5.PubackReasonCode.SUCCESS)
