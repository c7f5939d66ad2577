"""Propagating attributes: what a thing's type adds to its device's publications, for subscribers and for rules."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from hedgerow.testing import Device, TestCloud
from tests.support.mqtt import Connected, connected
from tests.support.people import allow, role, trust
from tests.support.waiting import until

pytestmark = [pytest.mark.slow]
TYPE = "lamp-type"
ATTRIBUTES = [
    {"userPropertyKey": "iot:ClientId", "connectionAttribute": "iot:ClientId"},
    {"userPropertyKey": "site", "thingAttribute": "site"},
]


@contextmanager
def listening(device: Device, topic_filter: str) -> Iterator[Connected]:
    """Subscribe with MQTT 5."""
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=device.name, protocol=paho.MQTTv5)
    client.tls_set_context(device.tls())
    connection = Connected(client)
    client.connect(device.host, device.mqtt_port)
    client.loop_start()
    try:
        connection.wait_connected()
        assert connection.subscribe(topic_filter) == [1]
        yield connection
    finally:
        client.disconnect()
        client.loop_stop()


def pairs(message: Any) -> list[tuple[str, str]]:
    return list(getattr(message.properties, "UserProperty", []))


def make_type(cloud: TestCloud, *things: str) -> None:
    iot = cloud.client("iot")
    iot.create_thing_type(
        thingTypeName=TYPE, thingTypeProperties={"mqtt5Configuration": {"propagatingAttributes": ATTRIBUTES}}
    )
    for thing in things:
        iot.update_thing(
            thingName=thing, thingTypeName=TYPE, attributePayload={"attributes": {"site": "north"}, "merge": True}
        )


def test_subscribers_and_rules_see_what_the_type_adds_and_changes_count_at_once(hedgerow_cloud: TestCloud) -> None:
    cloud, iot = hedgerow_cloud, hedgerow_cloud.client("iot")
    everything = {"Version": "2012-10-17", "Statement": [allow("iot:*")]}
    lamp, watcher = cloud.device("lamp", everything), cloud.device("watcher", everything)
    make_type(cloud, "lamp")
    arn = role(cloud, "rules", trust({"Service": "iot.amazonaws.com"}), allow("iot:Publish"))
    sql = "SELECT get_user_properties('site') AS sites, get(get_user_properties('iot:ClientId'), 0) AS who FROM 'a/b'"
    action = {"republish": {"roleArn": arn, "topic": "seen/by/rule", "qos": 1}}
    iot.create_topic_rule(ruleName="sees", topicRulePayload={"sql": sql, "actions": [action]})

    with listening(watcher, "#") as watching, connected(lamp) as device:  # the lamp speaks MQTT 3.1.1
        device.publish("a/b", "{}")
        until("the rule's message", lambda: len(watching.messages) == 2)
        iot.update_thing(thingName="lamp", attributePayload={"attributes": {"site": "south"}, "merge": True})

        def south() -> list[tuple[str, str]] | None:
            device.publish("c", "{}")
            last = watching.messages[-1]
            return pairs(last) if last.topic == "c" and ("site", "south") in pairs(last) else None

        changed = until("the thing's new attribute", south, within_s=5)
        iot.update_thing_type(
            thingTypeName=TYPE, thingTypeProperties={"mqtt5Configuration": {"propagatingAttributes": ATTRIBUTES[:1]}}
        )

        def shorter() -> bool:
            device.publish("d", "{}")
            last = watching.messages[-1]
            return last.topic == "d" and pairs(last) == [("iot:ClientId", "lamp")]

        until("the type's new properties", shorter, within_s=5)

    by_topic = {message.topic: message for message in watching.messages[:2]}
    assert pairs(by_topic["a/b"]) == [("iot:ClientId", "lamp"), ("site", "north")]
    assert json.loads(by_topic["seen/by/rule"].payload) == {"sites": ["north"], "who": "lamp"}
    assert changed == [("iot:ClientId", "lamp"), ("site", "south")]
