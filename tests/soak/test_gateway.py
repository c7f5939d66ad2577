"""Long by nature: many kills while messages are under way, a million topics, ten thousand connections."""

import gc
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from bench.brokers import hedgerow
from bench.load import holding

from hedgerow.core.mqtt import MQTT_3_1_1, Publish, Subscribe, encode
from hedgerow.core.mqtt.limits import OWN
from hedgerow.gateway.ports import Admitted, Message, Stored
from tests.support.kills import ASLEEP, AWAKE, HOOK, UNCLOSED, kill_again_and_again
from tests.unit.gateway.certificates import Pki
from tests.unit.gateway.control import Answered, FakeControl, Rights
from tests.unit.gateway.world import Client, World

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1800)]

KILLS = 50
TOPICS = 1_000_000
SUBSCRIBERS = 20
AT_ONCE = 500
CONNECTIONS = 8_000  # each end has a file descriptor of its own process
IDLE_KB = 60


@pytest.mark.filterwarnings(UNCLOSED)
@pytest.mark.spec("X-06", "JB-41")
def test_what_was_acknowledged_arrives_in_order_after_fifty_kills(tmp_path: Path) -> None:
    acknowledged = kill_again_and_again(tmp_path, KILLS, seed=KILLS)

    assert all(acknowledged[topic] > 100 for topic in (AWAKE, ASLEEP, HOOK))


class Anything(Rights):
    """Allows everything and remembers nothing."""

    def decide(self, action: str, resource: str, context: Mapping[str, Any] | None = None) -> Answered:
        return Answered(True)


class Forgetful(FakeControl):
    def compile(self, admitted: Admitted, client_id: str) -> Rights:
        return Anything(())

    def _hear(self, message: Message, stored: Stored | None) -> None:
        if stored is not None:
            stored(True)


def world() -> World:
    made = World("direct", OWN)
    made.control.hear_nothing = True
    made.control.compile = Forgetful().compile  # type: ignore[method-assign]  # it remembers every question else
    for gateway in made.gateways:
        gateway.compile_grants = made.control.compile
    return made


def resident_mb() -> float:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6


def forget(client: Client) -> None:
    client.wire.written.clear()
    client._read = 0


def topic(number: int) -> str:
    return f"site/{number % 1000}/device/{number}/state"


def test_publishing_to_a_million_topics_takes_no_memory_that_stays() -> None:
    all_of_it = world()
    talker = all_of_it.client("talker")
    before = resident_mb()

    for number in range(TOPICS):
        talker.connection.receive(encode(Publish(topic(number), b"x", 1, packet_id=1), MQTT_3_1_1))
        if not number % AT_ONCE:
            all_of_it.run()
            forget(talker)

    assert resident_mb() - before < 60


def test_a_tree_of_a_million_filters_is_bounded_and_leaves_nothing() -> None:
    all_of_it = world()
    before = resident_mb()
    clients = [all_of_it.client(f"c{number}") for number in range(SUBSCRIBERS)]
    share = TOPICS // SUBSCRIBERS

    for number, client in enumerate(clients):
        for at in range(number * share, (number + 1) * share, AT_ONCE):
            client.send(Subscribe(1, tuple((topic(each), 1) for each in range(at, at + AT_ONCE))))
            all_of_it.control.heard.clear()
            forget(client)
    grown = resident_mb() - before
    all_of_it.client("talker").publish(topic(TOPICS - 1), b"hello")
    got = clients[-1].messages()
    subscribed = all_of_it.gateways[0].statistics()["subscriptions"]
    for client in clients:
        client.drop()

    assert subscribed == TOPICS
    assert got == [(topic(TOPICS - 1), b"hello")]
    assert grown < 1_500  # MB: 1.5 kB for each
    assert all_of_it.gateways[0].statistics()["subscriptions"] == 0


@pytest.mark.skipif(shutil.which("cc") is None, reason="the clients are a C program: apt install gcc libssl-dev")
def test_many_idle_connections_take_little_memory_each(tmp_path: Path) -> None:
    Pki(tmp_path).make("device")
    with hedgerow(tmp_path) as broker:
        before = broker.pss_kb()
        with holding(tmp_path, broker, "idle", count=CONNECTIONS, size=1024):
            each = (broker.pss_kb() - before) / CONNECTIONS

    assert each < IDLE_KB
