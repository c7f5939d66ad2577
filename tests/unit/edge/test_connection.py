import asyncio
import io
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from hedgerow.core.mqtt import MQTT_3_1_1, MQTT_5, Property, Publish, Reason
from hedgerow.edge import tls
from hedgerow.edge.backoff import Backoff
from hedgerow.edge.configuration import Endpoint, Mqtt
from hedgerow.edge.connection import Connection, Offline
from hedgerow.edge.identity import Identity
from hedgerow.edge.notice import Console
from hedgerow.edge.spool import Outgoing, Spool
from hedgerow.edge.state import State
from hedgerow.edge.trouble import NotLetIn, Trouble
from tests.support.clock import FakeClock
from tests.unit.edge.peer import Peer, running
from tests.unit.edge.pki import Pki


class Device:
    """A connection under test: what it says, what it spooled."""

    def __init__(self, state: State, peer: Peer, pki: Pki, **settings: Any) -> None:
        certificate, key = pki.claim
        self.said = io.StringIO()
        self.clock = FakeClock()
        self.state = state
        self.connection = Connection(
            endpoint=Endpoint("localhost", peer.port),
            identity=Identity(thing_name="site-1", certificate=certificate, private_key=key),
            root_ca=str(pki.root_ca),
            settings=Mqtt(operation_timeout_s=1.0, **settings),
            context=lambda: _context(pki),
            spool=Spool(state, limit_bytes=settings.get("spool_bytes", 10_000)),
            clock=self.clock,
            console=Console(self.said),
            backoff=Backoff(first_s=0.005, most_s=0.01, slow_s=0.005, slowest_s=0.01),
        )


async def _context(pki: Pki) -> ssl.SSLContext:
    return tls.mutual(root_ca=pki.root_ca, certificate=pki.claim[0], private_key=pki.claim[1])


@asynccontextmanager
async def device(folder: Path, peer: Peer, pki: Pki, **settings: Any) -> AsyncIterator[Device]:
    state = State(folder / "state.db")
    one = Device(state, peer, pki, **settings)
    try:
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(one.connection.run())
            try:
                yield one
            finally:
                task.cancel()
    finally:
        state.close()


def payloads(peer: Peer, topic: str) -> list[bytes]:
    return [payload for one, payload in peer.messages if one == topic]


@pytest.mark.parametrize(("name", "version"), [(5, MQTT_5), (4, MQTT_3_1_1)])
def test_it_connects_as_the_thing_with_a_session_that_lasts(tmp_path: Path, pki: Pki, name: int, version: int) -> None:
    async def scenario() -> None:
        async with running(pki.listener()) as peer, device(tmp_path, peer, pki, version=name) as one:
            await peer.until(lambda: one.connection.connected)

            connect = peer.connects[0]
            assert (connect.client_id, connect.clean_start, connect.version) == ("site-1", False, version)
            assert connect.properties.get(Property.SESSION_EXPIRY) == (604_800 if version == MQTT_5 else None)

    asyncio.run(scenario())


@pytest.mark.spec("JB-52", "AL-05")
def test_what_was_published_offline_arrives_in_order_after_the_connection_is_back(tmp_path: Path, pki: Pki) -> None:
    async def scenario() -> None:
        async with running(pki.listener()) as peer:
            peer.refuse_with = Reason.SERVER_UNAVAILABLE
            async with device(tmp_path, peer, pki) as one:
                await peer.until(lambda: peer.connects)
                for number in range(20):
                    await one.connection.publish(Outgoing(topic="t", payload=b"%d" % number))
                peer.refuse_with = 0
                await peer.until(lambda: len(payloads(peer, "t")) == 20)

            assert payloads(peer, "t") == [b"%d" % number for number in range(20)]

    asyncio.run(scenario())


@pytest.mark.spec("JB-52", "AL-05")
def test_what_was_published_survives_the_process(tmp_path: Path, pki: Pki) -> None:
    async def scenario() -> None:
        async with running(pki.listener()) as peer:
            peer.refuse_with = Reason.SERVER_UNAVAILABLE
            async with device(tmp_path, peer, pki) as one:
                await one.connection.publish(Outgoing(topic="t", payload=b"kept", retain=True, properties={"3": "x"}))
            peer.refuse_with = 0
            async with device(tmp_path, peer, pki):
                await peer.until(lambda: payloads(peer, "t"))

    asyncio.run(scenario())


