"""MQTT 5 with paho against a cloud with the limits `own`: what applications use it for."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from awscrt import io, mqtt5
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from hedgerow.testing import CloudProcess, Device, TestCloud
from tests.support.mqtt import DEADLINE_S, Connected
from tests.support.people import allow
from tests.support.running import started
from tests.support.waiting import until

WITH_WILL = "Disconnect with will message"
pytestmark = [pytest.mark.slow, pytest.mark.spec("JB-41")]


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudProcess]:
    with started(tmp_path_factory.mktemp("own"), HEDGEROW_LIMITS="own") as process:
        yield process


@pytest.fixture
def device(process: CloudProcess, tmp_path: Path) -> Callable[[str], Device]:
    cloud: TestCloud = process.new_account(tmp_path)
    return lambda name: cloud.device(name, {"Version": "2012-10-17", "Statement": [allow("iot:*")]})


def said(kind: int, **values: Any) -> Properties:
    """Properties of a packet, by paho's names."""
    properties = Properties(kind)  # type: ignore[no-untyped-call]  # paho says no types
    for name, value in values.items():
        setattr(properties, name, value)
    return properties


@contextmanager
def connected(
    device: Device, *, clean: bool = True, will: Properties | None = None, **wanted: Any
) -> Iterator[Connected]:
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=device.name, protocol=paho.MQTTv5)
    client.tls_set_context(device.tls())
    if will is not None:
        client.will_set(f"gone/{device.name}", b"gone", 1, properties=will)
    connection = Connected(client)
    properties = said(PacketTypes.CONNECT, **wanted)
    client.connect(device.host, device.mqtt_port, clean_start=clean, properties=properties)
    client.loop_start()
    try:
        connection.wait_connected()
        yield connection
    finally:
        client.disconnect()
        client.loop_stop()


def of(message: paho.MQTTMessage) -> Any:
    """The message's properties, which paho's types know nothing of."""
    return message.properties


def publish(one: Connected, topic: str, payload: bytes, qos: int = 2, **values: Any) -> None:
    sent = one.client.publish(topic, payload, qos, properties=said(PacketTypes.PUBLISH, **values))
    sent.wait_for_publish(DEADLINE_S)


def test_a_request_finds_its_answer_with_everything_that_was_said(device: Callable[[str], Device]) -> None:
    with connected(device("service")) as service, connected(device("caller")) as caller:
        service.subscribe("ask/service", 2)
        caller.subscribe("answers/caller", 2)
        pairs = [("a", "1"), ("b", "2"), ("a", "3")]

        publish(
            caller,
            "ask/service",
            b"what time is it?",
            ResponseTopic="answers/caller",
            CorrelationData=b"\x00\x07",
            ContentType="text/plain",
            PayloadFormatIndicator=1,
            MessageExpiryInterval=60,
            UserProperty=pairs,
        )
        until("the request", lambda: service.messages)
        asked = service.messages[0]
        publish(service, of(asked).ResponseTopic, b"late", CorrelationData=of(asked).CorrelationData)
        until("the answer", lambda: caller.messages)

    assert (asked.qos, of(asked).ContentType, of(asked).PayloadFormatIndicator) == (2, "text/plain", 1)
    assert of(asked).UserProperty == pairs
    assert 55 <= of(asked).MessageExpiryInterval <= 60
    assert of(caller.messages[0]).CorrelationData == b"\x00\x07"


