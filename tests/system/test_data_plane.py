"""The data plane by HTTP, as boto3 and curl ask: what is published there, and what is known of connections."""

import json
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import paho.mqtt.client as paho
import pytest
from botocore.exceptions import ClientError
from paho.mqtt.enums import CallbackAPIVersion

from hedgerow.testing import Device, TestCloud
from tests.support.mqtt import Connected, connected
from tests.support.people import allow, user
from tests.support.waiting import until

pytestmark = [pytest.mark.slow]

FREE = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iot:*", "Resource": "*"}]}


@contextmanager
def by_mqtt_5(device: Device, *, client_id: str = "", **options: Any) -> Iterator[Connected]:
    client = paho.Client(
        CallbackAPIVersion.VERSION2, client_id=client_id or device.name, protocol=paho.MQTTv5, **options
    )
    client.tls_set_context(device.tls())
    connection = Connected(client)
    client.connect(device.host, device.mqtt_port if "transport" not in options else device.https_port, keepalive=60)
    client.loop_start()
    try:
        connection.wait_connected()
        yield connection
    finally:
        client.disconnect()
        client.loop_stop()


def refused(call: Any, **request: Any) -> tuple[int, str]:
    with pytest.raises(ClientError) as caught:
        call(**request)
    error = caught.value.response
    return error["ResponseMetadata"]["HTTPStatusCode"], error["Error"]["Code"]


PROPERTIES: Mapping[str, Any] = {
    "contentType": "text/plain",
    "responseTopic": "answers/here",
    "correlationData": "AAEC",
    "payloadFormatIndicator": "UTF8_DATA",
    "userProperties": json.dumps([{"deviceName": "alpha"}, {"deviceName": "beta"}]),
}


def properties_of(message: paho.MQTTMessage) -> dict[str, Any]:
    found = message.properties
    assert found is not None
    named = found.json()  # type: ignore[no-untyped-call]  # paho has no types there
    return {"expires": named.pop("MessageExpiryInterval", None) is not None, **named}


EXPECTED = {
    "ContentType": "text/plain",
    "ResponseTopic": "answers/here",
    "CorrelationData": "000102",
    "PayloadFormatIndicator": 1,
    "UserProperty": [("deviceName", "alpha"), ("deviceName", "beta")],
}


def test_every_member_of_a_publication_reaches_its_receivers(hedgerow_cloud: TestCloud) -> None:
    data, device = hedgerow_cloud.client("iot-data"), hedgerow_cloud.device("pump", FREE)

    with by_mqtt_5(device) as listening:
        listening.subscribe("news/#")
        data.publish(topic="news/a", payload=b"1", qos=1, messageExpiry=100, retain=True, **PROPERTIES)
        listening.payloads(1)
        (message,) = listening.messages
    kept = data.get_retained_message(topic="news/a")
    listed = data.list_retained_messages(maxResults=1)["retainedTopics"]
    data.publish(topic="news/a", payload=b"", retain=True)

    assert properties_of(message) == {"expires": True, **EXPECTED}
    assert (message.qos, message.retain, message.payload) == (1, False, b"1")
    assert (kept["payload"], kept["qos"]) == (b"1", 1)
    assert json.loads(kept["userProperties"]) == [{"deviceName": "alpha"}, {"deviceName": "beta"}]
    assert time.time() * 1000 - kept["lastModifiedTime"] < 60_000
    assert [(each["topic"], each["payloadSize"]) for each in listed] == [("news/a", 1)]
    assert refused(data.get_retained_message, topic="news/a") == (404, "ResourceNotFoundException")


