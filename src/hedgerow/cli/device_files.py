"""What a device is given: its key (mode 600), certificate, CA, and a configuration that an edge starts with.

The key is on the medium before the cloud hears of it; the certificate's file comes last and says that all is there.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from hedgerow.base.errors import Unusable
from hedgerow.base.files import Files

KEY: Final = "device.key"
CERTIFICATE: Final = "device.pem"
CA: Final = "ca.pem"
CONFIG: Final = "config.yaml"
REQUEST: Final = "request.pem"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """Where devices of a cloud connect."""

    host: str
    region: str
    mqtt_port: int
    https_port: int
    ca: bytes
    role_alias: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceFiles:
    """The folder of one device."""

    folder: Path
    files: Files

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep the folder to oneself, and make it; raise Unusable when another command is at work in it."""
        self.files.make_folder(self.folder, mode=0o755)
        with _read(self.folder):
            handle = os.open(self.folder, os.O_RDONLY)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise Unusable(f"another command is at work in {self.folder}") from error
            yield
        finally:
            os.close(handle)

    @property
    def complete(self) -> bool:
        """Everything was written before."""
        return (self.folder / CERTIFICATE).exists()

    @property
    def begun(self) -> bool:
        """There is a key, and perhaps a certificate in the cloud."""
        return (self.folder / KEY).exists()

    def signing_request(self, name: str) -> str:
        """Answer the request (PEM) for the folder's key; make the key when there is none."""
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.x509.oid import NameOID

        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
        request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(self._key(), hashes.SHA256())
        return request.public_bytes(serialization.Encoding.PEM).decode()

    def kept_request(self, name: str) -> str:
        """Answer the request that was made before, so that the cloud knows it again; make it when there is none."""
        path = self.folder / REQUEST
        if not path.exists():
            text = self.signing_request(name)
            self.files.write_durably(path, text.encode(), mode=0o644)
        with _read(path):
            return path.read_text("ascii", "replace")

    def fits(self, certificate: str) -> bool:
        """Tell whether the certificate (PEM) is for the folder's key."""
        from cryptography import x509

        return bool(x509.load_pem_x509_certificate(certificate.encode()).public_key() == self._key().public_key())

    def write(self, name: str, certificate: str, at: Endpoints) -> None:
        """Write what is missing beside the key."""
        self.files.write_durably(self.folder / CA, at.ca, mode=0o644)
        self.files.write_durably(self.folder / CONFIG, _config(name, at).encode(), mode=0o644)
        self.files.write_durably(self.folder / CERTIFICATE, certificate.encode(), mode=0o644)
        self.files.remove(self.folder / REQUEST)

    def _key(self) -> Any:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ec

        path = self.folder / KEY
        if path.exists():
            with _read(path):
                pem = path.read_bytes()
            try:
                return serialization.load_pem_private_key(pem, None)
            except (ValueError, TypeError) as error:
                raise Unusable(f"{path} holds no private key that can be used; move it away") from error
        key = ec.generate_private_key(ec.SECP256R1())
        form = serialization.PrivateFormat.PKCS8
        pem = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
        self.files.write_durably(path, pem, mode=0o600)
        return key


@contextmanager
def _read(path: Path) -> Iterator[None]:
    """Turn a failure to read into Unusable."""
    try:
        yield
    except OSError as error:
        raise Unusable(f"cannot read {path}: {error.strerror or error}") from error


def _config(name: str, at: Endpoints) -> str:
    """Answer a configuration of the nucleus' form; paths are below the edge's folder."""
    import yaml

    nucleus = {
        "awsRegion": at.region,
        "iotDataEndpoint": at.host,
        "iotCredEndpoint": f"{at.host}:{at.https_port}",
        **({"iotRoleAlias": at.role_alias} if at.role_alias else {}),
        "greengrassDataPlanePort": at.https_port,
        "mqtt": {"port": at.mqtt_port},
    }
    document = {
        "system": {
            "thingName": name,
            "certificateFilePath": CERTIFICATE,
            "privateKeyPath": KEY,
            "rootCaPath": CA,
        },
        "services": {"aws.greengrass.Nucleus": {"configuration": nucleus}},
    }
    return str(yaml.safe_dump(document, sort_keys=False))
