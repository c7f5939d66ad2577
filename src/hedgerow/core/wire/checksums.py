"""Checksums that S3 clients send with a body: `Content-MD5` and `x-amz-checksum-*`, as header or trailer.

CRC32C, CRC64NVME and the XXHASH family are refused by name: the standard library has none of them, and at the speed
of Python they would hold up everything else.
"""

import base64
import hashlib
import hmac
import zlib
from collections.abc import Callable, Mapping
from typing import Final

from hedgerow.base.errors import NotImplementedYet
from hedgerow.core.wire.errors import WireError

_DIGESTS: Final[Mapping[str, Callable[[bytes], bytes]]] = {
    "content-md5": lambda body: hashlib.md5(body, usedforsecurity=False).digest(),
    "x-amz-checksum-md5": lambda body: hashlib.md5(body, usedforsecurity=False).digest(),
    "x-amz-checksum-crc32": lambda body: zlib.crc32(body).to_bytes(4, "big"),
    "x-amz-checksum-sha1": lambda body: hashlib.sha1(body, usedforsecurity=False).digest(),
    "x-amz-checksum-sha256": lambda body: hashlib.sha256(body).digest(),
    "x-amz-checksum-sha512": lambda body: hashlib.sha512(body).digest(),
}
_PREFIX: Final = "x-amz-checksum-"
_WORDS: Final = frozenset({"x-amz-checksum-algorithm", "x-amz-checksum-mode", "x-amz-checksum-type"})


def check_body(headers: Mapping[str, str], body: bytes) -> None:
    """Raise BadDigest when the body is not what a checksum says, InvalidDigest when that is no checksum.

    Raises NotImplementedYet for a checksum that cannot be compared.
    """
    for name in headers:
        if name.startswith(_PREFIX) and name not in _DIGESTS and name not in _WORDS:
            raise NotImplementedYet(f"{name} cannot be verified here; use CRC32 or SHA256 (`ChecksumAlgorithm`).")
    for name, digest in _DIGESTS.items():
        sent = headers.get(name)
        if sent is None:
            continue
        computed = base64.b64encode(digest(body))
        if hmac.compare_digest(sent.encode(), computed):
            continue
        if len(sent) != len(computed):
            raise WireError("InvalidDigest", f"The value of {name} is not valid.", status=400)
        raise WireError("BadDigest", f"The {name} you specified did not match what we received.", status=400)
