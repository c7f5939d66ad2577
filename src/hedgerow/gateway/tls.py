"""TLS under a connection, on memory buffers: raw bytes from the socket in, MQTT's bytes out, and back.

Our own shell because the loop's keeps large buffers for every connection, and hides the handshake: here it has a
deadline, a place in the listener's count, the client's certificate (DER) and the server name (SNI) when it is done.
"""

# hot path

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from hedgerow.base.log import get_logger
from hedgerow.core.mqtt.reasons import Reason
from hedgerow.core.tls import Proof, WayIn
from hedgerow.gateway.connection import Connection, Peer
from hedgerow.gateway.ports import Way

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hedgerow.gateway.entry import Entry
    from hedgerow.gateway.listener import Listener

log = get_logger("gateway.tls")

PIECE: Final = 16_384  # one TLS record; a memory buffer keeps the size that it once had, so it is fed in such pieces
BUFFERED: Final = 1_048_576  # that a slow reader may have waiting; above, QoS 0 is dropped, QoS 1 waits in the session
CLOSE_WITHIN_S: Final = 10.0  # for the peer to take what was still to be said


class NamedObject(ssl.SSLObject):
    """An SSL object that remembers the name the client asked for."""

    asked_name: str | None = None

    def plain(self) -> Any:
        """Answer what has `read` and `write` without the standard library's frames around them."""
        return getattr(self, "_sslobj", self)


def prepare(context: ssl.SSLContext) -> ssl.SSLContext:
    """Have every handshake of this context note its server name; a callback that was set before is still called.

    One ticket: a client that comes back saves both sides their signatures. It stands for the certificate that was
    shown then, whose status is asked at CONNECT like any other's. The session stays with us (20,480 at most, 6 kB
    each, the oldest go first): to seal it into the ticket OpenSSL would parse the certificate once more, which makes a
    connection cost a quarter more.
    """
    context.num_tickets = 1
    context.options |= ssl.OP_NO_TICKET  # in TLS 1.3 the ticket is a number then, in TLS 1.2 the session's
    before = context.sni_callback
    context.sslobject_class = NamedObject

    def note(tls: ssl.SSLObject, name: str, used: ssl.SSLContext) -> int | None:  # a name that was not sent is None
        if isinstance(tls, NamedObject):
            tls.asked_name = name
        return None if before is None else before(tls, name, used)

    context.sni_callback = note
    return context


def _way(way_in: WayIn | None) -> Way:
    return Way.CUSTOM if way_in is not None and way_in.proofs == {Proof.CUSTOM} else Way.CERTIFICATE


def _plain(address: str) -> str:
    """Answer an address as policies and logs write it: an IPv4 peer of a socket for both has a mapped one."""
    return address.removeprefix("::ffff:") if "." in address else address.partition("%")[0]


