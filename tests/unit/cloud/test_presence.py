"""What gateways tell of connections becomes rows: once, in order, and right after a crash."""

import json
from typing import Any

import pytest

from hedgerow.cloud.presence import WAITING, PresenceRecorder, wants
from hedgerow.cloud.registry import INDEXED, Stores
from hedgerow.gateway.ports import Message
from hedgerow.services.iot.connectivity import Presence
from hedgerow.services.iot.things.model import Thing
from tests.support.store import CALLER, OTHER_ACCOUNT, MemoryRun, MemoryStore

ACCOUNT = CALLER.account


class World:
    def __init__(self) -> None:
        self.store, self.stores = MemoryStore(), Stores()
        self.recorder = PresenceRecorder(
            run=MemoryRun(self.store),
            store=self.stores.connectivity,
            things=self.stores.things,
            index=INDEXED,
            describe=lambda _account, _client: None,
        )

    def thing(self, name: str, account: str = ACCOUNT) -> None:
        with self.store.tx() as tx:
            self.stores.things.add(tx, account, Thing(name=name, id=name, type=None, attributes={}, version=1))

    def tell(self, word: str, client: str, *, epoch: int, at: float, account: str = ACCOUNT, **more: Any) -> None:
        event = {"clientId": client, "timestamp": at * 1000, "eventType": word, "versionNumber": epoch, **more}
        payload = json.dumps(event).encode()
        self.recorder.on_message(
            Message(account=account, topic=f"$aws/events/presence/{word}/{client}", payload=payload, qos=1)
        )

    def known(self, thing: str, account: str = ACCOUNT) -> Presence | None:
        with self.store.tx() as tx:
            return self.stores.connectivity.get(tx, account, thing)


@pytest.fixture
def world() -> World:
    return World()


async def test_a_connection_and_its_end_are_kept(world: World) -> None:
    world.thing("a")
    world.tell("connected", "a", epoch=0, at=1.0)
    await world.recorder.write()
    first = world.known("a")
    world.tell("disconnected", "a", epoch=0, at=2.0, disconnectReason="CONNECTION_LOST")
    await world.recorder.write()

    last = world.known("a")
    assert first is not None
    assert last is not None
    assert (first.connected, last.connected, last.reason, last.at) == (True, False, "CONNECTION_LOST", 2.0)


async def test_news_that_is_late_or_comes_twice_changes_nothing(world: World) -> None:
    world.thing("a")
    world.tell("connected", "a", epoch=1, at=3.0)
    world.tell("disconnected", "a", epoch=0, at=2.0, disconnectReason="DUPLICATE_CLIENTID")
    await world.recorder.write()
    world.tell("disconnected", "a", epoch=0, at=2.0, disconnectReason="DUPLICATE_CLIENTID")
    await world.recorder.write()

    known = world.known("a")
    assert known is not None
    assert (known.connected, known.epoch) == (True, 1)


async def test_a_certificate_of_one_thing_speaks_for_it_under_any_client_id(world: World) -> None:
    world.thing("pump")
    world.tell("connected", "other-name", epoch=0, at=1.0, thingName="pump")
    await world.recorder.write()

    assert world.known("pump") is not None
    assert world.known("other-name") is None


async def test_a_thing_that_is_made_while_its_device_is_connected_is_connected(world: World) -> None:
    world.tell("connected", "early", epoch=3, at=1.0)
    await world.recorder.write()
    world.thing("early")
    known = world.known("early")

    world.tell("disconnected", "early", epoch=3, at=2.0, disconnectReason="CONNECTION_LOST")
    await world.recorder.write()

    last = world.known("early")
    assert known is not None
    assert last is not None
    assert (known.connected, last.connected, last.reason) == (True, False, "CONNECTION_LOST")


async def test_a_device_that_was_away_until_its_number_was_forgotten_is_connected_again(world: World) -> None:
    world.thing("a")
    for epoch in range(3):
        world.tell("connected", "a", epoch=epoch, at=epoch + 1.0)
        world.tell("disconnected", "a", epoch=epoch, at=epoch + 1.5, disconnectReason="CONNECTION_LOST")
    await world.recorder.write()

    world.tell("connected", "a", epoch=0, at=7200.0)
    await world.recorder.write()

    known = world.known("a")
    assert known is not None
    assert (known.connected, known.epoch, known.at) == (True, 0, 7200.0)


async def test_of_a_client_that_never_was_a_thing_nothing_is_left(world: World) -> None:
    world.tell("connected", "stranger", epoch=1, at=1.0)
    await world.recorder.write()
    world.tell("disconnected", "stranger", epoch=0, at=0.5, disconnectReason="DUPLICATE_CLIENTID")
    await world.recorder.write()
    while_connected = world.known("stranger")

    world.tell("disconnected", "stranger", epoch=1, at=2.0, disconnectReason="CONNECTION_LOST")
    await world.recorder.write()

    assert while_connected is not None
    assert world.known("stranger") is None


async def test_a_thing_that_was_deleted_while_connected_is_not_connected_for_ever(world: World) -> None:
    world.thing("a")
    world.tell("connected", "a", epoch=0, at=1.0)
    await world.recorder.write()
    with world.store.tx() as tx:
        world.stores.things.remove(tx, ACCOUNT, "a")
    world.tell("disconnected", "a", epoch=0, at=2.0, disconnectReason="CONNECTION_LOST")
    await world.recorder.write()

    world.thing("a")

    assert world.known("a") is None


async def test_a_crash_leaves_nothing_of_clients_without_things(world: World) -> None:
    for number in range(120):
        world.tell("connected", f"c{number}", epoch=0, at=1.0)
    await world.recorder.write()

    await world.recorder.begin()

    assert [number for number in range(120) if world.known(f"c{number}") is not None] == []


async def test_accounts_do_not_meet(world: World) -> None:
    world.thing("a")
    world.thing("a", OTHER_ACCOUNT.account)
    world.tell("connected", "a", epoch=0, at=1.0)
    await world.recorder.write()

    assert world.known("a", OTHER_ACCOUNT.account) is None


async def test_at_the_start_nobody_is_connected(world: World) -> None:
    for number in range(120):
        world.thing(f"t{number}")
        world.tell("connected", f"t{number}", epoch=0, at=1.0)
    await world.recorder.write()

    await world.recorder.begin()

    left = [one for one in (world.known(f"t{number}") for number in range(120)) if one is None or one.connected]
    assert left == []


async def test_what_waits_is_bounded_and_counted(world: World) -> None:
    for number in range(WAITING + 2):
        world.recorder._waiting[ACCOUNT, str(number)] = Presence(
            thing=str(number), client_id=str(number), connected=True, at=1.0, epoch=0
        )
    world.tell("connected", "one-more", epoch=0, at=1.0)

    assert world.recorder.statistics()["dropped"] == 1


@pytest.mark.parametrize(
    ("topic", "wanted"),
    [
        ("$aws/events/presence/connected/a", True),
        ("$aws/events/presence/disconnected/a", True),
        ("$aws/events/presence/connect_failed/a", False),
        ("$aws/events/subscriptions/subscribed/a", False),
    ],
)
def test_only_begin_and_end_are_wanted(topic: str, wanted: bool) -> None:
    assert wants(topic) is wanted
