"""uvicorn's WebSocket protocol, with what it leaves open closed: how a connection ended, and what a flood may cost.

The application is told the truth about an end: 1006 when the peer is gone without a close frame (uvicorn says 1005, a
close frame without a code), with a reason when it was the peer that broke the protocol; 1012 when we shut down.
Spec: RFC 6455 sections 5.5.3 and 7.1.5, ASGI's `websocket.disconnect`.
"""

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

ABNORMAL = 1006
BROKEN = "the peer broke the WebSocket protocol"


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """See the module."""

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.handshake_exc is not None:  # a request that `websockets` does not take: nobody else would say so
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.conn.close_rcvd is None:
            self._say_ended()
        super().connection_lost(exc)

    def handle_parser_exception(self) -> None:
        self._say_ended(f"{BROKEN}: {self.conn.parser_exc}")
        if self.conn.close_sent is None:  # before the handshake was answered: there is no frame to say it in
            self.transport.close()
        else:
            super().handle_parser_exception()

    def send_500_response(self) -> None:
        if not self.transport.is_closing():  # else there is nobody to answer, and `websockets` fails when asked to
            super().send_500_response()

    def handle_ping(self) -> None:
        if self.writable.is_set():
            super().handle_ping()
        else:  # whoever does not read the answers gets none: they would wait here, and nothing bounds them
            self.conn.data_to_send()

    def _say_ended(self, reason: str = "") -> None:
        self.queue.put_nowait({"type": "websocket.disconnect", "code": ABNORMAL, "reason": reason})
