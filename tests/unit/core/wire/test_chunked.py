import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.base.errors import ServiceError
from hedgerow.core.wire import chunked
from hedgerow.core.wire.chunked import SIGNED, SIGNED_TRAILER, UNSIGNED_TRAILER, Seed, read_chunked
from hedgerow.core.wire.sigv4 import EMPTY_HASH, SignatureInvalid, signing_key

SCOPE = "20130524/us-east-1/s3/aws4_request"
SEED = Seed(
    key=signing_key("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "20130524", "us-east-1", "s3"),
    timestamp="20130524T000000Z",
    scope=SCOPE,
    signature="4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
)


def signed(pieces: list[bytes], trailer: bytes | None = None) -> bytes:
    """Write the pieces as a client does."""
    out, previous = b"", SEED.signature
    for piece in [*pieces, b""]:
        digest = hashlib.sha256(piece).hexdigest()
        text = f"AWS4-HMAC-SHA256-PAYLOAD\n{SEED.timestamp}\n{SCOPE}\n{previous}\n{EMPTY_HASH}\n{digest}"
        previous = hmac.new(SEED.key, text.encode(), hashlib.sha256).hexdigest()
        out += f"{len(piece):x};chunk-signature={previous}\r\n".encode() + piece + (b"\r\n" if piece else b"")
    if trailer is None:
        return out + b"\r\n"
    digest = hashlib.sha256(trailer + b"\n").hexdigest()
    text = f"AWS4-HMAC-SHA256-TRAILER\n{SEED.timestamp}\n{SCOPE}\n{previous}\n{digest}"
    value = hmac.new(SEED.key, text.encode(), hashlib.sha256).hexdigest()
    return out + trailer + b"\r\nx-amz-trailer-signature:" + value.encode() + b"\r\n\r\n"


def test_the_example_of_the_s3_guide_is_read() -> None:
    # the guide's example: 66560 letters a, in pieces of 65536 and 1024
    first = b"10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n"
    second = b"400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n"
    last = b"0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n"
    body = first + b"a" * 65536 + b"\r\n" + second + b"a" * 1024 + b"\r\n" + last

    content, trailers = read_chunked(body, SIGNED, SEED)

    assert (content, trailers) == (b"a" * 66560, {})


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=4))
def test_signed_pieces_are_put_together(pieces: list[bytes]) -> None:
    assert read_chunked(signed(pieces), SIGNED, SEED) == (b"".join(pieces), {})


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=4))
def test_a_signed_trailer_is_read(pieces: list[bytes]) -> None:
    content, trailers = read_chunked(signed(pieces, b"x-amz-checksum-crc32:AAAAAA=="), SIGNED_TRAILER, SEED)

    assert (content, trailers) == (b"".join(pieces), {"x-amz-checksum-crc32": "AAAAAA=="})


def test_an_unsigned_trailer_is_read() -> None:
    body = b"3\r\nabc\r\n0\r\nx-amz-checksum-crc32:NSRBwg==\r\n\r\n"

    assert read_chunked(body, UNSIGNED_TRAILER, SEED) == (b"abc", {"x-amz-checksum-crc32": "NSRBwg=="})


@pytest.mark.parametrize("form", [SIGNED, SIGNED_TRAILER])
def test_a_changed_byte_is_noticed(form: str) -> None:
    body = signed([b"hello"], b"x-amz-checksum-crc32:AAAAAA==").replace(b"hello", b"hellO")

    with pytest.raises(SignatureInvalid):
        read_chunked(body, form, SEED)


def test_a_changed_trailer_is_noticed() -> None:
    body = signed([b"hello"], b"x-amz-checksum-crc32:AAAAAA==").replace(b"AAAAAA==", b"BBBBBB==")

    with pytest.raises(SignatureInvalid):
        read_chunked(body, SIGNED_TRAILER, SEED)


@given(st.binary(max_size=60), st.sampled_from(sorted(chunked.FORMS)))
def test_any_other_bytes_are_refused(body: bytes, form: str) -> None:
    with pytest.raises(ServiceError):
        read_chunked(body + b"z", form, SEED)


@pytest.mark.parametrize("size", [b"-3", b"0x3", b"+3", b"3_0", b"", b"ffffffffffffffffff"])
def test_a_size_is_hexadecimal_digits(size: bytes) -> None:
    with pytest.raises(ServiceError, match="announced sizes"):
        read_chunked(size + b"\r\nabc\r\n0\r\n\r\n", UNSIGNED_TRAILER, SEED)


def test_a_signature_of_other_letters_is_a_wrong_one() -> None:
    with pytest.raises(SignatureInvalid):
        read_chunked(b"3;chunk-signature=\xe9\r\nabc\r\n0\r\n\r\n", SIGNED, SEED)
