import json
from collections.abc import Callable

import pytest

from hedgerow.core.mqtt import (
    MQTT_3_1_1,
    MQTT_5,
    Connack,
    Connect,
    Disconnect,
    Pingreq,
    Pingresp,
    Property,
    Publish,
    Reason,
    Will,
)
from hedgerow.core.mqtt.limits import AWS, OWN, Limits
from hedgerow.gateway.connection import Peer
from hedgerow.gateway.grants import GrantsLike
from hedgerow.gateway.ports import Admitted, NotAdmitted
from tests.unit.gateway.world import World


@pytest.mark.spec("JB-41")
def test_a_client_of_mqtt_3_is_let_in(world: World) -> None:
    client = world.client("a")

    assert client.inbox == [Connack(False, 0)]
    assert not client.wire.paused


def test_control_is_told_who_asks(world: World) -> None:
    world.client("a", peer=Peer("198.51.100.7", 4711, "name.example", b"DER"))

    (question,) = world.control.admits
    assert (question.client_id, question.peer) == ("a", "198.51.100.7")
    assert (question.server_name, question.certificate) == ("name.example", b"DER")


@pytest.mark.spec("JB-41")
def test_a_client_of_mqtt_5_is_told_what_the_server_can(world: World) -> None:
    client = world.client("a", version=MQTT_5, keep_alive=1000)

    assert world.connack(client).properties == {
        Property.RECEIVE_MAXIMUM: 100,
        Property.MAXIMUM_QOS: 1,
        Property.RETAIN_AVAILABLE: 1,
        Property.MAXIMUM_PACKET_SIZE: 149_504,
        Property.TOPIC_ALIAS_MAXIMUM: 8,
        Property.WILDCARD_AVAILABLE: 1,
        Property.SUBSCRIPTION_IDS_AVAILABLE: 0,
        Property.SHARED_AVAILABLE: 1,
        Property.SERVER_KEEP_ALIVE: 1000,
    }


@pytest.mark.parametrize(("asked", "said"), [(0, 1200), (1, 30), (30, 30), (1200, 1200), (65535, 1200)])
def test_keep_alive_is_put_between_30_and_1200_seconds(world: World, asked: int, said: int) -> None:
    client = world.client("a", version=MQTT_5, keep_alive=asked)

    assert world.connack(client).properties[Property.SERVER_KEEP_ALIVE] == said


def test_a_session_that_would_be_kept_too_long_is_cut_to_the_longest_time(world: World) -> None:
    client = world.client("a", version=MQTT_5, properties={Property.SESSION_EXPIRY: 600_000})

    assert world.connack(client).properties[Property.SESSION_EXPIRY] == 3600


def test_a_client_without_an_id_gets_one_in_mqtt_5(world: World) -> None:
    client = world.client("", version=MQTT_5)

    assigned = world.connack(client).properties[Property.ASSIGNED_CLIENT_ID]
    assert assigned
    assert world.control.admits[0].client_id == assigned


@pytest.mark.parametrize(
    ("connect", "code"),
    [
        (Connect("x" * 129, version=MQTT_5), Reason.CLIENT_ID_NOT_VALID),
        (Connect("$x", version=MQTT_5), Reason.CLIENT_ID_NOT_VALID),
        (Connect("x", version=MQTT_5, will=Will("a/#", b"")), Reason.TOPIC_NAME_INVALID),
        (Connect("x", version=MQTT_5, will=Will("a", b"", 2)), Reason.QOS_NOT_SUPPORTED),
        (
            Connect("x", version=MQTT_5, will=Will("a", b"", properties={Property.CONTENT_TYPE: "x" * 257})),
            Reason.QUOTA_EXCEEDED,
        ),
        (
            Connect("x", version=MQTT_5, properties={Property.AUTHENTICATION_METHOD: "m"}),
            Reason.BAD_AUTHENTICATION_METHOD,
        ),
        (Connect("x", version=MQTT_5, properties={Property.MAXIMUM_PACKET_SIZE: 511}), Reason.PACKET_TOO_LARGE),
    ],
)
def test_a_connect_that_nobody_may_send_is_refused_with_its_code(world: World, connect: Connect, code: int) -> None:
    client = world.open(MQTT_5)

    client.send(connect)

    assert client.take() == [Connack(False, code)]
    assert client.wire.closed
    assert world.control.admits == []


def test_who_is_not_admitted_is_told_in_mqtt_5(world: World) -> None:
    world.control.refuse = NotAdmitted(reason="DEVICE_CERTIFICATE_INACTIVE", detail="the certificate is inactive")

    client = world.client("a", version=MQTT_5)

    assert client.inbox == [Connack(False, Reason.NOT_AUTHORIZED)]
    assert client.wire.closed


def test_who_is_not_admitted_sees_the_connection_close_in_mqtt_3(world: World) -> None:
    world.control.refuse = NotAdmitted(reason="DEVICE_CERTIFICATE_INACTIVE", detail="the certificate is inactive")

    client = world.client("a")

    assert client.inbox == []
    assert client.wire.closed


@pytest.mark.spec("JB-40")
def test_a_client_whose_policy_does_not_let_it_connect_is_not_let_in(world: World) -> None:
    world.control.denied = ("iot:Connect client/a",)

    client = world.client("a", version=MQTT_5)

    assert client.inbox == [Connack(False, Reason.NOT_AUTHORIZED)]
    assert len(world.heard("$aws/events/presence/connect_failed/a")) == 1