BAD_MESSAGES: list[dict[str, Any]] = [
    {"topic": "a/+"},
    {"topic": "$aws/things/pump/shadow/update/accepted"},
    {"topic": "$aws/things/pump/shadow/update", "retain": True},
    {"topic": "a", "contentType": "x" * 257},
    {"topic": "a", "contentType": "\0"},
    {"topic": "a", "responseTopic": "a/#"},
    {"topic": "a", "correlationData": "no base64"},
    {"topic": "a", "messageExpiry": -1},
    {"topic": "a", "userProperties": json.dumps([{"a": "x" * 9000}])},
    {"topic": "a", "userProperties": json.dumps({"a": 1})},
    {"topic": "a", "payload": b"x" * 131_073},
]


def test_what_a_message_must_not_be_is_refused(hedgerow_cloud: TestCloud) -> None:
    data = hedgerow_cloud.client("iot-data")

    answers = [refused(data.publish, **message) for message in BAD_MESSAGES]

    assert answers == [(400, "InvalidRequestException")] * len(BAD_MESSAGES)


def test_a_device_publishes_by_https_what_its_policies_allow(hedgerow_cloud: TestCloud) -> None:
    cloud = hedgerow_cloud
    own = f"arn:aws:iot:{cloud.region}:{cloud.account}:topic/"
    few = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": "iot:Publish",
                "Resource": [own + "open/*", own + "$aws/things/door/shadow/*"],
            },
            {"Effect": "Allow", "Action": "iot:RetainPublish", "Resource": own + "open/kept"},
        ],
    }
    device, listener = cloud.device("door", few), cloud.device("pump", FREE)
    user_properties = "W3siZGV2aWNlTmFtZSI6ICJhbHBoYSJ9LCB7ImRldmljZU5hbWUiOiAiYmV0YSJ9XQ=="
    headers = [
        f"x-amz-mqtt5-user-properties: {user_properties}",
        "x-amz-mqtt5-payload-format-indicator: UTF8_DATA",
        "x-amz-mqtt5-correlation-data: AAEC",
    ]
    query = "qos=1&contentType=text/plain&responseTopic=answers/here&messageExpiry=100"

    with by_mqtt_5(listener) as listening:
        listening.subscribe("open/#")
        listening.subscribe("$aws/things/door/shadow/update/accepted")
        answers = [
            curl(device, f"/topics/open/a?{query}", "1", headers),
            curl(device, "/topics/open%2Fkept?retain=true", "2"),
            curl(device, "/topics/open/other?retain=true", "3"),
            curl(device, "/topics/closed/a", "4"),
            curl(device, "/topics/$aws/things/door/shadow/update?qos=1", '{"state": {"reported": {"open": true}}}'),
        ]
        listening.payloads(3)
        first, second, third = listening.messages
    cloud.client("iot-data").publish(topic="open/kept", payload=b"", retain=True)

    assert answers == ["200", "200", "403", "403", "200"]
    assert properties_of(first) == {"expires": True, **EXPECTED}
    assert (second.topic, second.payload) == ("open/kept", b"2")
    assert (third.topic, json.loads(third.payload)["state"]) == (
        "$aws/things/door/shadow/update/accepted",
        {"reported": {"open": True}},
    )
    shadow = cloud.client("iot-data").get_thing_shadow(thingName="door")["payload"].read()
    assert json.loads(shadow)["state"]["reported"] == {"open": True}


