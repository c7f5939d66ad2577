import asyncio
from collections.abc import MutableMapping
from dataclasses import replace
from typing import Any

import pytest

from hedgerow.core.caller import Kind
from hedgerow.core.mqtt import (
    MQTT_3_1_1,
    TO_CLIENT,
    Connack,
    Connect,
    Decoder,
    Packet,
    Publish,
    Subscribe,
    Will,
    encode,
)
from hedgerow.gateway import websocket
from hedgerow.gateway.websocket import MqttWebSocket
from tests.support.store import CALLER
from tests.unit.gateway.world import World


class Socket:
    """One upgraded request, as an ASGI server would serve it."""

    def __init__(self, world: World, *, is_open: Any = None, **scope: Any) -> None:
        self.scope = {
            "type": "websocket",
            "path": "/mqtt",
            "client": ("192.0.2.9", 4),
            "subprotocols": ["mqtt"],
            **scope,
        }
        self.incoming: asyncio.Queue[MutableMapping[str, Any]] = asyncio.Queue()
        self.sent: list[MutableMapping[str, Any]] = []
        self._application = MqttWebSocket(world.gateways[0], is_open=is_open)
        self._world = world
        self.gone = self.deaf = False

    async def _send(self, event: MutableMapping[str, Any]) -> None:
        if self.gone and event["type"] == "websocket.send":
            raise BrokenPipeError
        if self.deaf and event["type"] == "websocket.send":
            await asyncio.Event().wait()
        self.sent.append(event)

    async def run(self, *events: dict[str, Any]) -> None:
        self.incoming.put_nowait({"type": "websocket.connect"})
        async with asyncio.TaskGroup() as tasks:
            served = tasks.create_task(self._application(self.scope, self.incoming.get, self._send))
            for event in events:
                self.incoming.put_nowait(event)
                await self.turns()
            self.incoming.put_nowait({"type": "websocket.disconnect", "code": 1000})
            await self.turns()
            await asyncio.wait_for(served, 1)

    async def turns(self) -> None:
        for _ in range(6):
            await asyncio.sleep(0)
            self._world.run()

    def packets(self) -> list[Packet]:
        wire = b"".join(event["bytes"] for event in self.sent if event["type"] == "websocket.send")
        return Decoder(TO_CLIENT).feed(wire)


def frame(*packets: Packet) -> dict[str, Any]:
    return {"type": "websocket.receive", "bytes": b"".join(encode(packet, MQTT_3_1_1) for packet in packets)}


@pytest.fixture
def direct() -> World:
    return World()


@pytest.mark.parametrize("name", ["mqtt", "mqttv3.1"])
def test_a_signed_caller_talks_mqtt(direct: World, name: str) -> None:
    caller = replace(CALLER, access_key_id="AKIASIGNED")
    socket = Socket(direct, **{"hedgerow.caller": caller, "subprotocols": ["chat", name]})

    asyncio.run(socket.run(frame(Connect("a")), frame(Subscribe(1, (("t", 0),)), Publish("t", b"x"))))

    assert socket.sent[0] == {"type": "websocket.accept", "subprotocol": name}
    packets = socket.packets()
    assert packets[0] == Connack(False, 0)
    assert packets[-1] == Publish("t", b"x")
    (question,) = direct.control.admits
    assert (question.signed_by, question.signed_account) == (CALLER.principal, CALLER.account)
    assert question.signed_key == "AKIASIGNED"
    assert (question.peer, question.certificate) == ("192.0.2.9", None)


@pytest.mark.parametrize("named", [False, True])
def test_a_client_certificate_is_handed_on(direct: World, named: bool) -> None:
    tls = {"hedgerow.tls": {"certificate": b"DER", "server_name": "name.example"}}
    scope = {"extensions": tls} | ({"hedgerow.caller": replace(CALLER, kind=Kind.CERTIFICATE)} if named else {})
    socket = Socket(direct, **scope)

    asyncio.run(socket.run(frame(Connect("a"))))

    (question,) = direct.control.admits
    assert (question.certificate, question.server_name, question.signed_by) == (b"DER", "name.example", None)


@pytest.mark.parametrize(("scheme", "secure"), [("wss", True), ("ws", False)])
def test_policies_can_ask_whether_a_signed_caller_came_over_tls(direct: World, scheme: str, secure: bool) -> None:
    socket = Socket(direct, scheme=scheme, **{"hedgerow.caller": CALLER})

    asyncio.run(socket.run(frame(Connect("a"))))

    (question,) = direct.control.admits
    assert question.secure is secure


