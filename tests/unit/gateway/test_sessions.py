import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from hedgerow.core.mqtt import (
    MQTT_3_1_1,
    MQTT_5,
    Ack,
    Disconnect,
    Kind,
    Properties,
    Property,
    Publish,
    Reason,
    Unsubscribe,
    Will,
)
from hedgerow.core.mqtt.limits import OWN, Limits
from hedgerow.core.mqtt.records import Loaded, Record, SessionSaved, SubscriptionsChanged
from hedgerow.gateway.journal import Done, MemoryJournal
from hedgerow.gateway.keeping import CHANGES, EXPIRIES
from hedgerow.gateway.ports import Cut, Regrant
from hedgerow.gateway.recovery import REMEMBERED_S
from tests.unit.gateway.control import ACCOUNT
from tests.unit.gateway.world import Client, World

KEPT: Properties = {Property.SESSION_EXPIRY: 600}


def kept_client(world: World, version: int, client_id: str = "kept", *, fresh: bool = False) -> Client:
    properties: Properties = KEPT if version == MQTT_5 else {}
    return world.client(client_id, version=version, clean=fresh, properties=properties)


def payloads(client: Client) -> list[bytes]:
    """What came with the CONNACK, doubles dropped."""
    return list(dict.fromkeys(packet.payload for packet in client.inbox if isinstance(packet, Publish)))