class TlsShell(asyncio.Protocol):
    """One accepted socket. Pumps into a `Connection` once the handshake is done."""

    __slots__ = (
        "_closing",
        "_connection",
        "_entry",
        "_in",
        "_listener",
        "_out",
        "_plain",
        "_tls",
        "_transport",
        "started",
    )

    _transport: asyncio.Transport
    _tls: ssl.SSLObject
    _plain: Any

    def __init__(self, listener: Listener, entry: Entry, now: float) -> None:
        self._listener = listener
        self._entry = entry
        self._in = ssl.MemoryBIO()
        self._out = ssl.MemoryBIO()
        self._connection: Connection | None = None
        self._closing = False
        self.started = now

    # --- the socket's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # a TCP transport it is
        self._transport.set_write_buffer_limits(high=BUFFERED, low=BUFFERED // 4)
        self._tls = tls = self._entry.context.wrap_bio(self._in, self._out, server_side=True)
        self._plain = tls.plain() if isinstance(tls, NamedObject) else tls

    def data_received(self, data: bytes) -> None:
        if self._closing:
            return
        connection, incoming = self._connection, self._in
        if connection is None:
            incoming.write(data)
            self._listener.wait(self)
            return
        try:
            if len(data) > PIECE:
                self._pump(data)
                return
            incoming.write(data)
            chunk = self._plain.read(PIECE)
            if incoming.pending or self._out.pending or not chunk:
                self._pump(b"", [chunk])
                return
        except ssl.SSLWantReadError:
            return
        except ssl.SSLZeroReturnError:
            self.close()
            return
        except ssl.SSLError as error:
            self._broken(error)
            return
        connection.receive(chunk)

    def eof_received(self) -> None:
        """The peer says nothing more, perhaps without a good-bye: neither do we wait for it to read."""
        self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._closing = True
        connection, self._connection = self._connection, None  # no circle of references is left behind
        if connection is None:
            self._listener.shaken(self)
        else:
            connection.lost()
        self._listener.gone(self)

    def pause_writing(self) -> None:
        if self._connection is not None:
            self._connection.pause_writing()

    def resume_writing(self) -> None:
        if self._connection is not None:
            self._connection.resume_writing()

    # --- TLS

    def step(self) -> None:
        """Go on with the handshake, and with what came after it."""
        if self._closing:
            return
        try:
            if self._connection is not None or self._shake():
                self._pump(b"")
        except ssl.SSLError as error:
            self._broken(error)

    def _shake(self) -> bool:
        """Go on with the handshake; True when it is done."""
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._send()
            return False
        self._send()
        self._listener.shaken(self)
        address = self._transport.get_extra_info("peername") or ("", 0)
        target = self._transport.get_extra_info("sockname") or ("", 0)
        peer = Peer(
            address=_plain(str(address[0])),
            port=int(address[1]),
            server_name=getattr(self._tls, "asked_name", None),
            certificate=self._tls.getpeercert(binary_form=True),
            target=_plain(str(target[0])),
            target_port=int(target[1]),
            way=_way(self._entry.way),
            way_in=self._entry.way,
        )
        self._connection = self._listener.gateway.opened(self, peer)
        return True

    def _pump(self, data: bytes, before: Sequence[bytes] = ()) -> None:
        """Decrypt what is there and hand it on; `before` was decrypted already."""
        connection = self._connection
        if connection is None:
            return
        chunks = [chunk for chunk in before if chunk]
        ended = len(chunks) < len(before)
        for at in range(0, len(data), PIECE):
            self._in.write(data[at : at + PIECE])
            ended = self._read(chunks) or ended
        ended = self._read(chunks) or ended
        if self._out.pending:  # a key update, a renegotiation that is refused
            self._send()
        if chunks:
            connection.receive(chunks[0] if len(chunks) == 1 else b"".join(chunks))
        if ended and not self._closing:
            self.close()

    def _read(self, chunks: list[bytes]) -> bool:
        """Collect what can be decrypted; True when the peer has said good-bye."""
        read, incoming = self._plain.read, self._in
        try:
            while incoming.pending:  # a read takes a whole record: nothing is left inside
                chunk = read(PIECE)
                if not chunk:
                    return True
                chunks.append(chunk)
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLZeroReturnError:
            return True
        return False

    def _send(self) -> None:
        if self._out.pending:
            self._transport.write(self._out.read())

    def _broken(self, error: ssl.SSLError) -> None:
        fields = {"peer": str(self._transport.get_extra_info("peername")), "detail": str(error.reason or error)}
        log.info("TLS failed", extra={"fields": fields})
        self._listener.failed += 1
        self._send()  # the alert says which
        self._closing = True
        self._transport.close()

    def shut(self) -> None:
        """The listener ends: say so, as far as there is somebody to say it to."""
        if self._connection is None:
            self.expire()
        else:
            self._connection.fail(Reason.SERVER_SHUTTING_DOWN, "SERVER_INITIATED_DISCONNECT", "the listener ends")
            self.close()

    def expire(self) -> None:
        """The handshake took too long."""
        self._closing = True
        self._transport.abort()

    # --- the connection's side

    def write(self, data: bytes) -> None:
        if self._closing:
            return
        tls, out = self._plain, self._out
        try:
            if len(data) <= PIECE:
                tls.write(data)
                self._transport.write(out.read())
                return
            view = memoryview(data)
            sealed = []
            for at in range(0, len(data), PIECE):
                tls.write(view[at : at + PIECE])
                sealed.append(out.read())
        except ssl.SSLError as error:
            self._broken(error)
            return
        self._transport.write(b"".join(sealed))

    def close(self) -> None:
        if self._closing:
            return
        self._closing = True
        with suppress(ssl.SSLError):  # we say good-bye, and do not wait for the peer's
            self._tls.unwrap()
        self._send()
        self._transport.close()
        if self._transport.get_write_buffer_size():
            asyncio.get_running_loop().call_later(CLOSE_WITHIN_S, self._transport.abort)

    def unsent(self) -> int:
        return self._transport.get_write_buffer_size()

    def pause_reading(self) -> None:
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        if not self._transport.is_closing():
            self._transport.resume_reading()
