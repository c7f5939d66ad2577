"""Shadows as devices and applications use them: MQTT, the device's own HTTPS, boto3, all seeing the same."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from botocore.exceptions import ClientError
from paho.mqtt.enums import CallbackAPIVersion

from hedgerow.testing import CloudProcess, Device, TestCloud, start_cloud
from tests.support.mqtt import Connected, connected
from tests.support.waiting import until

pytestmark = [pytest.mark.slow]


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudProcess]:
    process = start_cloud(tmp_path_factory.mktemp("cloud"))
    yield process
    process.stop()


@pytest.fixture
def cloud(process: CloudProcess, tmp_path: Path) -> TestCloud:
    return process.new_account(tmp_path)


def shadow_of(cloud: TestCloud, thing: str, **name: str) -> Any:
    return json.loads(cloud.client("iot-data").get_thing_shadow(thingName=thing, **name)["payload"].read())


def by_https(device: Device, method: str, path: str, document: Any = None) -> tuple[int, Any]:
    body = None if document is None else json.dumps(document).encode()
    request = urllib.request.Request(f"https://{device.host}:{device.https_port}{path}", body, method=method)
    try:
        with urllib.request.urlopen(request, context=device.tls(), timeout=30) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, {"type": error.headers["x-amzn-ErrorType"], **json.loads(error.read())}


def told(device: Connected, topic: str, count: int = 1) -> Any:
    """Answer the last of so many messages on a topic."""

    def there() -> list[bytes]:
        return [bytes(message.payload) for message in device.messages if message.topic == topic]

    until(f"{count} messages to {topic}", lambda: len(there()) >= count)
    return json.loads(there()[count - 1])


def send(device: Connected, topic: str, document: Any) -> None:
    device.publish(topic, json.dumps(document))


@pytest.mark.spec("JB-42")
@pytest.mark.parametrize("name", ["", "config"])
def test_a_device_and_an_application_see_the_same_shadow(cloud: TestCloud, name: str) -> None:
    device = cloud.device("pump")
    data = cloud.client("iot-data")
    named = {"shadowName": name} if name else {}
    prefix = f"$aws/things/pump/shadow{f'/name/{name}' if name else ''}"
    with connected(device) as pump:
        for answers in ("+/accepted", "+/rejected", "update/delta", "update/documents"):
            pump.subscribe(f"{prefix}/{answers}")

        send(pump, f"{prefix}/get", {"clientToken": "first"})
        missing = told(pump, f"{prefix}/get/rejected")
        send(pump, f"{prefix}/update", {"state": {"reported": {"rpm": 900, "tags": ["a", "b"]}}, "clientToken": "t"})
        accepted = told(pump, f"{prefix}/update/accepted")
        data.update_thing_shadow(
            thingName="pump",
            payload=json.dumps({"state": {"desired": {"rpm": 1200, "tags": ["a"]}}, "version": 1}),
            **named,
        )
        delta = told(pump, f"{prefix}/update/delta")
        send(pump, f"{prefix}/update", {"state": {"reported": delta["state"]}, "version": 1, "clientToken": "late"})
        conflict = told(pump, f"{prefix}/update/rejected")
        send(pump, f"{prefix}/update", {"state": {"reported": delta["state"]}, "version": delta["version"]})
        documents = told(pump, f"{prefix}/update/documents", 3)
        send(pump, f"{prefix}/get", {"clientToken": "last"})
        got = told(pump, f"{prefix}/get/accepted")
        known = shadow_of(cloud, "pump", **named)
        send(pump, f"{prefix}/delete", {})
        deleted = told(pump, f"{prefix}/delete/accepted")
        data.update_thing_shadow(thingName="pump", payload=b'{"state":{"reported":{"rpm":null}}}', **named)

    assert (missing["code"], missing["clientToken"]) == (404, "first")
    assert (accepted["version"], accepted["clientToken"]) == (1, "t")
    assert accepted["metadata"]["reported"]["tags"] == [{"timestamp": accepted["timestamp"]}] * 2
    assert (delta["state"], delta["version"]) == ({"rpm": 1200, "tags": ["a"]}, 2)
    assert (conflict["code"], conflict["message"], conflict["clientToken"]) == (409, "Version conflict", "late")
    assert documents["previous"]["version"] == 2
    assert documents["current"]["state"]["reported"] == documents["current"]["state"]["desired"]
    assert got["clientToken"] == "last"
    assert {**got, "timestamp": 0} == {**known, "timestamp": 0, "clientToken": "last"}
    assert ("delta" in known["state"], known["version"], deleted["version"]) == (False, 3, 3)
    assert shadow_of(cloud, "pump", **named)["version"] == 4


def test_updates_that_are_sent_without_waiting_are_made_in_their_order(cloud: TestCloud) -> None:
    update = "$aws/things/pump/shadow/update"
    with connected(cloud.device("pump")) as pump:
        pump.subscribe(f"{update}/accepted")
        for number in range(50):
            pump.client.publish(update, json.dumps({"state": {"reported": {"count": number}}}), 1)
        told(pump, f"{update}/accepted", 50)
        accepted = [json.loads(message.payload) for message in pump.messages]

    assert [(one["version"], one["state"]["reported"]["count"]) for one in accepted] == [
        (number + 1, number) for number in range(50)
    ]
    assert shadow_of(cloud, "pump")["state"]["reported"] == {"count": 49}


@pytest.mark.spec("JB-42")
def test_a_device_reads_and_writes_its_shadows_by_https_as_its_policy_says(cloud: TestCloud) -> None:
    own = f"arn:aws:iot:{cloud.region}:{cloud.account}:thing/pump"
    actions = ["iot:GetThingShadow", "iot:UpdateThingShadow", "iot:DeleteThingShadow"]
    allowed = {"Effect": "Allow", "Action": actions, "Resource": [own, f"{own}/config"]}
    listing = {"Effect": "Allow", "Action": "iot:ListNamedShadowsForThing", "Resource": own}
    device = cloud.device("pump", {"Version": "2012-10-17", "Statement": [allowed, listing]})
    state = {"state": {"reported": {"rpm": 900}}}

    classic = by_https(device, "POST", "/things/pump/shadow", state)
    named = by_https(device, "POST", "/things/pump/shadow?name=config", state)
    stale = by_https(device, "POST", "/things/pump/shadow", {**state, "version": 7})
    large = by_https(device, "POST", "/things/pump/shadow", {"state": {"reported": {"text": "x" * 8192}}})
    others = [
        by_https(device, "GET", "/things/pump/shadow?name=secret"),
        by_https(device, "POST", "/things/other/shadow", state),
        by_https(device, "GET", "/api/things/shadow/ListNamedShadowsForThing/other"),
    ]
    names = by_https(device, "GET", "/api/things/shadow/ListNamedShadowsForThing/pump")
    deleted = by_https(device, "DELETE", "/things/pump/shadow?name=config")
    missing = by_https(device, "GET", "/things/pump/shadow?name=config")

    assert (classic[0], named[0], classic[1]["state"], named[1]["version"]) == (200, 200, state["state"], 1)
    assert (stale[0], stale[1]["type"], stale[1]["message"]) == (409, "ConflictException", "Version conflict")
    assert (large[0], large[1]["type"]) == (413, "RequestEntityTooLargeException")
    assert [status for status, _ in others] == [403, 403, 403]
    assert (names[0], names[1]["results"]) == (200, ["config"])
    assert (deleted[0], deleted[1]["version"]) == (200, 1)
    assert (missing[0], missing[1]["type"], missing[1]["message"]) == (
        404,
        "ResourceNotFoundException",
        "No shadow exists with name: 'config'",
    )
    assert shadow_of(cloud, "pump")["state"] == state["state"]


def test_the_paginator_of_boto3_lists_named_shadows(cloud: TestCloud) -> None:
    data = cloud.client("iot-data")
    names = [f"s{number}" for number in range(5)]
    for name in names:
        data.update_thing_shadow(thingName="pump", shadowName=name, payload=b'{"state":{}}')

    found: list[str] = []
    page = data.list_named_shadows_for_thing(thingName="pump", pageSize=2)
    while True:
        found += page["results"]
        if "nextToken" not in page:
            break
        page = data.list_named_shadows_for_thing(thingName="pump", pageSize=2, nextToken=page["nextToken"])

    assert found == names
    with pytest.raises(ClientError, match="pageSize"):
        data.list_named_shadows_for_thing(thingName="pump", pageSize=101)


def test_a_message_to_a_shadow_by_http_is_answered_on_its_topics(cloud: TestCloud) -> None:
    device = cloud.device("pump")
    data = cloud.client("iot-data")
    with connected(device) as pump:
        pump.subscribe("$aws/things/pump/shadow/#")

        data.publish(topic="$aws/things/pump/shadow/update", qos=1, payload=b'{"state":{"desired":{"rpm":1}}}')
        accepted = told(pump, "$aws/things/pump/shadow/update/accepted")
        request = told(pump, "$aws/things/pump/shadow/update")

    assert (accepted["version"], request) == (1, {"state": {"desired": {"rpm": 1}}})
    assert shadow_of(cloud, "pump")["state"]["desired"] == {"rpm": 1}
    with pytest.raises(ClientError, match="cannot be retained"):
        data.publish(topic="$aws/things/pump/shadow/update", retain=True, payload=b'{"state":{}}')


def test_a_will_to_a_shadow_is_seen_but_changes_nothing(cloud: TestCloud) -> None:
    watcher, pump = cloud.device("watcher", anything(cloud)), cloud.device("pump")
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="pump", reconnect_on_failure=False)
    client.tls_set_context(pump.tls())
    client.will_set("$aws/things/pump/shadow/update", b'{"state":{"reported":{"on":false}}}', qos=1)
    with connected(watcher) as watching:
        watching.subscribe("$aws/things/pump/shadow/update")
        client.connect(pump.host, pump.mqtt_port)
        client.loop_start()
        until("connected", client.is_connected)
        socket = client.socket()
        assert socket is not None
        socket.close()
        client.loop_stop()

        will = told(watching, "$aws/things/pump/shadow/update")

    assert will == {"state": {"reported": {"on": False}}}
    with pytest.raises(ClientError, match="No shadow exists"):
        shadow_of(cloud, "pump")


def anything(cloud: TestCloud) -> dict[str, Any]:
    own = f"arn:aws:iot:{cloud.region}:{cloud.account}:*"
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iot:*", "Resource": own}]}
