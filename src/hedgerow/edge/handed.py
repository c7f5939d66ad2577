"""A temporary claim that an installer brought: as the console's file, or as the text of its QR code.

It becomes the claim's files under the edge's folder and a configuration that enrols with them. Format:
docs/onboarding.md. Leaves to others: everything that the installer checks (`install.py`), and the enrolment.
"""

import json
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar

from hedgerow.base.errors import Unusable
from hedgerow.base.files import Files
from hedgerow.edge.identity import fits

PREFIX: Final = "HEDGEROW1:"
MOST: Final = 65_536  # bytes, also of what a code unpacks to
_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
FOLDER: Final = "claim"

T = TypeVar("T")


class _Spoilt(Exception):
    """The text is not what it should be; the message says in which way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handed:
    """The claim, and where to go with it."""

    template: str
    expires_at: datetime
    host: str
    mqtt_port: int
    https_port: int
    region: str
    certificate: bytes
    private_key: bytes
    ca: bytes

    def __repr__(self) -> str:
        return f"Handed(template={self.template!r})"

    def put(self, root: Path, *, files: Files) -> None:
        """Write the claim's files under the edge's folder."""
        folder = root / FOLDER
        files.make_folder(root, mode=0o755)
        files.make_folder(folder, mode=0o700)
        folder.chmod(0o700)
        for path, (content, mode) in self.files(root).items():
            files.write_durably(path, content, mode=mode)

    def files(self, root: Path) -> dict[Path, tuple[bytes, int]]:
        """Answer what is written, with its mode."""
        return {
            root / FOLDER / "claim.key": (self.private_key, 0o600),
            root / FOLDER / "claim.pem": (self.certificate, 0o644),
            root / FOLDER / "ca.pem": (self.ca, 0o644),
        }

    def configuration(self, parameters: Mapping[str, str]) -> str:
        """Answer the text of a configuration that enrols with the files."""
        import yaml

        return str(yaml.safe_dump(self._configuration(parameters), sort_keys=False))

    def _configuration(self, parameters: Mapping[str, str]) -> dict[str, Any]:
        nucleus = {
            "awsRegion": self.region,
            "iotDataEndpoint": self.host,
            "iotCredEndpoint": f"{self.host}:{self.https_port}",
            "greengrassDataPlanePort": self.https_port,
            "mqtt": {"port": self.mqtt_port},
        }
        plugin = {
            "provisioningTemplate": self.template,
            "claimCertificatePath": f"{FOLDER}/claim.pem",
            "claimCertificatePrivateKeyPath": f"{FOLDER}/claim.key",
            "rootCaPath": f"{FOLDER}/ca.pem",
            "templateParameters": dict(parameters),
        }
        return {
            "services": {
                "aws.greengrass.Nucleus": {"configuration": nucleus},
                "aws.greengrass.FleetProvisioningByClaim": {"configuration": plugin},
            }
        }


def read_claim(path: Path) -> Handed:
    """Read the file, or the text of a QR code in one; raise Unusable when it is neither. Blocks."""
    try:
        with path.open("rb") as opened:
            content = opened.read(MOST + 1)
    except OSError as error:
        raise Unusable(f"cannot read the claim {path}: {error}") from error
    try:
        return claim_of(content)
    except _Spoilt as error:
        raise Unusable(f"{path} is no claim of the console: {error}") from error


def claim_of(content: bytes) -> Handed:
    """Answer the claim in a file's content."""
    if len(content) > MOST:
        raise _Spoilt("it is too long")
    try:
        text = content.decode("utf-8-sig").strip("\r\n")
    except UnicodeDecodeError as error:
        raise _Spoilt("it is no text") from error
    found = _of_code(text.removeprefix(PREFIX)) if text.startswith(PREFIX) else _of_file(text)
    _check(found)
    return found


