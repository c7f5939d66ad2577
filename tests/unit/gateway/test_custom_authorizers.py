"""Connections that a custom authorizer let in: refreshed, cut in time, untouched by what befalls certificates."""

import asyncio
from typing import Any

import pytest

from hedgerow.base.errors import Unavailable
from hedgerow.core.mqtt import MQTT_5, Connect, Disconnect, Reason, Suback
from hedgerow.core.tls import Proof, Speech, WayIn
from hedgerow.gateway import regranting
from hedgerow.gateway.connection import Peer
from hedgerow.gateway.ports import NotAdmitted, Question, Regrant, Reply, Upgrade, Vouched, Way
from tests.unit.gateway.control import ACCOUNT
from tests.unit.gateway.test_websocket import Socket, frame
from tests.unit.gateway.world import Client, World

STRANGER = Peer("192.0.2.1", 50000, way=Way.CUSTOM)


@pytest.fixture
def direct() -> World:
    return World()


def come_in(world: World, client_id: str = "a", *, refresh_s: int = 300, ends_s: int = 1000) -> Client:
    now = world.clock.now()
    world.control.admitted = {"fixed": True, "refresh_at": now + refresh_s, "ends_at": now + ends_s}
    return world.client(client_id, version=MQTT_5, peer=STRANGER, keep_alive=1200)


def test_the_way_in_is_told_to_control(direct: World) -> None:
    come_in(direct)
    direct.client("b")

    custom, certificate = direct.control.admits
    assert (custom.way, certificate.way) == (Way.CUSTOM, Way.CERTIFICATE)
    assert custom.connection_id
    assert not certificate.connection_id


def test_a_client_without_an_id_is_known_as_such(direct: World) -> None:
    come_in(direct, "")

    (question,) = direct.control.admits
    assert (question.assigned, bool(question.client_id)) == (True, True)


def test_a_refresh_replaces_the_grants_and_nothing_else(direct: World) -> None:
    client = come_in(direct)
    before = client.connection.admitted
    direct.control.denied = ("iot:Subscribe *",)
    direct.control.admitted |= {"refresh_at": direct.clock.now() + 900, "ends_at": direct.clock.now() + 9000}

    direct.advance(299)
    early = len(direct.control.admits)
    direct.advance(1)

    answer = client.subscribe("t")
    first, again = direct.control.admits
    assert (early, again) == (1, first)
    assert isinstance(answer, Suback)
    assert answer.codes == (Reason.NOT_AUTHORIZED,)
    assert (client.connection.admitted.ends_at, client.connection.admitted.principal) == (
        before.ends_at,
        before.principal,
    )
    direct.advance(590)
    assert len(direct.control.admits) == 2


@pytest.mark.parametrize("answer", [NotAdmitted(reason="NOT_AUTHENTICATED", detail="no"), None])
def test_a_refresh_that_is_not_granted_ends_the_connection(
    direct: World, monkeypatch: pytest.MonkeyPatch, answer: NotAdmitted | None
) -> None:
    client = come_in(direct)

    async def refuse(question: Question, *, deadline_s: float) -> Reply:
        if answer is None:
            raise Unavailable("no answer")
        return answer

    monkeypatch.setattr(direct.control, "ask", refuse)
    direct.advance(300)

    assert client.take() == [Disconnect(Reason.NOT_AUTHORIZED)]
    assert client.wire.closed


