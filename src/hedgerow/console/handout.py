"""A temporary claim as it is handed to a device: as a file, and as a QR code that a camera reads.

The code holds `HEDGEROW1:` and, in base45, a deflated CBOR map; docs/onboarding.md has the format. Of an RSA key it
holds one prime: the certificate has the modulus. That makes the code a third smaller, which a phone's screen needs.
"""

import json
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

PREFIX: Final = "HEDGEROW1:"
_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
QUIET: Final = 4  # modules around the code that stay light


@dataclass(frozen=True, slots=True, kw_only=True)
class Handout:
    """A claim and where to go with it. It holds a private key: it is answered once, and kept and logged nowhere."""

    template: str
    certificate_id: str
    certificate_pem: str
    private_key_pem: str
    ca_pem: str  # "" when the console was not told
    host: str
    mqtt_port: int
    https_port: int
    region: str
    expires_at: float

    def __repr__(self) -> str:
        return f"Handout(template={self.template!r})"

    def file(self) -> str:
        """Answer the file's text: JSON."""
        written = {
            "hedgerowClaim": 1,
            "templateName": self.template,
            "expiresAt": datetime.fromtimestamp(self.expires_at, UTC).isoformat(timespec="seconds"),
            "endpoint": self.host,
            "mqttPort": self.mqtt_port,
            "httpsPort": self.https_port,
            "region": self.region,
            "certificatePem": self.certificate_pem,
            "privateKey": self.private_key_pem,
            "caPem": self.ca_pem,
        }
        return json.dumps(written, indent=1) + "\n"

    def text(self) -> str:
        """Answer the text of the QR code."""
        import cbor2

        written = {
            "template": self.template,
            "until": int(self.expires_at),
            "host": self.host,
            "mqtt": self.mqtt_port,
            "https": self.https_port,
            "region": self.region,
            "certificate": _certificate(self.certificate_pem),
            "ca": _certificate(self.ca_pem) if self.ca_pem else b"",
            **_key(self.private_key_pem),
        }
        return PREFIX + base45(zlib.compress(cbor2.dumps(written), 9))


def code(text: str) -> dict[str, Any] | None:
    """Answer the QR code of a text: its size in modules and the path of its dark ones; None when it is too long."""
    import segno

    try:
        made = segno.make_qr(text, error="l", mode="alphanumeric", boost_error=False)
    except segno.DataOverflowError:
        return None
    path = []
    for y, line in enumerate(made.matrix):
        dark = "".join("#" if module else " " for module in line)
        x = 0
        while (x := dark.find("#", x)) >= 0:
            length = len(dark) - x - len(dark[x:].lstrip("#"))
            path.append(f"M{x + QUIET} {y + QUIET}h{length}v1h-{length}z")
            x += length
    return {"size": len(made.matrix) + 2 * QUIET, "path": "".join(path)}


def base45(content: bytes) -> str:
    """Answer bytes in the 45 letters that QR codes pack best (RFC 9285)."""
    letters = []
    for first in range(0, len(content), 2):
        pair = content[first : first + 2]
        number = int.from_bytes(pair, "big")
        for _ in range(len(pair) + 1):
            number, digit = divmod(number, 45)
            letters.append(_DIGITS[digit])
    return "".join(letters)


def _certificate(pem: str) -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    return x509.load_pem_x509_certificate(pem.encode()).public_bytes(Encoding.DER)


def _key(pem: str) -> dict[str, bytes]:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        load_pem_private_key,
    )

    key = load_pem_private_key(pem.encode(), None)
    if isinstance(key, RSAPrivateKey):
        prime = key.private_numbers().p
        return {"prime": prime.to_bytes((prime.bit_length() + 7) // 8, "big")}
    return {"key": key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())}