def _check(found: Handed) -> None:
    """Raise _Spoilt unless the key is the certificate's."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key: Any = load_pem_private_key(found.private_key, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _Spoilt("the private key in it is damaged") from error
    if not fits(found.certificate.decode("utf-8", "replace"), key):
        raise _Spoilt("the certificate in it is damaged, or not for its key")


def _of_file(text: str) -> Handed:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _Spoilt(f"it begins neither with {PREFIX} nor is it JSON") from error
    values = _Values(found)
    version = values.of("hedgerowClaim", int)
    if version != 1:
        raise _Spoilt(f"it is of version {version}, and this edge knows version 1")
    try:
        until = datetime.fromisoformat(values.of("expiresAt", str))
    except ValueError as error:
        raise _Spoilt("expiresAt is no time") from error
    return Handed(
        template=values.of("templateName", str),
        expires_at=until if until.tzinfo else until.replace(tzinfo=UTC),
        host=values.of("endpoint", str),
        mqtt_port=values.of("mqttPort", int),
        https_port=values.of("httpsPort", int),
        region=values.of("region", str),
        certificate=values.of("certificatePem", str).encode(),
        private_key=values.of("privateKey", str).encode(),
        ca=values.of("caPem", str).encode(),
    )


def _of_code(text: str) -> Handed:
    import cbor2

    unpacking = zlib.decompressobj()
    try:
        content = unpacking.decompress(base45(text), MOST)
        found = cbor2.loads(content)
    except (zlib.error, cbor2.CBORDecodeError, RecursionError, ValueError) as error:
        raise _Spoilt("the code is not complete") from error
    values = _Values(found)
    certificate = values.of("certificate", bytes)
    try:
        until = datetime.fromtimestamp(values.of("until", int), UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise _Spoilt("until is no time") from error
    return Handed(
        template=values.of("template", str),
        expires_at=until,
        host=values.of("host", str),
        mqtt_port=values.of("mqtt", int),
        https_port=values.of("https", int),
        region=values.of("region", str),
        certificate=_pem(certificate),
        private_key=_key(values, certificate),
        ca=_pem(values.of("ca", bytes)),
    )


class _Values:
    """Reads the entries of a map, each of one type and not empty."""

    def __init__(self, found: Any) -> None:
        if not isinstance(found, dict):
            raise _Spoilt("it holds no map")
        self._found = found

    def __contains__(self, name: str) -> bool:
        return name in self._found

    def of(self, name: str, kind: type[T]) -> T:
        """Answer an entry."""
        value = self._found.get(name)
        if not isinstance(value, kind) or isinstance(value, bool) or not value:
            raise _Spoilt(f"{name} is missing or is no {kind.__name__}")
        return value


def base45(text: str) -> bytes:
    """Answer the bytes that base45 stands for (RFC 9285); raises ValueError."""
    out = bytearray()
    for first in range(0, len(text), 3):
        number = 0
        part = text[first : first + 3]
        for letter in reversed(part):
            number = number * 45 + _DIGITS.index(letter)
        if len(part) == 1 or number >= 256 ** (len(part) - 1):
            raise ValueError("that is not base45")
        out += number.to_bytes(len(part) - 1, "big")
    return bytes(out)


def _pem(der: bytes) -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    try:
        return x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM)
    except ValueError as error:
        raise _Spoilt("a certificate in it is damaged") from error


def _key(values: _Values, certificate: bytes) -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        load_der_private_key,
    )

    try:
        if "key" in values:
            key = load_der_private_key(values.of("key", bytes), None)
        else:
            public = x509.load_der_x509_certificate(certificate).public_key()
            if not isinstance(public, rsa.RSAPublicKey):
                raise _Spoilt("it holds a prime, but the certificate's key is not RSA")
            key = _from_prime(public.public_numbers(), int.from_bytes(values.of("prime", bytes), "big"))
    except (ValueError, TypeError) as error:
        raise _Spoilt("the private key in it is damaged") from error
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())


def _from_prime(public: Any, p: int) -> Any:
    """Answer the RSA key with this modulus and prime."""
    from cryptography.hazmat.primitives.asymmetric import rsa

    q, rest = divmod(public.n, p)
    if rest or p < 3 or q < 3:
        raise ValueError("that is no prime of the modulus")
    d = pow(public.e, -1, math.lcm(p - 1, q - 1))
    numbers = rsa.RSAPrivateNumbers(
        p=p,
        q=q,
        d=d,
        dmp1=rsa.rsa_crt_dmp1(d, p),
        dmq1=rsa.rsa_crt_dmq1(d, q),
        iqmp=rsa.rsa_crt_iqmp(p, q),
        public_numbers=public,
    )
    return numbers.private_key()