def test_a_session_goes_on_with_its_options_and_its_will_waits(device: Callable[[str], Device]) -> None:
    watcher, lamp = device("watcher"), device("lamp")
    with connected(watcher) as watching:
        watching.subscribe("gone/#", 1)
        with connected(lamp, clean=False, SessionExpiryInterval=300) as first:
            options = SubscribeOptions(qos=1, retainAsPublished=True, retainHandling=2)
            numbered = said(PacketTypes.SUBSCRIBE, SubscriptionIdentifier=9)
            first.client.subscribe([("kept/#", options)], properties=numbered)
            first.subscribe("$share/group/work", 1)
        publish(watching, "kept/1", b"1", 1)
        watching.client.publish("kept/2", b"2", 1, retain=True).wait_for_publish(DEADLINE_S)
        publish(watching, "work", b"3", 1)

        will = said(PacketTypes.WILLMESSAGE, WillDelayInterval=1)
        kept: Any = {"clean": False, "will": will, "SessionExpiryInterval": 300}
        with connected(lamp, **kept) as again:
            until("what waited", lambda: len(again.messages) == 3)
            with connected(lamp, **kept) as newer:  # it takes over before the delay of the older one's will is over
                until("the end of the older one", lambda: again.ended)
                publish(newer, "gone/nobody", b"only this")
                newer.client.disconnect(reasoncode=ReasonCode(PacketTypes.DISCONNECT, WITH_WILL))
        until("the will", lambda: len(watching.messages) == 2)

    found = {message.topic: message for message in again.messages}
    assert (again.session_present, newer.session_present) == (True, True)
    assert again.ended[0] == "Session taken over"
    assert {topic: bool(each.retain) for topic, each in found.items()} == {
        "kept/1": False,
        "kept/2": True,
        "work": False,
    }
    assert of(found["kept/1"]).SubscriptionIdentifier == [9]
    assert [message.topic for message in watching.messages] == ["gone/nobody", "gone/lamp"]


def test_a_topic_may_be_said_once_and_meant_often(device: Callable[[str], Device]) -> None:
    with connected(device("reader")) as reader, connected(device("writer")) as writer:
        reader.subscribe("a/long/topic", 1)

        publish(writer, "a/long/topic", b"1", 1, TopicAlias=4)
        publish(writer, "", b"2", 1, TopicAlias=4)

        assert [(message.topic, message.payload) for message in (reader.payloads(2), reader.messages)[1]] == [
            ("a/long/topic", b"1"),
            ("a/long/topic", b"2"),
        ]


def test_the_device_sdk_finds_the_topic_behind_an_alias_that_the_cloud_sends(device: Callable[[str], Device]) -> None:
    reader = device("reader")
    options = io.TlsContextOptions.create_client_with_mtls_from_path(str(reader.certificate_file), str(reader.key_file))
    options.override_default_trust_store_from_path(None, str(reader.ca_file))
    up: Future[Any] = Future()
    found: list[tuple[str, bytes]] = []
    client = mqtt5.Client(
        mqtt5.ClientOptions(
            host_name=reader.host,
            port=reader.mqtt_port,
            tls_ctx=io.ClientTlsContext(options),
            connect_options=mqtt5.ConnectPacket(client_id=reader.name),
            topic_aliasing_options=mqtt5.TopicAliasingOptions(
                inbound_behavior=mqtt5.InboundTopicAliasBehaviorType.ENABLED, inbound_cache_max_size=2
            ),
            on_lifecycle_event_connection_success_fn=up.set_result,
            on_publish_callback_fn=lambda data: found.append(
                (data.publish_packet.topic, bytes(data.publish_packet.payload))
            ),
        )
    )
    client.start()
    try:
        up.result(DEADLINE_S)
        subscription = mqtt5.Subscription(topic_filter="a/#", qos=mqtt5.QoS.AT_LEAST_ONCE)
        client.subscribe(mqtt5.SubscribePacket(subscriptions=[subscription])).result(DEADLINE_S)

        with connected(device("writer")) as writer:
            for topic in ("a/1", "a/2", "a/3", "a/1", "a/2", "a/3"):
                publish(writer, topic, topic.encode(), 1)
        until("all of them", lambda: len(found) == 6)
    finally:
        client.stop()

    assert [topic.encode() for topic, _ in found] == [payload for _, payload in found]
    assert found[3:] == found[:3]
