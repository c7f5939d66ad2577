"""A certificate signing request for a key that signs in its token.

`cryptography` signs requests with keys of its own only, so the few fields are put together here.
Spec: RFC 2986, section 4; X.690, section 8.1 (DER's lengths).
"""

from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from hedgerow.edge.pkcs11.token import TokenKey

_VERSION_1: Final = bytes.fromhex("020100")
_NO_ATTRIBUTES: Final = bytes.fromhex("a000")
_ECDSA_SHA256: Final = bytes.fromhex("300a06082a8648ce3d040302")
_RSA_SHA256: Final = bytes.fromhex("300d06092a864886f70d01010b0500")
_SEQUENCE: Final = 0x30
_BIT_STRING: Final = 0x03


def request_with(key: TokenKey, subject: x509.Name) -> str:
    """Answer the request as PEM. Blocks. Raise Trouble."""
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    body = _tagged(_SEQUENCE, _VERSION_1 + subject.public_bytes() + public + _NO_ATTRIBUTES)
    algorithm = _ECDSA_SHA256 if isinstance(key.public_key(), ec.EllipticCurvePublicKey) else _RSA_SHA256
    signature = _tagged(_BIT_STRING, b"\0" + key.signature(body))
    request = x509.load_der_x509_csr(_tagged(_SEQUENCE, body + algorithm + signature))
    return request.public_bytes(serialization.Encoding.PEM).decode("ascii")


def _tagged(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes((tag, 0x80 | len(length))) + length + content
