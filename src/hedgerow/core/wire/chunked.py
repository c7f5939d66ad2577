"""Bodies sent in pieces with a signature each (`Content-Encoding: aws-chunked`), as S3 clients do.

`<hex size>[;chunk-signature=<hex>]\\r\\n<bytes>\\r\\n … 0…\\r\\n[trailer: value\\r\\n …]\\r\\n`
"""

import hashlib
import hmac
import re
from dataclasses import dataclass

from hedgerow.core.wire.errors import WireError
from hedgerow.core.wire.sigv4 import EMPTY_HASH, SignatureInvalid

SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
FORMS = frozenset({SIGNED, SIGNED_TRAILER, UNSIGNED_TRAILER})
_LINE_LIMIT = 16 * 1024
_SIZE = re.compile(rb"[0-9a-fA-F]{1,16}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seed:
    """What the first piece's signature continues from."""

    key: bytes
    timestamp: str
    scope: str
    signature: str


def read_chunked(body: bytes, form: str, seed: Seed) -> tuple[bytes, dict[str, str]]:
    """Answer the content and the trailing headers (lower case); raise when a piece is not as signed."""
    pieces: list[bytes] = []
    previous = seed.signature
    at = 0
    while True:
        line, at = _line(body, at)
        size, given = _size(line)
        piece = body[at : at + size]
        if len(piece) != size:
            raise _incomplete()
        if form != UNSIGNED_TRAILER:
            previous = _checked(seed, previous, piece, given)
        at += size
        if size == 0:
            break
        if body[at : at + 2] != b"\r\n":
            raise _incomplete()
        at += 2
        pieces.append(piece)
    return b"".join(pieces), _trailers(body, at, form, seed, previous)


def _incomplete() -> WireError:
    return WireError("IncompleteBody", "The pieces of the body do not fit their announced sizes.", status=400)


def _line(body: bytes, at: int) -> tuple[bytes, int]:
    end = body.find(b"\r\n", at, at + _LINE_LIMIT)
    if end < 0:
        raise _incomplete()
    return body[at:end], end + 2


def _size(line: bytes) -> tuple[int, str]:
    text, _, extension = line.partition(b";")
    if _SIZE.fullmatch(text) is None:
        raise _incomplete()
    return int(text, 16), extension.partition(b"=")[2].decode("ascii", "replace").strip()


def _checked(seed: Seed, previous: str, piece: bytes, given: str) -> str:
    text = "\n".join(
        (
            "AWS4-HMAC-SHA256-PAYLOAD",
            seed.timestamp,
            seed.scope,
            previous,
            EMPTY_HASH,
            hashlib.sha256(piece).hexdigest(),
        )
    )
    return _equal(seed, text, given)


def _equal(seed: Seed, text: str, given: str) -> str:
    wanted = hmac.new(seed.key, text.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(wanted.encode(), given.encode("utf-8", "surrogatepass")):
        raise SignatureInvalid("The signature of a piece of the body does not match.")
    return wanted


def _trailers(body: bytes, at: int, form: str, seed: Seed, previous: str) -> dict[str, str]:
    found: dict[str, str] = {}
    signed = bytearray()
    given = ""
    while at < len(body):
        line, at = _line(body, at)
        if not line:
            break
        name, _, value = line.decode("latin-1").partition(":")
        if name.lower() == "x-amz-trailer-signature":
            given = value.strip()
        else:
            found[name.lower()] = value.strip()
            signed += f"{name.lower()}:{value.strip()}\n".encode("latin-1")
    if form == SIGNED_TRAILER:
        digest = hashlib.sha256(bytes(signed)).hexdigest()
        _equal(seed, "\n".join(("AWS4-HMAC-SHA256-TRAILER", seed.timestamp, seed.scope, previous, digest)), given)
    return found