def curl(device: Device, path: str, body: str, headers: list[str] | None = None) -> str:
    """Answer the status."""
    files = ["--cacert", device.ca_file, "--cert", device.certificate_file, "--key", device.key_file]
    command = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", *map(str, files), "--data-binary", body]
    command += [part for header in headers or () for part in ("-H", header)]
    done = subprocess.run(
        [*command, f"https://{device.host}:{device.https_port}{path}"],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    return done.stdout


def test_what_is_known_of_a_connection(hedgerow_cloud: TestCloud) -> None:
    cloud, data = hedgerow_cloud, hedgerow_cloud.client("iot-data")
    device = cloud.device("pump", FREE)
    nosy = user(
        cloud, "nosy", allow("iot:GetConnection", Condition={"Bool": {"iot:IncludeSocketInformation": "false"}})
    )

    with connected(device, clean=False) as pump:
        for name in ("a", "b", "c"):
            pump.subscribe(f"news/{name}")
        there = data.get_connection(clientId="pump", includeSocketInformation=True)
        plain = nosy.client("iot-data").get_connection(clientId="pump")
        denied = refused(nosy.client("iot-data").get_connection, clientId="pump", includeSocketInformation=True)
        first = data.list_subscriptions(clientId="pump", maxResults=2)
        second = data.list_subscriptions(clientId="pump", maxResults=2, nextToken=first["nextToken"])
        data.delete_connection(clientId="pump")
        until("the connection is cut", lambda: pump.ended)
        pump.client.disconnect()  # paho would come again
    gone = data.get_connection(clientId="pump")
    kept = data.list_subscriptions(clientId="pump")["subscriptions"]
    data.delete_connection(clientId="pump", cleanSession=True)

    assert (there["connected"], there["cleanSession"], there["targetPort"]) == (True, False, device.mqtt_port)
    assert there["sourcePort"] > 0
    assert ("sourceIp" in plain, denied) == (False, (403, "ForbiddenException"))
    filters = [each["topicFilter"] for page in (first, second) for each in page["subscriptions"]]
    assert filters == ["news/a", "news/b", "news/c"]
    assert "nextToken" not in second
    assert (gone["connected"], gone["disconnectReason"]) == (False, "API_INITIATED_DISCONNECT")
    assert kept[0] == {"topicFilter": "news/a", "qos": 1}
    assert refused(data.list_subscriptions, clientId="pump") == (404, "ResourceNotFoundException")
    assert refused(data.delete_connection, clientId="pump") == (404, "ResourceNotFoundException")


def test_a_direct_message_reaches_one_client_and_is_confirmed(hedgerow_cloud: TestCloud) -> None:
    cloud, data = hedgerow_cloud, hedgerow_cloud.client("iot-data")
    device = cloud.device("pump", FREE)
    order = {"clientId": "pump", "topic": "orders/reboot", "payload": b"now"}
    limited = user(
        cloud, "boss", allow("iot:SendDirectMessage", Condition={"StringEquals": {"iot:Topic": "orders/reboot"}})
    ).client("iot-data")

    with by_mqtt_5(device) as pump:
        answer = data.send_direct_message(**order, confirmation=True, timeout=10, **PROPERTIES)
        limited.send_direct_message(**order)
        denied = refused(limited.send_direct_message, **{**order, "topic": "orders/stop"})
        pump.payloads(2)
        first, second = pump.messages
    with by_mqtt_5(device, client_id="mute", manual_ack=True) as mute:
        late = refused(data.send_direct_message, **{**order, "clientId": "mute"}, confirmation=True, timeout=1)
        mute.payloads(1)

    assert (answer["message"], bool(answer["traceId"])) == ("OK", True)
    assert (first.topic, first.qos, second.qos) == ("orders/reboot", 1, 0)
    assert properties_of(first) == {"expires": False, **EXPECTED}
    assert (denied, late) == ((403, "ForbiddenException"), (504, "GatewayTimeoutException"))
    assert refused(data.send_direct_message, **order) == (404, "ResourceNotFoundException")
    assert refused(data.send_direct_message, **{**order, "topic": "$aws/a"}) == (400, "InvalidRequestException")
    long = {**order, "confirmation": True, "timeout": 16}
    assert refused(data.send_direct_message, **long) == (400, "InvalidRequestException")


def test_a_device_speaks_mqtt_by_websocket_with_its_certificate(hedgerow_cloud: TestCloud) -> None:
    cloud = hedgerow_cloud
    device = cloud.device("pump")

    with by_mqtt_5(device, transport="websockets") as pump:
        granted = pump.subscribe("devices/pump/#"), pump.subscribe("devices/other/#")
        pump.publish("devices/pump/a", "1")
        heard = pump.payloads(1)

    assert (granted, heard) == (([1], [135]), [b"1"])