def test_a_client_that_may_not_publish_its_will_is_not_let_in(world: World) -> None:
    world.control.denied = ("iot:Publish topic/w",)

    client = world.client("a", version=MQTT_5, will=Will("w", b"gone"))

    assert client.inbox == [Connack(False, Reason.NOT_AUTHORIZED)]


def test_an_older_protocol_is_refused_with_its_return_code(world: World) -> None:
    client = world.open()

    client.push(b"\x10\x12\x00\x06MQIsdp\x03\x02\x00\x1e\x00\x04name")

    assert client.take() == [Connack(False, 1)]
    assert client.wire.closed


def test_anything_before_the_connect_ends_the_connection(world: World) -> None:
    client = world.open()

    client.send(Pingreq())

    assert client.take() == []
    assert client.wire.closed


def test_a_second_connect_ends_the_connection(world: World) -> None:
    client = world.client("a", version=MQTT_5)

    client.send(Connect("a", version=MQTT_5))

    assert client.take() == [Disconnect(Reason.PROTOCOL_ERROR)]
    assert client.wire.closed


def test_what_follows_the_connect_in_one_read_is_not_lost(world: World) -> None:
    client = world.open()

    client.send(Connect("a"), Pingreq())

    assert client.take() == [Connack(False, 0), Pingresp()]


def test_packets_may_come_byte_by_byte(world: World) -> None:
    client = world.client("a")
    client.subscribe("t")

    for byte in b"\x30\x05\x00\x01tab\x30\x04\x00\x01tc":
        client.push(bytes((byte,)))

    assert client.messages() == [("t", b"ab"), ("t", b"c")]


def test_all_answers_of_a_read_go_out_in_one_write(world: World) -> None:
    client = world.client("a")
    before = client.wire.writes

    client.send(*[Publish("t", b"x", 1, packet_id=number) for number in range(1, 51)])

    assert len(client.acks()) == 50
    assert client.wire.writes <= before + 2


@pytest.mark.spec("JB-41")
def test_a_silent_client_is_cut_after_one_and_a_half_keep_alives(world: World) -> None:
    client = world.client("a", version=MQTT_5, keep_alive=40)

    world.advance(60)
    assert not client.wire.closed
    world.advance(1)

    assert client.take() == [Disconnect(Reason.KEEP_ALIVE_TIMEOUT)]
    assert client.wire.closed


def test_a_ping_keeps_the_connection(world: World) -> None:
    client = world.client("a", keep_alive=40)

    world.advance(59)
    client.send(Pingreq())
    world.advance(59)

    assert client.take() == [Pingresp()]
    assert not client.wire.closed


def test_a_transport_that_never_sends_a_connect_is_closed(world: World) -> None:
    client = world.open()

    world.advance(21)

    assert client.wire.closed


def test_own_limits_leave_keep_alive_zero_as_never(world_with: Callable[[Limits], World]) -> None:
    world = world_with(OWN)
    client = world.client("a", keep_alive=0)

    world.advance(100_000)

    assert not client.wire.closed


@pytest.mark.parametrize(
    ("peer", "word"),
    [
        (Peer("192.0.2.1", certificate=b"der"), "FORBIDDEN_ACCESS"),
        (Peer("192.0.2.1", signed_by="arn", signed_account="1"), "WEBSOCKET_TTL_EXPIRATION"),
        (Peer("192.0.2.1"), "CUSTOMAUTH_TTL_EXPIRATION"),
    ],
)
def test_an_admission_that_ends_cuts_the_connection(world: World, peer: Peer, word: str) -> None:
    world.control.admitted = {"ends_at": world.clock.now() + 300}
    client = world.client("a", version=MQTT_5, keep_alive=1200, peer=peer)

    world.advance(301)

    assert client.wire.closed
    told = json.loads(world.heard("$aws/events/presence/disconnected/a")[-1])
    assert told["disconnectReason"] == word


@pytest.mark.parametrize(("version", "answer"), [(MQTT_3_1_1, 3), (MQTT_5, Reason.SERVER_UNAVAILABLE)])
def test_rights_that_cannot_be_compiled_let_nobody_in(
    world: World, version: int, answer: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(admitted: Admitted, client_id: str) -> GrantsLike:
        raise ValueError("no policy")

    for gateway in world.gateways:
        monkeypatch.setattr(gateway, "compile_grants", broken)
    client = world.open(version)

    with pytest.raises(ValueError, match="no policy"):
        client.send(Connect("a", version=version))

    assert client.take() == [Connack(False, answer)]
    assert client.wire.closed


def test_rates_of_aws_refuse_a_client_id_that_connects_twice_in_a_second(kind: str) -> None:
    world = World("wire" if kind == "two gateways" else kind, AWS)  # the rate is each gateway's own
    world.client("a")

    again = world.client("a", version=MQTT_5)
    world.clock.advance(1)
    later = world.client("a", version=MQTT_5)

    assert world.connack(again).code == Reason.QUOTA_EXCEEDED
    assert world.connack(later).code == Reason.SUCCESS


def test_connect_conditions_are_asked_with_the_will_and_the_kept_session(world: World) -> None:
    client = world.client("a", clean=False, will=Will("w", b""))

    grants = client.connection.permissions._grants
    action, resource, context = grants.asked[0]  # type: ignore[attr-defined]  # the fake's record
    assert (action, resource) == ("iot:Connect", "arn:aws:iot:eu-central-1:123456789012:client/a")
    assert context == {
        "iot:ConnectAttributes": ["PersistentConnect", "LastWill"],
        "iot:LastWillTopic": "arn:aws:iot:eu-central-1:123456789012:topic/w",
    }
