"""What control asks of a gateway and what a gateway asks of control."""

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from hedgerow.base.errors import Unavailable
from hedgerow.core.mqtt import MQTT_3_1_1, MQTT_5, Ack, Disconnect, Kind, Publish, Reason, Will
from hedgerow.core.tls import Port, way_for
from hedgerow.gateway.commands import REMEMBERED
from hedgerow.gateway.connection import Peer
from hedgerow.gateway.grants import GrantsLike
from hedgerow.gateway.ports import Admit, Admitted, Asked, Command, Cut, Message, NotAdmitted, Question, Regrant, Reply
from hedgerow.gateway.summary import summary
from tests.unit.gateway.control import ACCOUNT
from tests.unit.gateway.world import World

if TYPE_CHECKING:
    from collections.abc import Coroutine

SHADOW = "$aws/things/radio/shadow/get"
JOBS = "$aws/things/radio/jobs/get"


def test_a_request_is_answered_to_the_asking_client_alone(world: World) -> None:
    asking, other = world.client("a"), world.client("b")
    for client in (asking, other):
        client.subscribe(SHADOW + "/accepted")

    asking.publish(SHADOW, b"{}", 1)

    packets = asking.take()
    assert [packet.payload for packet in packets if isinstance(packet, Publish)] == [b"yes"]
    assert packets[-1] == Ack(Kind.PUBACK, 7)
    assert other.messages() == []
    (question,) = world.control.asked
    assert (question.message.topic, question.message.payload, question.message.client_id) == (SHADOW, b"{}", "a")


def test_answers_about_shadows_come_to_subscribers_only(world: World) -> None:
    client = world.client("a")

    client.publish(SHADOW, b"{}", 1)

    assert client.take() == [Ack(Kind.PUBACK, 7)]


def test_what_is_asked_of_a_shadow_can_be_watched(world: World) -> None:
    watching = world.client("w")
    watching.subscribe(SHADOW)

    world.client("a").publish(SHADOW, b"{}", 1)

    assert watching.messages() == [(SHADOW, b"{}")]


def test_other_answers_come_without_a_subscription(world: World) -> None:
    client = world.client("a")

    client.publish(JOBS, b"{}")

    assert client.messages() == [(JOBS + "/accepted", b"yes")]


def test_answers_that_may_not_be_received_do_not_come(world: World) -> None:
    world.control.denied = ("iot:Receive *",)
    client = world.client("a")

    client.publish(JOBS, b"{}")

    assert client.messages() == []


def test_a_request_that_may_not_be_published_is_not_asked(world: World) -> None:
    world.control.denied = (f"iot:Publish topic/{JOBS}",)
    client = world.client("a")

    client.publish(JOBS, b"{}", 1)

    assert world.control.asked == []
    assert client.wire.closed