def event(world: World, word: str, client_id: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(world.heard(f"$aws/events/presence/{word}/{client_id}")[-1])
    return found


versions = pytest.mark.parametrize("version", [MQTT_3_1_1, MQTT_5])


@versions
@pytest.mark.spec("JB-41")
def test_what_came_while_a_kept_session_was_offline_is_delivered_in_order(world: World, version: int) -> None:
    client, sender = kept_client(world, version), world.client("s")
    client.subscribe("t")
    client.drop()

    for number in range(5):
        sender.publish("t", b"%d" % number, 1)
    sender.publish("t", b"not kept", 0)
    again = kept_client(world, version)

    assert world.connack(again).session_present
    assert payloads(again) == [b"0", b"1", b"2", b"3", b"4"]


@versions
def test_what_was_not_acknowledged_comes_again_first(world: World, version: int) -> None:
    client, sender = kept_client(world, version), world.client("s")
    client.subscribe("t")
    sender.publish("t", b"1", 1)
    sender.publish("t", b"2", 1)
    first = next(packet for packet in client.take() if isinstance(packet, Publish))
    client.send(Ack(Kind.PUBACK, first.packet_id))
    client.drop()
    sender.publish("t", b"3", 1)

    again = kept_client(world, version)

    found = payloads(again)
    assert found[-1] == b"3"
    assert b"2" in found


@versions
def test_a_clean_start_ends_the_old_session(world: World, version: int) -> None:
    client, sender = kept_client(world, version), world.client("s")
    client.subscribe("t")
    client.drop()
    sender.publish("t", b"1", 1)

    again = kept_client(world, version, fresh=True)
    sender.publish("t", b"2", 1)

    assert not world.connack(again).session_present
    assert payloads(again) == []
    assert again.messages() == []


def test_a_session_of_one_version_is_not_resumed_by_the_other(world: World) -> None:
    client = kept_client(world, MQTT_3_1_1)
    client.subscribe("t")
    client.drop()

    again = kept_client(world, MQTT_5)

    assert not world.connack(again).session_present


@versions
def test_a_kept_session_ends_after_its_time(world: World, version: int) -> None:
    client = kept_client(world, version)
    client.drop()

    world.advance(3601)

    assert not world.connack(kept_client(world, version)).session_present


def test_a_disconnect_may_end_a_kept_session(world: World) -> None:
    client = kept_client(world, MQTT_5)

    client.send(Disconnect(0, {Property.SESSION_EXPIRY: 0}))

    assert not world.connack(kept_client(world, MQTT_5)).session_present


def test_a_disconnect_may_not_keep_a_session_after_all(world: World) -> None:
    client = world.client("a", version=MQTT_5)

    client.send(Disconnect(0, {Property.SESSION_EXPIRY: 60}))

    assert client.take() == [Disconnect(Reason.PROTOCOL_ERROR)]


def test_the_newest_is_dropped_when_a_queue_is_full(world_with: Callable[[Limits], World]) -> None:
    world = world_with(replace(OWN, queued=3))
    client, sender = kept_client(world, MQTT_3_1_1), world.client("s")
    client.subscribe("t")
    client.drop()

    for number in range(5):
        sender.publish("t", b"%d" % number, 1)

    assert payloads(kept_client(world, MQTT_3_1_1))[:2] == [b"0", b"1"]
    assert sum(gateway.router.dropped for gateway in world.gateways) >= 2


@versions
def test_the_newer_connection_of_a_client_id_wins(world: World, version: int) -> None:
    old = world.client("same", version=version, will=Will("gone", b"old"))
    listener = world.client("l")
    listener.subscribe("gone")

    new = world.client("same", version=version)

    assert old.wire.closed
    assert old.take() == ([Disconnect(Reason.SESSION_TAKEN_OVER)] if version == MQTT_5 else [])
    assert not new.wire.closed
    assert listener.messages() == [("gone", b"old")]
    assert event(world, "disconnected", "same")["disconnectReason"] == "DUPLICATE_CLIENTID"
    new.publish("t", qos=1)
    assert new.acks() == [0]


@versions
def test_a_kept_session_is_taken_over_with_its_subscriptions(world: World, version: int) -> None:
    old = kept_client(world, version)
    old.subscribe("t")

    new = kept_client(world, version)
    world.client("s").publish("t", b"1", 1)

    assert world.connack(new).session_present
    assert new.messages() == [("t", b"1")]


@versions
@pytest.mark.spec("JB-41")
def test_a_lost_connection_publishes_the_will(world: World, version: int) -> None:
    listener = world.client("l")
    listener.subscribe("gone")
    client = world.client("a", version=version, will=Will("gone", b"a", 1))

    client.drop()

    assert listener.messages() == [("gone", b"a")]


@versions
def test_a_disconnect_takes_the_will_back(world: World, version: int) -> None:
    listener = world.client("l")
    listener.subscribe("gone")
    client = world.client("a", version=version, will=Will("gone", b"a"))

    client.send(Disconnect())

    assert listener.messages() == []
    assert event(world, "disconnected", "a")["clientInitiatedDisconnect"] is True


def test_a_disconnect_with_will_sends_it(world: World) -> None:
    listener = world.client("l")
    listener.subscribe("gone")
    client = world.client("a", version=MQTT_5, will=Will("gone", b"a"))

    client.send(Disconnect(Reason.DISCONNECT_WITH_WILL))

    assert listener.messages() == [("gone", b"a")]


def test_a_retained_will_is_kept(world: World) -> None:
    client = world.client("a", will=Will("gone", b"a", 0, True))
    client.drop()

    late = world.client("l")

    late.subscribe("gone")
    assert [packet.payload for packet in late.inbox if isinstance(packet, Publish)] == [b"a"]


def test_a_will_waits_for_its_delay_with_own_limits_and_is_taken_back_by_a_return(
    world_with: Callable[[Limits], World],
) -> None:
    world = world_with(OWN)
    listener = world.client("l", keep_alive=0)
    listener.subscribe("gone")
    will = Will("gone", b"a", 0, False, {Property.WILL_DELAY: 30})
    for client_id in ("stays away", "comes back"):
        world.client(client_id, version=MQTT_5, clean=False, will=will, properties=KEPT).drop()

    world.advance(10)
    assert listener.messages() == []
    for gateway in world.gateways:  # the same gateway, whichever it was
        world._next = world.gateways.index(gateway)
        if "comes back" in gateway.account("123456789012").sessions:
            world.client("comes back", version=MQTT_5, clean=False, properties=KEPT, keep_alive=0)
            break
    world.advance(30)

    assert listener.messages() == [("gone", b"a")]
    assert sum(message.topic == "gone" for message in world.control.heard) <= 2  # one, perhaps doubled by the bus


@pytest.mark.spec("JB-93")
def test_connected_and_disconnected_are_told_in_awss_words(world: World) -> None:
    client = world.client("a")
    client.drop()

    connected, disconnected = event(world, "connected", "a"), event(world, "disconnected", "a")
    assert connected == {
        "clientId": "a",
        "timestamp": 1_800_000_000_000,
        "eventType": "connected",
        "sessionIdentifier": connected["sessionIdentifier"],
        "principalIdentifier": "cert-of-a",
        "ipAddress": "192.0.2.1",
        "versionNumber": 0,
    }
    assert disconnected == {
        "clientId": "a",
        "timestamp": 1_800_000_000_000,
        "eventType": "disconnected",
        "clientInitiatedDisconnect": False,
        "sessionIdentifier": connected["sessionIdentifier"],
        "principalIdentifier": "cert-of-a",
        "versionNumber": 0,
        "disconnectReason": "CONNECTION_LOST",
    }


def test_the_version_number_grows_with_each_connection(world: World) -> None:
    for number in range(3):
        world.client("a").drop()

        assert event(world, "connected", "a")["versionNumber"] == number


def test_a_thing_is_named_only_when_it_is_attached_exclusively(world: World) -> None:
    world.client("a")
    world.control.admitted = {"thing": "radio"}
    world.client("b")

    assert "thingName" not in event(world, "connected", "a")
    assert event(world, "connected", "b")["thingName"] == "radio"


@pytest.mark.parametrize(("before", "after"), [(None, "radio"), ("radio", None), ("radio", "lamp")])
def test_a_connection_ends_as_the_thing_as_which_it_began(world: World, before: str | None, after: str | None) -> None:
    world.control.admitted = {"thing": before}
    client = world.client("a")
    world.control.admitted = {"thing": after}
    world.hub.tell("*", Regrant(account=ACCOUNT))
    world.run()
    client.drop()

    assert event(world, "connected", "a").get("thingName") == before
    assert event(world, "disconnected", "a").get("thingName") == before


def test_a_client_id_that_would_be_a_wildcard_has_no_events(world: World) -> None:
    world.client("a/#").drop()

    assert [message for message in world.control.heard if "presence" in message.topic] == []


def test_a_web_sockets_good_bye_is_the_clients_own(world: World) -> None:
    listener = world.client("l")
    listener.subscribe("gone")
    client = world.client("a", will=Will("gone", b"a"))

    client.drop(graceful=True)

    assert event(world, "disconnected", "a")["disconnectReason"] == "CLIENT_INITIATED_DISCONNECT"
    assert listener.messages() == []


@versions
@pytest.mark.spec("X-06")
def test_after_a_crash_kept_sessions_have_what_was_acknowledged(world: World, version: int) -> None:
    client, sender = kept_client(world, version), world.client("s")
    client.subscribe("t")
    sender.publish("t", b"online", 1)
    client.take()
    client.drop()
    sender.publish("t", b"offline", 1)

    with world.restarted():
        again = kept_client(world, version)

    assert world.connack(again).session_present
    assert payloads(again) == [b"online", b"offline"]


@versions
def test_after_a_crash_what_the_client_had_acknowledged_does_not_come_again(world: World, version: int) -> None:
    client, sender = kept_client(world, version), world.client("s")
    client.subscribe("t")
    sender.publish("t", b"1", 1)
    for _ in range(2):
        client.messages()

    with world.restarted():
        again = kept_client(world, version)

    assert payloads(again) == []


@pytest.mark.spec("JB-93", "X-06")
def test_after_a_crash_wills_are_sent_and_disconnections_told(world: World) -> None:
    world.client("a", will=Will("gone", b"a"))
    world.control.heard.clear()

    with world.restarted():
        pass

    assert world.heard("gone") == [b"a"]
    assert event(world, "disconnected", "a")["disconnectReason"] == "SERVER_ERROR"


def test_after_a_crash_a_will_lives_as_long_as_it_was_meant_to(world: World) -> None:
    will = Will("gone", b"a", 0, True, {Property.MESSAGE_EXPIRY: 60})
    world.client("a", version=MQTT_5, will=will)

    with world.restarted():
        late = world.client("l", version=MQTT_5)
    late.subscribe("gone")

    found = [packet for packet in late.inbox if isinstance(packet, Publish)]
    assert found[0].properties[Property.MESSAGE_EXPIRY] == 60


def test_after_a_second_crash_wills_are_not_sent_again(world: World) -> None:
    world.client("a", will=Will("gone", b"a"), clean=False)
    world.client("b", will=Will("gone", b"b"))
    with world.restarted():
        pass
    world.control.heard.clear()

    with world.restarted():
        pass

    assert world.control.heard == []


@pytest.mark.spec("X-06")
def test_after_a_crash_retained_messages_are_there(world: World) -> None:
    world.client("s").publish("t", b"kept", 1, retain=True)

    with world.restarted():
        late = world.client("l")
    late.subscribe("t")

    assert [packet.payload for packet in late.inbox if isinstance(packet, Publish)] == [b"kept"]


def test_a_publication_that_the_journal_refuses_is_not_acknowledged(world: World) -> None:
    kept_client(world, MQTT_3_1_1).subscribe("t")
    sender = world.client("s")
    journal = world.journal
    assert isinstance(journal, MemoryJournal)
    journal.broken = True

    sender.publish("t", qos=1)
    sender.publish("u", qos=1)

    assert sender.take() == [Ack(Kind.PUBACK, 7)]  # of `u` alone, which nobody needs durably


def test_a_kept_session_that_cannot_be_stored_is_not_promised(world: World) -> None:
    journal = world.journal
    assert isinstance(journal, MemoryJournal)
    journal.broken = True

    client = kept_client(world, MQTT_5)

    assert world.connack(client).code == Reason.SERVER_UNAVAILABLE
    assert client.wire.closed


def test_nothing_of_clean_sessions_stays_in_the_journal(world: World) -> None:
    client, sender = world.client("a"), world.client("s")
    client.subscribe("t")
    sender.publish("t", b"1", 1)

    client.drop()
    sender.drop()

    assert [world.journal.load(gateway.name) for gateway in world.gateways] == [Loaded()] * len(world.gateways)


@pytest.mark.parametrize(("prevent", "sent"), [(True, []), (False, [("gone", b"a")])])
def test_a_delayed_will_is_taken_back_when_it_is_not_wanted(prevent: bool, sent: list[tuple[str, bytes]]) -> None:
    world = World(limits=OWN)
    will = Will("gone", b"a", 0, False, {Property.WILL_DELAY: 30})
    watcher = world.client("w", version=MQTT_5)
    watcher.subscribe("gone", qos=0)
    world.client("a", version=MQTT_5, will=will, properties={Property.SESSION_EXPIRY: 100}).drop()

    world.hub.tell("*", Cut(account=ACCOUNT, client_id="a", reason="API_INITIATED_DISCONNECT", prevent_will=prevent))
    world.advance(31)

    assert watcher.messages() == sent


def test_visits_of_one_client_leave_nothing_behind_but_its_session(world: World) -> None:
    for _ in range(EXPIRIES + 10):
        kept_client(world, MQTT_3_1_1).drop()
    remembered = sum(len(gateway.sessions._expiries) for gateway in world.gateways)

    world.advance(world.limits.expiry_3_1_1 + 1)

    assert remembered < EXPIRIES
    assert not world.connack(kept_client(world, MQTT_3_1_1)).session_present


@pytest.mark.parametrize("cleanly", [True, False])
def test_the_number_of_a_clients_connections_goes_on_after_a_restart(cleanly: bool) -> None:
    """Whoever follows lifecycle events takes what has a lower number for an old one."""
    world = World()
    for _ in range(3):
        world.client("there")
        world.client("gone").send(Disconnect())
    kept_client(world, MQTT_3_1_1)
    if cleanly:
        world.gateways[0].stop()
    word = "SERVER_INITIATED_DISCONNECT" if cleanly else "SERVER_ERROR"

    with world.restarted():
        known = {name: world.gateways[0].connectivity(ACCOUNT, name) for name in ("there", "gone", "kept")}
        world.control.heard.clear()
        world.client("there")
        world.client("gone")
        kept_client(world, MQTT_3_1_1)

    assert event(world, "connected", "there")["versionNumber"] == 3
    assert event(world, "connected", "gone")["versionNumber"] == (3 if cleanly else 0)  # a crash takes no notes
    assert event(world, "connected", "kept")["versionNumber"] == 1
    for name in ("there", "kept"):
        found = known[name]
        assert found is not None
        assert (found.connected, found.disconnect_reason, found.principal) == (False, word, f"cert-of-{name}")
        assert (found.keep_alive_s, found.clean_session) == (60, name == "there")


def test_what_is_known_of_a_client_is_forgotten_in_time_over_a_restart_too() -> None:
    world = World()
    world.client("gone")
    world.gateways[0].stop()
    world.clock.advance(REMEMBERED_S + 1)

    with world.restarted():
        assert world.gateways[0].connectivity(ACCOUNT, "gone") is None


@versions
def test_filters_that_were_subscribed_to_one_by_one_are_there_after_a_crash(world: World, version: int) -> None:
    client = kept_client(world, version)
    for number in range(10):
        client.subscribe(f"t/{number}")
    client.send(Unsubscribe(2, ("t/3", "t/4")))
    client.subscribe("t/4", "t/5", qos=0)

    with world.restarted():
        kept_client(world, version)

    (found,) = [one for gateway in world.gateways if (one := gateway.subscriptions(ACCOUNT, "kept"))]
    assert dict(found) == {f"t/{number}": int(number not in (4, 5)) for number in range(10) if number != 3}


def test_a_subscription_is_written_by_itself_and_many_changes_as_a_whole() -> None:
    journal = Counting()
    world = World(journal=journal)
    client = kept_client(world, MQTT_3_1_1)

    for _ in range(CHANGES):
        client.subscribe("t")
    before = dict(journal.kinds)
    client.subscribe("t")
    client.subscribe("t")

    assert before == {SessionSaved: 1, SubscriptionsChanged: CHANGES}
    assert journal.kinds[SessionSaved] == 2


class Counting(MemoryJournal):
    """Counts what is written of sessions."""

    def __init__(self) -> None:
        super().__init__()
        self.kinds: Counter[type] = Counter()

    def append(self, records: Sequence[Record], done: Done | None = None) -> None:
        self.kinds.update(type(one) for one in records if isinstance(one, SessionSaved | SubscriptionsChanged))
        super().append(records, done)