def test_what_was_not_acknowledged_is_sent_again(tmp_path: Path, pki: Pki) -> None:
    async def scenario() -> None:
        async with running(pki.listener()) as peer, device(tmp_path, peer, pki) as one:
            await peer.until(lambda: one.connection.connected)
            peer.acknowledge = False
            await one.connection.publish(Outgoing(topic="t", payload=b"1"))
            await peer.until(lambda: len(payloads(peer, "t")) == 1)
            peer.acknowledge = True
            peer.cut(Reason.SERVER_SHUTTING_DOWN)
            await peer.until(lambda: len(payloads(peer, "t")) == 2)

    asyncio.run(scenario())


def test_no_more_are_under_way_than_is_allowed(tmp_path: Path, pki: Pki) -> None:
    async def scenario() -> None:
        async with running(pki.listener()) as peer, device(tmp_path, peer, pki, max_in_flight=3) as one:
            await peer.until(lambda: one.connection.connected)
            peer.acknowledge = False
            for number in range(6):
                await one.connection.publish(Outgoing(topic="t", payload=b"%d" % number))
            await peer.until(lambda: len(payloads(peer, "t")) == 3)
            await asyncio.sleep(0.02)

            assert len(payloads(peer, "t")) == 3
            assert one.connection.statistics()["under way"] == 3

    asyncio.run(scenario())


def test_qos_0_is_not_kept_offline_unless_asked_for(tmp_path: Path, pki: Pki) -> None:
    async def scenario() -> None:
        async with running(pki.listener()) as peer:
            peer.refuse_with = Reason.SERVER_UNAVAILABLE
            async with device(tmp_path, peer, pki) as one:
                with pytest.raises(Offline):
                    await one.connection.publish(Outgoing(topic="t", payload=b"", qos=0))
            async with device(tmp_path, peer, pki, keep_qos0_when_offline=True) as one:
                await one.connection.publish(Outgoing(topic="t", payload=b"kept", qos=0))
                peer.refuse_with = 0
                await peer.until(lambda: payloads(peer, "t") == [b"kept"])

    asyncio.run(scenario())


def test_a_message_that_the_cloud_cuts_us_off_for_is_found_and_given_up_and_the_others_arrive(
    tmp_path: Path, pki: Pki
) -> None:
    async def scenario() -> None:
        async with running(pki.listener()) as peer, device(tmp_path, peer, pki) as one:
            peer.cut_on = "forbidden"
            await peer.until(lambda: one.connection.connected)
            for topic in ("a", "forbidden", "b"):
                await one.connection.publish(Outgoing(topic=topic, payload=b"1"))
            await peer.until(lambda: payloads(peer, "b") and len(peer.connects) > 3)
            await peer.until(lambda: one.connection.statistics()["bytes"] == 0 or one.connection.connected)

            assert payloads(peer, "a")
            assert len(peer.connects) <= 7

    asyncio.run(scenario())


def test_an_expired_message_is_not_sent(tmp_path: Path, pki: Pki) -> None:
    async def scenario() -> None:
        async with running(pki.listener()) as peer:
            peer.refuse_with = Reason.SERVER_UNAVAILABLE
            async with device(tmp_path, peer, pki) as one:
                soon = one.clock.now() + 10
                await one.connection.publish(Outgoing(topic="t", payload=b"late", expires_at=soon))
                await one.connection.publish(Outgoing(topic="t", payload=b"kept"))
                one.clock.advance(11)
                peer.refuse_with = 0
                await peer.until(lambda: payloads(peer, "t"))

            assert payloads(peer, "t") == [b"kept"]

    asyncio.run(scenario())


def test_subscriptions_are_made_again_after_every_connect_and_messages_go_to_all_who_want_them(
    tmp_path: Path, pki: Pki
) -> None:
    async def scenario() -> None:
        async with running(pki.listener()) as peer, device(tmp_path, peer, pki) as one:
            await peer.until(lambda: one.connection.connected)
            first: list[Publish] = []
            second: list[Publish] = []
            await one.connection.subscribe("a/+", first.append)
            ended = await one.connection.subscribe("a/+", second.append)
            peer.cut()
            await peer.until(lambda: len(peer.connects) == 2 and one.connection.connected)
            peer.publish("a/b", b"1")
            await asyncio.sleep(0.02)
            await one.connection.unsubscribe(ended)
            peer.publish("a/b", b"2")
            await asyncio.sleep(0.02)

            assert [message.payload for message in first] == [b"1", b"2"]
            assert [message.payload for message in second] == [b"1"]
            assert peer.clients[0].filters == {"a/+"}

    asyncio.run(scenario())


