import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.core.eventstream import BadMessage, Decoder, Header, HeaderType, Message, encode, number, text

# Captured from awsiotsdk: CONNECT with the token TOK.
CONNECT = bytes.fromhex(
    "0000006c0000004841e78c87083a76657273696f6e070005302e312e300d3a6d6573736167652d7479706504000000040e3a6d6573736167"
    "652d666c61677304000000000a3a73747265616d2d696404000000007b2261757468546f6b656e223a2022544f4b227d18fbe912"
)

values = st.one_of(
    st.booleans().map(lambda value: Header(HeaderType.TRUE if value else HeaderType.FALSE, value)),
    st.integers(-(2**7), 2**7 - 1).map(lambda value: Header(HeaderType.BYTE, value)),
    st.integers(-(2**15), 2**15 - 1).map(lambda value: Header(HeaderType.INT16, value)),
    st.integers(-(2**31), 2**31 - 1).map(lambda value: Header(HeaderType.INT32, value)),
    st.integers(-(2**63), 2**63 - 1).map(lambda value: Header(HeaderType.INT64, value)),
    st.integers(0, 2**62).map(lambda value: Header(HeaderType.TIMESTAMP, value)),
    st.binary(max_size=40).map(lambda value: Header(HeaderType.BYTES, value)),
    st.text(max_size=20).map(lambda value: Header(HeaderType.STRING, value)),
    st.binary(min_size=16, max_size=16).map(lambda value: Header(HeaderType.UUID, value)),
)
messages = st.builds(
    Message, st.dictionaries(st.text(min_size=1, max_size=20), values, max_size=5), st.binary(max_size=100)
)


def test_the_captured_connect_frame_is_read_and_written_byte_for_byte() -> None:
    message = Decoder().feed(CONNECT)[0]

    assert message.text(":version") == "0.1.0"
    assert message.number(":message-type") == 4
    assert message.payload == b'{"authToken": "TOK"}'
    assert encode(message) == CONNECT


@given(messages)
def test_what_is_written_is_read_again(message: Message) -> None:
    assert Decoder().feed(encode(message)) == [message]


@given(st.lists(messages, min_size=1, max_size=3), st.data())
def test_any_split_gives_the_same_messages(sent: list[Message], data: st.DataObject) -> None:
    wire = b"".join(map(encode, sent))
    at = data.draw(st.integers(0, len(wire)))
    decoder = Decoder()

    assert decoder.feed(wire[:at]) + decoder.feed(wire[at:]) == sent


@given(st.binary(max_size=200))
def test_random_bytes_raise_only_bad_message(noise: bytes) -> None:
    try:
        Decoder().feed(noise)
    except BadMessage:
        return


@given(st.integers(0, len(CONNECT) - 1), st.integers(1, 255))
def test_a_changed_byte_is_noticed(at: int, change: int) -> None:
    broken = bytearray(CONNECT)
    broken[at] ^= change

    with pytest.raises(BadMessage):
        Decoder().feed(bytes(broken) + bytes(70_000))


def test_a_message_larger_than_allowed_is_refused_before_it_is_collected() -> None:
    large = encode(Message({}, bytes(2000)))

    with pytest.raises(BadMessage, match="2016 bytes"):
        Decoder(largest=1000).feed(large[:12])


def test_headers_of_the_wrong_type_are_not_taken_for_texts_or_numbers() -> None:
    message = Message({"a": number(1), "b": text("x"), "c": Header(HeaderType.INT64, 7)})

    assert (message.text("a"), message.number("b"), message.number("c"), message.number("d")) == ("", None, None, None)