def test_refreshes_under_way_are_bounded_and_asked_once(direct: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(regranting.REFRESHES + 4):
        come_in(direct, f"c{number}")
    started: list[Any] = []
    gateway = direct.gateways[0]
    monkeypatch.setattr(gateway, "spawn", started.append)

    direct.advance(300)
    direct.advance(1)
    at_first = len(started)
    direct.control.admitted |= {"refresh_at": direct.clock.now() + 300}
    for work in started[:]:
        direct.drive(work)
    direct.advance(1)

    assert at_first == regranting.REFRESHES
    assert len(started) == regranting.REFRESHES + 4
    for work in started[at_first:]:
        direct.drive(work)


def test_the_end_that_was_said_cuts_the_connection(direct: World) -> None:
    client = come_in(direct, refresh_s=5000, ends_s=300)

    direct.advance(300)

    assert client.take() == [Disconnect(Reason.MAXIMUM_CONNECT_TIME)]
    (event,) = direct.heard("$aws/events/presence/disconnected/a")
    assert b"CUSTOMAUTH_TTL_EXPIRATION" in event


def test_changed_policies_do_not_ask_the_authorizer_again(direct: World) -> None:
    client = come_in(direct)

    direct.hub.tell("*", Regrant(account=ACCOUNT))
    direct.run()

    assert len(direct.control.admits) == 1
    assert not client.wire.closed


def test_a_request_says_that_no_certificate_speaks(direct: World) -> None:
    come_in(direct).publish("$aws/things/a/jobs/get", b"{}")
    direct.client("b", peer=Peer("192.0.2.1", certificate=b"DER")).publish("$aws/things/b/jobs/get", b"{}")

    assert [asked.by_certificate for asked in direct.control.asked] == [False, True]


# --- beside a certificate

SEEN = Peer(
    "192.0.2.1", certificate=b"DER", way_in=WayIn(speech=Speech.MQTT, proofs=frozenset({Proof.X509_AND_CUSTOM}))
)


def test_a_changed_policy_is_read_without_asking_the_authorizer_again(direct: World) -> None:
    now = direct.clock.now()
    said = Vouched(policies=(), ends_at=now + 500, refresh_at=now + 300)
    direct.control.admitted = {"vouched": said, "ends_at": now + 500, "refresh_at": now + 300}
    client = direct.client("a", version=MQTT_5, peer=SEEN, keep_alive=1200)

    direct.hub.tell("*", Regrant(account=ACCOUNT))
    direct.run()
    later = Vouched(policies=(), ends_at=now + 900, refresh_at=now + 600)
    direct.control.admitted = {"vouched": later, "ends_at": now + 900, "refresh_at": now + 600}
    direct.advance(300)

    first, regranted, refreshed = direct.control.admits
    assert [each.vouched for each in (first, regranted, refreshed)] == [None, said, None]
    assert first.connection_id
    assert (client.connection.admitted.ends_at, client.connection.admitted.refresh_at) == (now + 500, now + 600)
    direct.advance(200)
    assert client.wire.closed


# --- by WebSocket


class Door:
    """Tells who may come in by an authorizer."""

    def __init__(self, is_open: bool) -> None:
        self._is_open = is_open
        self.names: list[str | None] = []

    async def __call__(self, server_name: str | None) -> bool:
        self.names.append(server_name)
        return self._is_open


HEADERS = [(b"Host", b"1.cloud.test:8080"), (b"X-Token", b"a"), (b"x-token", b"b")]


@pytest.mark.parametrize(
    ("extensions", "name"),
    [({"hedgerow.tls": {"server_name": "cloud.test"}}, "cloud.test"), ({}, "1.cloud.test")],
    ids=["TLS", "plain"],
)
def test_an_open_door_leaves_it_to_the_connect(direct: World, extensions: dict[str, Any], name: str) -> None:
    door = Door(True)
    scope = {"headers": HEADERS, "query_string": b"a=%2F", "extensions": extensions}
    socket = Socket(direct, is_open=door, scheme="wss" if extensions else "ws", **scope)

    asyncio.run(socket.run(frame(Connect("a", True, 60, "ann?x=1", b"secret"))))

    (question,) = direct.control.admits
    headers = {"host": "1.cloud.test:8080", "x-token": "a,b"}
    assert (question.way, question.username, question.password) == (Way.WEBSOCKET, "ann?x=1", b"secret")
    assert question.upgrade == Upgrade(headers=headers, query="a=%2F", secure=bool(extensions))
    assert (question.server_name, door.names) == (name, [name])
    assert "secret" not in repr(question)


def test_a_closed_door_refuses_the_upgrade(direct: World) -> None:
    socket = Socket(direct, is_open=Door(False), headers=HEADERS, query_string=b"")

    asyncio.run(socket.run())

    assert [event["type"] for event in socket.sent] == ["websocket.close"]
