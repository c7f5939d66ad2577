"""The checksums that clients send with a body: which are verified, and how."""

import base64
import binascii
import hashlib
import zlib
from collections.abc import Callable, Mapping
from typing import Final

from hedgerow.core.request import Request
from hedgerow.services.s3.objects.errors import BadDigest, InvalidDigest


def _crc32(data: bytes) -> bytes:
    return zlib.crc32(data).to_bytes(4, "big")


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()


VERIFIED: Final[Mapping[str, Callable[[bytes], bytes]]] = {
    "ChecksumCRC32": _crc32,
    "ChecksumSHA1": lambda data: hashlib.sha1(data, usedforsecurity=False).digest(),
    "ChecksumSHA256": lambda data: hashlib.sha256(data).digest(),
    "ChecksumSHA512": lambda data: hashlib.sha512(data).digest(),
    "ChecksumMD5": _md5,
}
"""Those that the standard library computes at the speed of the disk. Others stay unread and are refused by name."""


def sent_checksums(request: Request) -> dict[str, str]:
    """Answer the checksums in a request, and read the member that only announces one."""
    found = {name: request[name] for name in VERIFIED if request.get(name) is not None}
    announced = request.peek("ChecksumAlgorithm")
    if announced is not None and f"Checksum{announced}" in VERIFIED:
        request.get("ChecksumAlgorithm")
    return found


def verified(data: bytes, *, md5: str | None, checksums: Mapping[str, str]) -> str:
    """Answer the ETag of a body; raise BadDigest or InvalidDigest when it is not what the checksums say."""
    digest = _md5(data)
    if md5 is not None:
        _compare("Content-MD5", md5, digest)
    for name, value in checksums.items():
        _compare(name, value, VERIFIED[name](data))
    return f'"{digest.hex()}"'


def _compare(name: str, given: str, actual: bytes) -> None:
    try:
        expected = base64.b64decode(given, validate=True)
    except (ValueError, binascii.Error) as error:
        raise InvalidDigest(name) from error
    if len(expected) != len(actual):
        raise InvalidDigest(name)
    if expected != actual:
        raise BadDigest(name)


class BodyChecksums:
    """The same as a port, for others that take bodies."""

    def sent(self, request: Request) -> tuple[str | None, dict[str, str]]:
        """Answer Content-MD5 and the checksums of a request."""
        return request.get("ContentMD5"), sent_checksums(request)

    def verified(self, data: bytes, *, md5: str | None, checksums: Mapping[str, str]) -> str:
        """Answer the ETag; raises BadDigest when the body is another."""
        return verified(data, md5=md5, checksums=checksums)
