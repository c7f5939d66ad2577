import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.base.errors import ProtocolViolation
from hedgerow.core.eventstream import Decoder, Message, encode, number, text
from hedgerow.edge.ipc.rpc import MOST_STREAMS, Called, Client, Closed, Connecting, Kind
from tests.unit.core.eventstream.test_codec import CONNECT


def frame(kind: int, flags: int, stream: int, body: Any = None, **headers: str) -> bytes:
    named = {name.replace("_", "-"): text(value) for name, value in headers.items()}
    control = {":message-type": number(kind), ":message-flags": number(flags), ":stream-id": number(stream)}
    return encode(Message({**control, **named}, b"" if body is None else json.dumps(body).encode()))


def accepted() -> Client:
    client = Client()
    client.receive(CONNECT)
    client.accept()
    client.output()
    return client


def sent(client: Client) -> list[tuple[int | None, int | None, int | None, str, Any]]:
    return [
        (
            message.number(":message-type"),
            message.number(":message-flags"),
            message.number(":stream-id"),
            message.text("service-model-type"),
            json.loads(message.payload) if message.payload else None,
        )
        for message in Decoder().feed(client.output())
    ]


def test_a_client_says_its_token_and_is_let_in() -> None:
    client = Client()

    assert client.receive(CONNECT) == [Connecting(token="TOK", version="0.1.0")]
    client.accept()

    assert sent(client) == [(Kind.CONNECT_ACK, 1, 0, "", None)]


def test_a_client_that_is_refused_hears_it() -> None:
    client = Client()
    client.receive(CONNECT)

    client.refuse()

    assert sent(client) == [(Kind.CONNECT_ACK, 0, 0, "", None)]


def test_a_call_is_answered_on_its_stream_which_ends() -> None:
    client = accepted()

    events = client.receive(frame(0, 0, 1, {"a": 1}, operation="aws.greengrass#PublishToTopic"))
    client.answer(1, "PublishToTopic", {}, ends=True)

    assert events == [Called(stream=1, operation="PublishToTopic", body={"a": 1})]
    assert sent(client) == [(Kind.APPLICATION_MESSAGE, 2, 1, "aws.greengrass#PublishToTopicResponse", {})]
    assert not client.is_open(1)


def test_a_subscription_stays_open_until_the_client_ends_it() -> None:
    client = accepted()
    client.receive(frame(0, 0, 1, {}, operation="aws.greengrass#SubscribeToTopic"))
    client.answer(1, "SubscribeToTopic", {}, ends=False)
    client.event(1, "SubscriptionResponseMessage", {"n": 1})
    flags = [one[1] for one in sent(client)]

    ended = client.receive(frame(0, 2, 1))
    client.event(1, "SubscriptionResponseMessage", {"n": 2})

    assert flags == [0, 0]
    assert ended == [Closed(stream=1)]
    assert sent(client) == []


def test_an_error_is_named_and_ends_the_stream() -> None:
    client = accepted()
    client.receive(frame(0, 0, 1, {}, operation="aws.greengrass#X"))

    client.fail(1, "UnauthorizedError", {"message": "no"})

    assert sent(client) == [(Kind.APPLICATION_ERROR, 2, 1, "aws.greengrass#UnauthorizedError", {"message": "no"})]


def test_a_ping_is_answered() -> None:
    client = accepted()

    assert client.receive(frame(2, 0, 0, {"p": 1})) == []
    assert sent(client) == [(Kind.PING_RESPONSE, 0, 0, "", {"p": 1})]


def test_a_late_word_on_a_stream_that_has_ended_is_passed_over() -> None:
    client = accepted()
    client.receive(frame(0, 0, 1, {}, operation="aws.greengrass#X"))
    client.answer(1, "X", {}, ends=True)

    assert client.receive(frame(0, 2, 1)) == []


@pytest.mark.parametrize(
    "wire",
    [
        frame(0, 0, 1, {}, operation="aws.greengrass#X"),
        encode(Message({})),
    ],
)
def test_a_client_that_has_not_said_who_it_is_is_cut_off(wire: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        Client().receive(wire)


@pytest.mark.parametrize(
    "wire",
    [
        CONNECT,
        frame(0, 0, 1, {}),
        frame(9, 0, 1, {}),
        frame(0, 0, 1, [1], operation="aws.greengrass#X"),
        encode(Message({":message-type": number(0), ":message-flags": number(0), ":stream-id": number(1)}, b"{")),
    ],
)
def test_what_breaks_the_protocol_cuts_the_client_off(wire: bytes) -> None:
    client = accepted()

    with pytest.raises(ProtocolViolation):
        client.receive(wire)


def test_a_client_cannot_open_streams_without_end() -> None:
    client = accepted()
    for stream in range(1, MOST_STREAMS + 1):
        client.receive(frame(0, 0, stream, {}, operation="aws.greengrass#X"))

    with pytest.raises(ProtocolViolation, match="streams are open"):
        client.receive(frame(0, 0, MOST_STREAMS + 1, {}, operation="aws.greengrass#X"))


@given(st.binary(max_size=100))
def test_random_bytes_raise_only_protocol_violation(noise: bytes) -> None:
    try:
        accepted().receive(noise)
    except ProtocolViolation:
        return
