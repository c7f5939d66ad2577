"""MQTT over WebSocket: an ASGI application that pumps bytes into the same connections as the TLS port.

Who calls is decided before: `scope["hedgerow.caller"]` (a `Caller`) when the upgrade was signed, or
`scope["extensions"]["hedgerow.tls"]["certificate"]` (DER) from mutual TLS. With neither a custom authorizer decides at
CONNECT, where one may be asked; else the upgrade is refused. It must run on the gateway's loop. Binary frames may split
and join packets. Spec: MQTT 5.0 section 6.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any, Final

from hedgerow.core.caller import Caller, Kind
from hedgerow.core.mqtt.reasons import Reason
from hedgerow.core.tls import Proof, WayIn
from hedgerow.gateway.connection import Connection, Peer
from hedgerow.gateway.gateway import Gateway
from hedgerow.gateway.ports import Upgrade, Way

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
IsOpen = Callable[[str | None], Awaitable[bool]]

SUBPROTOCOLS: Final = ("mqtt", "mqttv3.1")
BUFFERED: Final = 1_048_576  # bytes that wait for a slow reader; above, QoS 0 is dropped and QoS 1 waits in the session
PIECE: Final = 65_536  # of a frame; whoever takes one now and then is slow, but there
ABNORMAL: Final = 1006  # nobody said good-bye: the transport broke, or the peer did wrong (then there is a reason)
CLOSE_WITHIN_S: Final = 10.0  # for the peer to take what was still to be said
SHUTDOWN: Final = 1012  # by our own server


class MqttWebSocket:
    """See the module."""

    def __init__(self, gateway: Gateway, *, is_open: IsOpen | None = None) -> None:
        """`is_open` tells whether custom authorizers may let somebody in who came to this server name."""
        self._gateway = gateway
        self._is_open = is_open

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            await _send_away(send)
            return
        await receive()  # websocket.connect
        peer = _peer(scope) or await self._stranger(scope)
        offered = scope.get("subprotocols") or []
        chosen = next((one for one in offered if one in SUBPROTOCOLS), None)
        if peer is None or (offered and chosen is None):
            await send({"type": "websocket.close", "code": 1008})  # before the accept: 403
            return
        await send({"type": "websocket.accept", "subprotocol": chosen})
        pipe = _Pipe()
        connection = self._gateway.opened(pipe, peer)
        pipe.connection = connection
        try:
            async with asyncio.TaskGroup() as tasks:
                reading = tasks.create_task(_read(connection, pipe, receive))
                with suppress(OSError):  # the peer is gone or takes nothing; while we do not read, nobody says so
                    await _write_until_closed(pipe, send)
                reading.cancel()
        finally:
            pipe.gone = True
            connection.lost()

    async def _stranger(self, scope: Scope) -> Peer | None:
        """Answer the peer of whom nothing is known but what an authorizer may judge; None when none is asked."""
        if self._is_open is None:
            return None
        headers: dict[str, str] = {}
        for raw, value in scope["headers"]:
            name = raw.decode("latin-1").lower()
            headers[name] = (f"{headers[name]}," if name in headers else "") + value.decode("latin-1")
        tls = (scope.get("extensions") or {}).get("hedgerow.tls")
        asked = host_name(headers.get("host", "")) if tls is None else tls.get("server_name")
        way_in: WayIn | None = None if tls is None else tls.get("way")
        if way_in is not None and Proof.CUSTOM not in way_in.proofs:
            return None
        if not await self._is_open(asked):
            return None
        host, port = scope.get("client") or ("", 0)
        upgrade = Upgrade(
            headers=headers, query=scope["query_string"].decode("latin-1"), secure=scope.get("scheme") == "wss"
        )
        return Peer(address=host, port=port, server_name=asked, way=Way.WEBSOCKET, upgrade=upgrade, way_in=way_in)


async def _send_away(send: Send) -> None:
    """Answer a plain HTTP request, which asked for no WebSocket."""
    headers = [(b"upgrade", b"websocket"), (b"connection", b"upgrade"), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 426, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


def _peer(scope: Scope) -> Peer | None:
    caller: Caller | None = scope.get("hedgerow.caller")
    tls = (scope.get("extensions") or {}).get("hedgerow.tls") or {}
    certificate = tls.get("certificate")
    if caller is None and certificate is None:
        return None
    signed = None if caller is None or caller.kind is Kind.CERTIFICATE else caller
    host, port = scope.get("client") or ("", 0)
    target, target_port = scope.get("server") or ("", 0)
    return Peer(
        address=host,
        port=port,
        server_name=tls.get("server_name"),
        certificate=certificate,
        way=Way.WEBSOCKET,
        signed_by=None if signed is None else signed.principal,
        signed_account=None if signed is None else signed.account,
        signed_key=None if signed is None else signed.access_key_id,
        secure=scope.get("scheme") == "wss",  # a proxy that the operator trusts may say so, too
        target=str(target),
        target_port=int(target_port or 0),
        way_in=tls.get("way"),
    )


def host_name(host: str) -> str:
    """Answer a Host header's name without its port."""
    return host if host.endswith("]") else host.rpartition(":")[0] or host