def test_a_request_without_an_answer_is_not_acknowledged_as_done(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    client = world.client("a", version=MQTT_5)

    async def silent(question: Question, *, deadline_s: float) -> Reply:
        raise Unavailable("no answer within the deadline")

    monkeypatch.setattr(world.control, "ask", silent)
    client.publish(JOBS, b"{}", 1)

    assert client.take() == [Ack(Kind.PUBACK, 7, Reason.UNSPECIFIED)]


def test_requests_under_way_are_bounded(world: World) -> None:
    client = world.client("a", version=MQTT_5)
    waiting: list[Coroutine[Any, Any, None]] = []
    for gateway in world.gateways:
        gateway.spawn = waiting.append

    client.send(*[Publish(JOBS, b"", 1, packet_id=number) for number in range(1, 102)])

    assert len(waiting) == 100
    assert client.take() == [Disconnect(Reason.RECEIVE_MAXIMUM_EXCEEDED)]
    for work in waiting:
        work.close()


def test_what_control_publishes_reaches_subscribers_of_every_gateway(world: World) -> None:
    first, second = world.client("a"), world.client("b")
    first.subscribe("$aws/things/+/jobs/notify")
    second.subscribe("$aws/things/+/jobs/notify")

    world.hub.publish(Message(account=ACCOUNT, topic="$aws/things/radio/jobs/notify", payload=b"{}", qos=1))
    world.run()

    assert first.messages() == second.messages() == [("$aws/things/radio/jobs/notify", b"{}")]
    assert world.control.heard[-1].topic != "$aws/things/radio/jobs/notify"


def test_control_is_told_when_its_publication_is_stored(world: World) -> None:
    client = world.client("a", clean=False)
    client.subscribe("t")
    client.drop()
    answers: list[bool] = []

    world.hub.publish(Message(account=ACCOUNT, topic="t", payload=b"kept", qos=1), answers.append)
    world.run()
    world.hub.publish(Message(account=ACCOUNT, topic="nobody", payload=b"x", qos=1), answers.append)
    world.run()

    assert answers == [True, True]
    with world.restarted():
        again = world.client("a", clean=False)
    assert {packet.payload for packet in again.inbox if isinstance(packet, Publish)} == {b"kept"}


@pytest.mark.parametrize("version", [MQTT_3_1_1, MQTT_5])
@pytest.mark.spec("JB-46")
def test_a_cut_ends_the_connections_of_a_principal(world: World, version: int) -> None:
    cut, other = world.client("a", version=version), world.client("b", version=version)

    world.hub.tell("*", Cut(account=ACCOUNT, principal="cert-of-a", reason="FORBIDDEN_ACCESS"))
    world.run()

    assert cut.wire.closed
    assert cut.take() == ([Disconnect(Reason.ADMINISTRATIVE_ACTION)] if version == MQTT_5 else [])
    assert not other.wire.closed
    assert b"FORBIDDEN_ACCESS" in world.heard("$aws/events/presence/disconnected/a")[0]


def test_a_cut_may_take_will_and_session_along(world: World) -> None:
    listener = world.client("l")
    listener.subscribe("gone")
    client = world.client("a", clean=False, will=Will("gone", b"a"))

    world.hub.tell(
        "*",
        Cut(account=ACCOUNT, client_id="a", reason="API_INITIATED_DISCONNECT", clean_session=True, prevent_will=True),
    )
    world.run()

    assert client.wire.closed
    assert listener.messages() == []
    assert not world.connack(world.client("a", clean=False)).session_present


def test_a_cut_ends_a_kept_session_that_is_offline(world: World) -> None:
    world.client("a", clean=False).drop()

    world.hub.tell("*", Cut(account=ACCOUNT, client_id="a", reason="API_INITIATED_DISCONNECT", clean_session=True))
    world.run()

    assert not world.connack(world.client("a", clean=False)).session_present


def test_a_late_cut_of_an_older_epoch_does_not_touch_the_newer_connection(world: World) -> None:
    world.client("a")
    newer = world.client("a")
    epoch = newer.connection.epoch

    world.hub.tell("*", Cut(account=ACCOUNT, client_id="a", reason="DUPLICATE_CLIENTID", before_epoch=epoch))
    world.run()

    assert not newer.wire.closed
    newer.publish("t", qos=1)
    assert newer.acks() == [0]


def test_a_cut_in_another_account_touches_nobody(world: World) -> None:
    client = world.client("a")

    world.hub.tell("*", Cut(account="210987654321", client_id="a", reason="API_INITIATED_DISCONNECT"))
    world.run()

    assert not client.wire.closed


def test_new_rights_count_at_once_and_without_a_new_connection(world: World) -> None:
    world.control.hear_nothing = True
    client, listener = world.client("a", version=MQTT_5), world.client("l")
    listener.subscribe("t", "u")
    client.publish("t", b"1", 1)
    client.publish("t", b"2", 1)
    assert client.acks() == [0, 0]

    world.control.denied = ("iot:Publish topic/t", "iot:Receive topic/u")
    world.hub.tell("*", Regrant(account=ACCOUNT))
    world.run()
    client.publish("t", b"3", 1)
    client.publish("u", b"4", 1)

    assert client.acks() == [Reason.NOT_AUTHORIZED, 0]
    assert listener.messages() == [("t", b"1"), ("t", b"2")]


def test_rights_that_change_while_a_client_is_admitted_count_for_it_too(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = world.control.ask

    async def overtaken(question: Question, *, deadline_s: float) -> Reply:
        monkeypatch.setattr(world.control, "ask", ask)
        answer = await ask(question, deadline_s=deadline_s)
        world.control.denied = ("iot:Publish *",)
        world.hub.tell("*", Regrant(account=ACCOUNT))
        if world.kind != "direct":
            world.run()
        return answer

    monkeypatch.setattr(world.control, "ask", overtaken)
    client = world.client("a", version=MQTT_5)
    client.publish("t", qos=1)

    assert client.acks() == [Reason.NOT_AUTHORIZED]


def commanded_meanwhile(world: World, monkeypatch: pytest.MonkeyPatch, *commands: Command) -> list[str]:
    """Admit client `a` while control gives the commands; answer who was asked about, in order."""
    ask = world.control.ask

    async def overtaken(question: Question, *, deadline_s: float) -> Reply:
        monkeypatch.setattr(world.control, "ask", ask)
        answer = await ask(question, deadline_s=deadline_s)
        for command in commands:
            world.hub.tell("*", command)
        if world.kind != "direct":
            world.run()
        return answer

    monkeypatch.setattr(world.control, "ask", overtaken)
    world.client("a")
    world.run()
    return [question.client_id for question in world.control.admits]


def test_what_happens_to_others_while_a_client_is_admitted_is_not_asked_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = frozenset({"cert-of-b"})
    commands: tuple[Command, ...] = (
        Regrant(account=ACCOUNT, principals=others),
        Regrant(account="000000000000"),
        Cut(account=ACCOUNT, principal="cert-of-b", reason="FORBIDDEN_ACCESS"),
        Cut(account=ACCOUNT, client_id="b", reason="DUPLICATE_CLIENTID"),
    )

    assert commanded_meanwhile(world, monkeypatch, *commands) == ["a"]


@pytest.mark.parametrize(
    "command",
    [
        Regrant(account=ACCOUNT, principals=frozenset({"cert-of-a", "cert-of-b"})),
        Cut(account=ACCOUNT, principal="cert-of-a", reason="FORBIDDEN_ACCESS"),
    ],
    ids=["new rights", "a cut"],
)
def test_what_happens_to_a_client_while_it_is_admitted_is_asked_again(
    world: World, monkeypatch: pytest.MonkeyPatch, command: Command
) -> None:
    assert commanded_meanwhile(world, monkeypatch, command) == ["a", "a"]


def test_a_client_that_missed_more_commands_than_are_remembered_is_asked_about_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    crowd = [Regrant(account=ACCOUNT, principals=frozenset({f"cert-{number}"})) for number in range(REMEMBERED + 1)]

    assert commanded_meanwhile(world, monkeypatch, *crowd) == ["a", "a"]


def test_a_connection_is_found_by_its_principal_until_it_leaves(world: World) -> None:
    clients = [world.client(name) for name in "ab"]
    account = clients[0].connection.account

    assert account.connections_of({"cert-of-a", "cert-of-c"}) == [clients[0].connection]
    clients[0].drop()
    assert account.connections_of({"cert-of-a", "cert-of-b"}) == (
        [clients[1].connection] if account is clients[1].connection.account else []
    )


def test_new_rights_of_others_are_not_asked_again(world: World) -> None:
    world.client("a"), world.client("b")
    world.control.admits.clear()

    world.hub.tell("*", Regrant(account=ACCOUNT, principals=frozenset({"cert-of-b"})))
    world.run()

    assert {question.client_id for question in world.control.admits} == {"b"}


def test_whoever_has_the_rights_of_another_is_asked_about_with_that_one(world: World) -> None:
    world.control.admitted = {"behind": "the-user"}
    world.client("a")
    world.control.admitted = {}
    world.client("b")
    world.control.admits.clear()

    world.hub.tell("*", Regrant(account=ACCOUNT, principals=frozenset({"the-user"})))
    world.run()

    assert {question.client_id for question in world.control.admits} == {"a"}


def test_whoever_has_the_rights_of_another_is_cut_with_that_one(world: World) -> None:
    world.control.admitted = {"behind": "the-user"}
    guest = world.client("a")
    world.control.admitted = {}
    other = world.client("b")

    world.hub.tell("*", Cut(account=ACCOUNT, principal="the-user", reason="USER_DELETED"))
    world.run()

    assert guest.wire.closed
    assert not other.wire.closed


def test_who_is_not_admitted_any_more_is_cut(world: World) -> None:
    client = world.client("a")

    world.control.refuse = NotAdmitted(reason="DEVICE_CERTIFICATE_REVOKED", detail="the certificate is revoked")
    world.hub.tell("*", Regrant(account=ACCOUNT))
    world.run()

    assert client.wire.closed


def test_rights_of_one_that_cannot_be_compiled_do_not_keep_others_from_theirs(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, fine = world.client("a"), world.client("b", version=MQTT_5)

    def compiled(admitted: Admitted, client_id: str) -> GrantsLike:
        if client_id == "a":
            raise ValueError("no policy")
        return world.control.compile(admitted, client_id)

    for gateway in world.gateways:
        monkeypatch.setattr(gateway, "compile_grants", compiled)
    world.control.denied = ("iot:Publish *",)
    world.hub.tell("*", Regrant(account=ACCOUNT))
    world.run()
    fine.publish("t", qos=1)

    assert broken.wire.closed
    assert fine.acks() == [Reason.NOT_AUTHORIZED]


def test_rights_that_cannot_be_read_again_are_gone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    client = world.client("a")

    async def silent(question: Question, *, deadline_s: float) -> Reply:
        raise Unavailable("no answer within the deadline")

    monkeypatch.setattr(world.control, "ask", silent)
    world.hub.tell("*", Regrant(account=ACCOUNT))
    world.run()

    assert client.wire.closed


def test_a_gateway_tells_how_a_client_stands(world: World) -> None:
    client = world.client("a", keep_alive=60)
    gateway = client.connection._gateway

    online = gateway.connectivity(ACCOUNT, "a")
    world.clock.advance(5)
    client.drop()
    offline = gateway.connectivity(ACCOUNT, "a")

    assert online is not None
    assert (online.connected, online.peer, online.keep_alive_s, online.clean_session) == (True, "192.0.2.1", 60, True)
    assert offline is not None
    assert (offline.connected, offline.disconnect_reason) == (False, "CONNECTION_LOST")
    assert offline.disconnected_at == world.clock.now()
    assert gateway.connectivity(ACCOUNT, "never") is None
    world.advance(1900)
    assert gateway.connectivity(ACCOUNT, "a") is None


def test_a_gateway_lists_who_is_connected_and_what_they_subscribed_to(world: World) -> None:
    client = world.client("a")
    client.subscribe("t/#", "$share/g/u")
    gateway = client.connection._gateway

    assert [one.client_id for one in gateway.connected(ACCOUNT)] == ["a"]
    assert gateway.subscriptions(ACCOUNT, "a") == [("t/#", 1), ("$share/g/u", 1)]
    assert gateway.subscriptions(ACCOUNT, "never") is None


def test_a_gateway_lists_what_is_retained(world: World) -> None:
    world.client("a").publish("t", b"kept", 1, retain=True)

    for gateway in world.gateways:
        world.run()
        (found,) = gateway.retained(ACCOUNT)
        assert (found[0].topic, found[0].payload, found[1]) == ("t", b"kept", world.clock.now())


def test_a_gateway_that_stops_says_so_and_keeps_sessions(world: World) -> None:
    client = world.client("a", version=MQTT_5)

    for gateway in world.gateways:
        gateway.stop()

    assert client.take() == [Disconnect(Reason.SERVER_SHUTTING_DOWN)]
    assert client.wire.closed


def test_figures_are_answered(world: World) -> None:
    world.client("a").subscribe("t")

    figures = world.gateways[0].statistics()

    assert figures["connections"] == 1
    assert figures["subscriptions"] == 1


def test_questions_are_values(world: World) -> None:
    world.client("a").publish(JOBS)

    assert isinstance(world.control.admits[0], Admit)
    assert isinstance(world.control.asked[0], Asked)


def test_packets_and_bytes_are_counted_by_direction_and_type(world: World) -> None:
    reader, writer = world.client("reader"), world.client("writer")
    reader.subscribe("a", qos=1)
    for _ in range(4):
        writer.publish("a", qos=1)
        reader.messages()
    writer.publish("a")
    sent = len(reader.wire.written) + len(writer.wire.written)
    writer.drop()
    counted = [asyncio.run(summary(gateway)) for gateway in world.gateways]

    def total(direction: str, kind: str) -> int:
        return sum(getattr(figures, direction).get(kind, 0) for figures in counted)

    received = {kind: total("received", kind) for kind in ("CONNECT", "SUBSCRIBE", "PUBLISH")}
    assert received == {"CONNECT": 2, "SUBSCRIBE": 1, "PUBLISH": 5}
    assert {kind: total("sent", kind) for kind in ("CONNACK", "SUBACK", "PUBACK")} == {
        "CONNACK": 2,
        "SUBACK": 1,
        "PUBACK": 4,
    }
    assert total("sent", "PUBLISH") >= 5  # a bus may carry twice
    assert total("received", "PUBACK") >= 4
    assert sum(figures.bytes_out for figures in counted) == sent


@pytest.mark.parametrize("qos", [0, 1])
def test_the_short_way_counts_as_the_long_way_does(qos: int) -> None:
    world = World("direct")
    world.control.hear_nothing = True
    reader, writer = world.client("reader"), world.client("writer")
    reader.subscribe("a", qos=qos)
    for _ in range(6):
        writer.publish("a", qos=qos)

    figures = asyncio.run(summary(world.gateways[0]))
    arrived = sum(isinstance(packet, Publish) for packet in reader.take())

    assert (figures.received["PUBLISH"], figures.sent["PUBLISH"], arrived) == (6, 6, 6)
    assert figures.sent.get("PUBACK", 0) == (6 if qos else 0)


def test_a_client_that_is_refused_all_the_time_does_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    world = World("direct")
    world.control.denied = ("iot:Publish *",)
    client = world.client("c", version=MQTT_5)
    for _ in range(1000):
        client.publish("a", qos=1)

    counts = [record.__dict__["fields"]["count"] for record in caplog.records if record.message == "request refused"]
    assert counts == [*range(1, 17), 32, 64, 128, 256, 512]
    assert world.gateways[0].statistics()["refusals"] == 1000


def test_who_came_by_a_domain_configuration_is_cut_and_nobody_else(world: World) -> None:
    way = replace(way_for(Port.MQTT, []), domain="fleet", account=ACCOUNT)
    by_it = world.client("a", version=MQTT_5, peer=Peer("192.0.2.1", way_in=way))
    other = world.client("b", version=MQTT_5, peer=Peer("192.0.2.1", way_in=replace(way, domain="other")))
    plain = world.client("c", version=MQTT_5)

    world.hub.tell("*", Cut(account=ACCOUNT, domain="fleet", reason="FORBIDDEN_ACCESS"))

    assert by_it.take() == [Disconnect(Reason.ADMINISTRATIVE_ACTION)]
    assert (by_it.wire.closed, other.take(), plain.take()) == (True, [], [])
