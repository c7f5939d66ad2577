"""What a ClientHello asks for, read from what OpenSSL writes, from its parts, and from anything."""

import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.core.tls import Hello, read_hello
from hedgerow.core.tls.hello import LONGEST


def hello(name: str | None = "iot.example.org", *protocols: str, **settings: ssl.TLSVersion) -> bytes:
    """What OpenSSL sends first."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    for setting, value in settings.items():
        setattr(context, setting, value)
    if protocols:
        context.set_alpn_protocols(protocols)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing, server_hostname=name).do_handshake()
    return outgoing.read()


def records(message: bytes, *sizes: int) -> bytes:
    """One handshake message in several records."""
    found, rest = b"", message
    for size in (*sizes, len(message)):
        piece, rest = rest[:size], rest[size:]
        if piece:
            found += b"\x16\x03\x01" + len(piece).to_bytes(2, "big") + piece
    return found


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_name_and_protocols_are_read(version: ssl.TLSVersion) -> None:
    data = hello("IoT.example.org", "x-amzn-mqtt-ca", "http/1.1", maximum_version=version)

    assert read_hello(data) == Hello("iot.example.org", ("x-amzn-mqtt-ca", "http/1.1"))


def test_a_client_may_ask_for_nothing() -> None:
    assert read_hello(hello(None)) == Hello()


def test_a_dot_at_the_end_of_a_name_is_not_part_of_it() -> None:
    with_dot = hello("iot.example.orgx").replace(b"iot.example.orgx", b"iot.example.org.")

    assert read_hello(with_dot) == Hello("iot.example.org")


def test_every_part_of_it_asks_for_more() -> None:
    data = hello("iot.example.org", "mqtt")

    assert {read_hello(data[:end]) for end in range(len(data))} == {None}


def test_it_may_come_in_several_records() -> None:
    data = hello("iot.example.org", "mqtt")

    assert read_hello(records(data[5:], 1, 2, 100)) == Hello("iot.example.org", ("mqtt",))


def test_one_in_very_many_records_is_not_put_together() -> None:
    """Each look at the bytes of such a one takes as long as hundreds of others, and a stranger can send them."""
    message = hello()[5:]

    assert read_hello(records(message, *[1] * 20)) == Hello("iot.example.org")
    assert read_hello(records(message, *[1] * 40)) == Hello()


def test_what_follows_is_not_looked_at() -> None:
    assert read_hello(hello("iot.example.org") + b"\x17\x03\x03") == Hello("iot.example.org")


@pytest.mark.parametrize(
    "data",
    [b"GET / HTTP/1.1\r\n", b"\x10\x0c\x00\x04MQTT", b"\x16\x03\x01\x00\x00", b"\x16\x03\x01\x00\x04\x02\x00\x00\x00"],
    ids=["http", "mqtt", "an empty record", "another message"],
)
def test_what_is_no_hello_asks_for_nothing(data: bytes) -> None:
    assert read_hello(data) == Hello()


def test_a_hello_that_never_ends_is_not_waited_for() -> None:
    endless = b"\x16\x03\x01\x3f\xff\x01\x00\x3f\xff" + bytes(LONGEST)

    assert read_hello(endless[:LONGEST]) == Hello()


@given(st.binary(max_size=600), st.booleans())
def test_any_bytes_are_a_hello_or_not(data: bytes, framed: bool) -> None:
    whole = b"\x16\x03\x01" + len(data).to_bytes(2, "big") + data if framed else data

    assert read_hello(whole) is None or isinstance(read_hello(whole), Hello)


@given(st.integers(5, 400), st.integers(0, 255))
def test_any_change_of_a_byte_is_survived(at: int, value: int) -> None:
    data = bytearray(HELLO)
    data[at % len(data)] = value

    found = read_hello(bytes(data))

    assert found is None or isinstance(found, Hello)


HELLO = hello("iot.example.org", "x-amzn-mqtt-ca")
