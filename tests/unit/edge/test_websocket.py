import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame
from websockets.http11 import Request
from websockets.server import ServerProtocol

from hedgerow.base.errors import ProtocolViolation
from hedgerow.edge.websocket import LARGEST, ClientSocket, Closed, Declined, Event, Opened, Pong, Text

KEY = bytes(range(16))


def client() -> ClientSocket:
    return ClientSocket(host="h:1", path="/vending", key=KEY, mask=lambda: b"\x01\x02\x03\x04")


def server_of(socket: ClientSocket) -> tuple[ServerProtocol, bytes]:
    """A server of the `websockets` package that has let the client in, and what it says to it."""
    server = ServerProtocol()
    server.receive_data(socket.output())
    (request,) = server.events_received()
    assert isinstance(request, Request)
    server.send_response(server.accept(request))
    return server, b"".join(server.data_to_send())


def opened() -> tuple[ClientSocket, ServerProtocol]:
    socket = client()
    server, greeting = server_of(socket)
    assert socket.receive(greeting) == [Opened()]
    return socket, server


def frame(kind: int, content: bytes, *, final: bool = True) -> bytes:
    assert len(content) < 126
    return bytes(((0x80 if final else 0) | kind, len(content))) + content


@given(st.lists(st.text(max_size=70_000), max_size=3))
def test_a_server_reads_every_text_as_it_was_sent(texts: list[str]) -> None:
    socket, server = opened()

    for text in texts:
        socket.send(text)
    server.receive_data(socket.output())

    assert [bytes(event.data).decode() for event in server.events_received() if isinstance(event, Frame)] == texts


@given(st.lists(st.text(max_size=300), max_size=4), st.integers(min_value=1, max_value=200))
def test_whatever_the_split_the_same_texts_arrive(texts: list[str], size: int) -> None:
    socket = client()
    server, greeting = server_of(socket)
    for text in texts:
        server.send_text(text.encode())
    data = greeting + b"".join(server.data_to_send())

    events: list[Event] = []
    for begin in range(0, len(data), size):
        events += socket.receive(data[begin : begin + size])

    assert events == [Opened(), *(Text(text) for text in texts)]


@given(st.binary(max_size=200))
def test_random_bytes_raise_protocol_violations_only(data: bytes) -> None:
    for socket in (client(), opened()[0]):
        try:
            socket.receive(data)
        except ProtocolViolation:
            continue


def test_a_message_in_parts_with_a_ping_between_them_arrives_whole_and_the_ping_is_answered() -> None:
    socket, server = opened()

    events = socket.receive(frame(1, b"to", final=False) + frame(9, b"x") + frame(0, b"gether"))

    assert events == [Text("together")]
    server.receive_data(socket.output())
    (pong,) = server.events_received()
    assert isinstance(pong, Frame)
    assert pong.data == b"x"


def test_a_ping_is_answered_by_a_pong_and_a_close_by_a_close() -> None:
    socket, server = opened()
    socket.ping()
    server.receive_data(socket.output())
    server.send_close(1001)

    events = socket.receive(b"".join(server.data_to_send()))

    assert events == [Pong(), Closed(1001)]
    server.receive_data(socket.output())
    assert server.close_expected() is True


def test_an_answer_that_is_no_upgrade_is_said_with_its_status() -> None:
    assert client().receive(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n") == [Declined(403)]


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: another\r\n\r\n",
        b"HTTP/1.1 200 " + b"x" * 20_000,
    ],
)
def test_an_answer_that_is_for_somebody_else_or_has_no_end_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        client().receive(data)


@pytest.mark.parametrize(
    "data",
    [
        frame(2, b"binary"),
        frame(0, b"the rest of nothing"),
        frame(1, b"a", final=False) + frame(1, b"b"),
        frame(9, b"", final=False),
        frame(1, b"\xff"),
        b"\xc1\x00",
        b"\x81\x80\x00\x00\x00\x00",
        b"\x81\x7f" + (LARGEST + 1).to_bytes(8, "big"),
    ],
)
def test_what_no_server_may_send_is_refused(data: bytes) -> None:
    socket, _ = opened()

    with pytest.raises(ProtocolViolation):
        socket.receive(data)


def test_a_message_in_parts_has_a_bound() -> None:
    socket, _ = opened()
    part = b"\x01\x7e\xff\xff" + bytes(65_535)

    socket.receive(part + 3 * (b"\x00" + part[1:]))
    with pytest.raises(ProtocolViolation, match="more than"):
        socket.receive(b"\x00" + part[1:])