class _Pipe:
    """The connection's transport: what it writes waits here for the socket."""

    def __init__(self) -> None:
        self.connection: Connection | None = None
        self.waiting: list[bytes] = []
        self.size = 0
        self.closing = False
        self.gone = False
        self.ready = asyncio.Event()
        self.may_read = asyncio.Event()
        self.may_read.set()
        self.deadline: asyncio.Timeout | None = None

    def write(self, data: bytes) -> None:
        if self.gone:
            return
        self.waiting.append(data)
        self.size += len(data)
        if self.size > BUFFERED and self.connection is not None:
            self.connection.pause_writing()
        self.ready.set()

    def close(self) -> None:
        if not self.closing and self.deadline is not None:
            self.deadline.reschedule(asyncio.get_running_loop().time() + CLOSE_WITHIN_S)
        self.closing = True
        self.ready.set()

    def unsent(self) -> int:
        return self.size

    def pause_reading(self) -> None:
        self.may_read.clear()

    def resume_reading(self) -> None:
        self.may_read.set()


async def _read(connection: Connection, pipe: _Pipe, receive: Receive) -> None:
    while True:
        await pipe.may_read.wait()
        event = await receive()
        if event["type"] == "websocket.disconnect":
            pipe.gone = True
            _ended(connection, event.get("code", ABNORMAL), event.get("reason") or "")
            pipe.close()
            return
        data = event.get("bytes")
        if data is None:
            connection.fail(Reason.PROTOCOL_ERROR, "CLIENT_ERROR", "a text frame")  # [MQTT-6.0.0-1]
            pipe.close()
            return
        connection.receive(data)


def _ended(connection: Connection, code: int, reason: str) -> None:
    """A close frame is a good-bye, as a DISCONNECT is; anything else is not."""
    if code == SHUTDOWN:
        connection.fail(Reason.SERVER_SHUTTING_DOWN, "SERVER_INITIATED_DISCONNECT", "the server closes")
    elif code == ABNORMAL and reason:
        connection.fail(Reason.PROTOCOL_ERROR, "CLIENT_ERROR", reason)
    else:
        connection.lost(graceful=code != ABNORMAL)


async def _write_until_closed(pipe: _Pipe, send: Send) -> None:
    """Raises OSError when the peer is gone, or does not take the rest in time."""
    async with asyncio.timeout(None) as pipe.deadline:
        try:
            await _write(pipe, send)
        finally:
            pipe.deadline = None


async def _write(pipe: _Pipe, send: Send) -> None:
    while True:
        await pipe.ready.wait()
        pipe.ready.clear()
        while pipe.waiting and not pipe.gone:
            data = b"".join(pipe.waiting)
            pipe.waiting[:] = [data[PIECE:]] if len(data) > PIECE else []
            await send({"type": "websocket.send", "bytes": data[:PIECE]})
            pipe.size -= min(len(data), PIECE)
            if pipe.connection is not None and pipe.connection.congested and pipe.size <= BUFFERED:
                pipe.connection.resume_writing()
        if pipe.closing:
            if not pipe.gone:
                await send({"type": "websocket.close", "code": 1000})
            return