def test_a_subscription_that_the_cloud_refuses_is_an_error_and_costs_nothing_else(tmp_path: Path, pki: Pki) -> None:
    async def scenario() -> None:
        async with running(pki.listener()) as peer, device(tmp_path, peer, pki) as one:
            peer.deny = {"secret"}
            await peer.until(lambda: one.connection.connected)
            with pytest.raises(NotLetIn, match="refuses the subscription to secret: not authorized"):
                await one.connection.subscribe("secret", lambda _: None)

            assert len(peer.connects) == 1

    asyncio.run(scenario())


def test_a_request_is_answered_by_accepted_or_rejected(tmp_path: Path, pki: Pki) -> None:
    async def scenario() -> None:
        async with running(pki.listener()) as peer, device(tmp_path, peer, pki) as one:
            peer.answers["yes"] = lambda topic, body: [(f"{topic}/accepted", {"echo": body})]
            peer.answers["no"] = lambda topic, body: [(f"{topic}/rejected", {"code": 404})]
            await peer.until(lambda: one.connection.connected)

            assert await one.connection.request("yes", {"a": 1}) == (True, {"echo": {"a": 1}})
            assert await one.connection.request("no", {}) == (False, {"code": 404})
            assert peer.clients[0].filters == set()

    asyncio.run(scenario())


def test_a_request_whose_connection_ends_fails_at_once(tmp_path: Path, pki: Pki) -> None:
    async def scenario() -> None:
        async with running(pki.listener()) as peer, device(tmp_path, peer, pki) as one:
            await peer.until(lambda: one.connection.connected)
            async with asyncio.TaskGroup() as tasks:
                asked = tasks.create_task(_refusal(one.connection.request("silent", {})))
                await peer.until(lambda: payloads(peer, "silent"))
                peer.cut()

            assert re.search("connection (has )?ended", asked.result())  # and not that there was no answer in time

    asyncio.run(scenario())


async def _refusal(request: Any) -> str:
    with pytest.raises(Trouble) as raised:
        await request
    return str(raised.value)


def test_a_request_without_a_connection_is_refused_at_once(tmp_path: Path, pki: Pki) -> None:
    async def scenario() -> None:
        async with running(pki.listener()) as peer:
            peer.refuse_with = Reason.SERVER_UNAVAILABLE
            async with device(tmp_path, peer, pki) as one:
                with pytest.raises(Offline):
                    await one.connection.request("yes", {})

    asyncio.run(scenario())


def test_another_client_with_our_name_is_said_and_not_fought_with(tmp_path: Path, pki: Pki) -> None:
    async def scenario() -> None:
        async with running(pki.listener()) as peer, device(tmp_path, peer, pki) as one:
            await peer.until(lambda: one.connection.connected)
            peer.cut(Reason.SESSION_TAKEN_OVER)
            await peer.until(lambda: not one.connection.connected)
            await asyncio.sleep(0.05)

            assert len(peer.connects) == 1
            assert "another client connected with this device's name" in one.said.getvalue()

    asyncio.run(scenario())


def test_who_comes_with_another_certificate_says_so_and_blames_nobody(tmp_path: Path, pki: Pki) -> None:
    async def scenario() -> None:
        async with running(pki.listener()) as peer, device(tmp_path, peer, pki) as one:
            await peer.until(lambda: one.connection.connected)
            one.connection.use(Identity(thing_name="site-1", certificate=pki.claim[0], private_key=pki.claim[1]))
            await peer.until(lambda: len(peer.connects) == 2)

            assert "to come with another certificate; trying again" in one.said.getvalue()
            assert "the cloud ended" not in one.said.getvalue()

    asyncio.run(scenario())


def test_a_certificate_that_has_expired_is_said_with_its_day(tmp_path: Path, pki: Pki) -> None:
    certificate, _ = pki.device.issue(tmp_path, "old", end=datetime(2021, 6, 5, tzinfo=UTC))

    async def scenario() -> None:
        async with running(pki.listener()) as peer:
            peer.refuse_with = Reason.NOT_AUTHORIZED
            async with device(tmp_path, peer, pki) as one:
                one.connection.use(Identity(thing_name="site-1", certificate=certificate, private_key=pki.claim[1]))
                await peer.until(lambda: f"the certificate {certificate} expired on 2021-06-05" in one.said.getvalue())

    asyncio.run(scenario())