@pytest.mark.parametrize("scope", [{}, {"hedgerow.caller": CALLER, "subprotocols": ["chat"]}])
def test_an_upgrade_without_a_caller_or_without_mqtt_is_refused(direct: World, scope: dict[str, Any]) -> None:
    socket = Socket(direct, **scope)

    asyncio.run(socket.run())

    assert [event["type"] for event in socket.sent] == ["websocket.close"]


def test_a_plain_request_is_told_to_upgrade(direct: World) -> None:
    socket = Socket(direct, type="http")

    asyncio.run(socket.run())

    assert [event.get("status") for event in socket.sent] == [426, None]


def test_frames_may_split_and_join_packets(direct: World) -> None:
    socket = Socket(direct, **{"hedgerow.caller": CALLER})
    wire = encode(Connect("a"), MQTT_3_1_1) + encode(Subscribe(1, (("t", 0),)), MQTT_3_1_1)
    wire += encode(Publish("t", b"x"), MQTT_3_1_1)

    asyncio.run(socket.run(*[{"type": "websocket.receive", "bytes": bytes((byte,))} for byte in wire]))

    assert socket.packets()[-1] == Publish("t", b"x")


def test_a_text_frame_ends_the_connection(direct: World) -> None:
    socket = Socket(direct, **{"hedgerow.caller": CALLER})

    asyncio.run(socket.run(frame(Connect("a")), {"type": "websocket.receive", "bytes": None, "text": "hello"}))

    assert socket.sent[-1] == {"type": "websocket.close", "code": 1000}


@pytest.mark.parametrize(("code", "initiated"), [(1000, b"true"), (1005, b"true"), (1006, b"false")])
def test_a_close_frame_is_a_good_bye_and_a_broken_transport_is_not(direct: World, code: int, initiated: bytes) -> None:
    socket = Socket(direct, **{"hedgerow.caller": CALLER})

    asyncio.run(socket.run(frame(Connect("a")), {"type": "websocket.disconnect", "code": code}))

    (event,) = direct.heard("$aws/events/presence/disconnected/a")
    assert b'"clientInitiatedDisconnect":' + initiated in event


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ({"type": "websocket.disconnect", "code": 1006, "reason": "no mask"}, b"CLIENT_ERROR"),
        ({"type": "websocket.disconnect", "code": 1006, "reason": ""}, b"CONNECTION_LOST"),
        ({"type": "websocket.disconnect", "code": 1012}, b"SERVER_INITIATED_DISCONNECT"),
        ({"type": "websocket.receive", "text": "hello"}, b"CLIENT_ERROR"),
    ],
)
def test_an_end_without_a_close_frame_is_told_with_its_reason_and_sends_the_will(
    direct: World, event: dict[str, Any], reason: bytes
) -> None:
    socket = Socket(direct, **{"hedgerow.caller": CALLER})

    asyncio.run(socket.run(frame(Connect("a", will=Will("will", b"gone"))), event))

    (told,) = direct.heard("$aws/events/presence/disconnected/a")
    assert b'"disconnectReason":"' + reason in told
    assert b'"clientInitiatedDisconnect":false' in told
    assert direct.heard("will") == [b"gone"]


def test_a_peer_that_is_gone_while_it_is_written_to_is_lost_and_no_error(direct: World) -> None:
    socket = Socket(direct, **{"hedgerow.caller": CALLER})
    socket.gone = True

    asyncio.run(socket.run(frame(Connect("a"))))

    (told,) = direct.heard("$aws/events/presence/disconnected/a")
    assert b'"disconnectReason":"CONNECTION_LOST"' in told


def test_who_takes_nothing_more_is_let_go_when_its_connection_has_ended(
    direct: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket, "CLOSE_WITHIN_S", 0.01)
    socket = Socket(direct, **{"hedgerow.caller": CALLER})
    socket.deaf = True

    asyncio.run(socket.run(frame(Connect("a")), frame(Connect("a"))))

    (told,) = direct.heard("$aws/events/presence/disconnected/a")
    assert b'"disconnectReason":"CLIENT_ERROR"' in told


def test_the_server_closes_the_socket_when_it_ends_the_connection(direct: World) -> None:
    socket = Socket(direct, **{"hedgerow.caller": CALLER})

    asyncio.run(socket.run(frame(Connect("a")), frame(Connect("a"))))

    assert socket.sent[-1] == {"type": "websocket.close", "code": 1000}
