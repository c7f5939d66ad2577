"""What the gateway says in IoT logs: about those of whom it is wanted, and at no cost to the others."""

from collections.abc import Sequence
from typing import Any

import pytest

from hedgerow.core.iotlog import Entry, Level, LogRules, Wanted
from hedgerow.core.mqtt import Publish, Unsubscribe
from hedgerow.gateway import activity
from hedgerow.gateway.activity import TOPIC, decode
from hedgerow.gateway.ports import Regrant
from tests.unit.gateway.control import ACCOUNT
from tests.unit.gateway.world import V5, Client, World

INFO, ERROR = Wanted(level=Level.INFO), Wanted(level=Level.ERROR)


def said(world: World) -> Sequence[Entry]:
    """What came to control; on a bus that carries twice, once."""
    world.run()
    batches = {decode(message)[:2]: decode(message)[3] for message in world.control.heard if message.topic == TOPIC}
    return [entry for entries in batches.values() for entry in entries]


def watched(world: World, client_id: str = "c", wanted: Wanted | None = INFO, **options: Any) -> Client:
    world.control.admitted = {"logging": wanted}
    client = world.client(client_id, **options)
    world.control.admitted = {}
    return client


def events(world: World) -> list[tuple[str, str | None]]:
    return [(entry.event, entry.fields.get("topicName")) for entry in said(world)]


def test_a_life_of_a_client_is_told_in_order(world: World) -> None:
    client = watched(world)
    client.subscribe("a/b")
    client.publish("x/y")
    client.send(Unsubscribe(2, ("a/b",)))
    client.drop()

    assert events(world) == [
        ("Connect", None),
        ("Subscribe", "a/b"),
        ("Publish-In", "x/y"),
        ("Unsubscribe", "a/b"),
        ("Disconnect", None),
    ]
    last = said(world)[-1]
    assert (last.account, last.fields["disconnectReason"], last.fields["clientId"]) == (ACCOUNT, "CONNECTION_LOST", "c")


@pytest.mark.parametrize("qos", [0, 1])
def test_each_message_is_told_however_often_its_topic_was_published_to(world: World, qos: int) -> None:
    reader, writer = watched(world, "reader"), world.client("writer")
    reader.subscribe("a", qos=qos)
    sent = 0
    for _ in range(3):
        writer.publish("a", qos=qos)
        sent += sum(isinstance(packet, Publish) for packet in reader.take())

    assert sent >= 3  # a bus may carry twice
    assert events(world).count(("Publish-Out", "a")) == sent


def test_what_waited_for_a_client_is_told_when_it_is_sent(world: World) -> None:
    first = watched(world, "reader", clean=False)
    first.subscribe("a")
    first.drop()
    world.client("writer").publish("a", qos=1)
    before = events(world).count(("Publish-Out", "a"))

    watched(world, "reader", clean=False).messages()

    assert (before, events(world).count(("Publish-Out", "a"))) == (0, 1)


def test_nothing_is_said_of_others(world: World) -> None:
    reader = world.client("reader")
    reader.subscribe("a")
    world.client("writer").publish("a")

    assert reader.messages() == [("a", b"x")]
    assert events(world) == []


def test_a_denied_publication_and_subscription_say_why(world: World) -> None:
    world.control.denied = ("iot:Publish topic/x", "iot:Subscribe topicfilter/x")
    client = watched(world, wanted=ERROR, version=V5)
    client.subscribe("x")
    client.publish("x", qos=1)

    assert [(one.event, one.level, one.failed, one.fields["reason"], one.fields["details"]) for one in said(world)] == [
        ("Subscribe", Level.ERROR, True, "AUTHORIZATION_FAILURE", "no statement allows it"),
        ("Publish-In", Level.ERROR, True, "AUTHORIZATION_FAILURE", "no statement allows it"),
    ]


def test_who_may_not_connect_is_told(world: World) -> None:
    world.control.denied = ("iot:Connect *",)
    watched(world, wanted=ERROR)

    (one,) = said(world)
    assert (one.event, one.failed, one.fields["reason"]) == ("Connect", True, "AUTHORIZATION_FAILURE")


def test_a_publication_carries_the_id_of_its_line(world: World) -> None:
    watched(world).publish("x/y")

    world.run()
    (message,) = {message for message in world.control.heard if message.topic == "x/y"}
    assert [message.trace] == [entry.trace for entry in said(world) if entry.event == "Publish-In"]


@pytest.mark.parametrize("fixed", [False, True], ids=["asked again", "let in by a custom authorizer"])
def test_who_is_there_is_told_of_from_the_moment_it_is_wanted(world: World, fixed: bool) -> None:
    world.control.admitted = {"fixed": fixed}
    client = world.client("c")
    client.publish("a")
    world.control.admitted = {"logging": INFO}
    world.hub.tell("*", Regrant(account=ACCOUNT, logging=LogRules(default=Level.INFO)))
    world.run()
    client.publish("a")

    assert events(world) == [("Publish-In", "a")]


def test_what_is_more_than_a_turn_holds_is_counted(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(activity, "LINES", 2)
    client = watched(world)
    said(world)
    client.connection.receive(b"".join(b"\x30\x04\0\x01t" + bytes((number,)) for number in range(5)))

    world.run()
    (batch,) = {decode(m)[:3] for m in world.control.heard if m.topic == TOPIC and decode(m)[2]}
    assert batch[2] == 3
    assert sum(gateway.activity.dropped for gateway in world.gateways) == 3
