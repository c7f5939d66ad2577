"""A server CA with a certificate for localhost, and a client certificate of another CA, in a folder."""

import datetime
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_START = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
_END = datetime.datetime(2090, 1, 1, tzinfo=datetime.UTC)


@dataclass(frozen=True)
class Certificates:
    folder: Path

    @property
    def ca_file(self) -> str:
        return str(self.folder / "server.pem")

    def server(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / "server.pem", self.folder / "server.key")
        context.verify_mode = ssl.CERT_OPTIONAL
        context.load_verify_locations(self.folder / "device.pem")
        return context

    def device(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.ca_file)
        context.load_cert_chain(self.folder / "device.pem", self.folder / "device.key")
        return context

    def for_two_threads(self) -> ssl.SSLContext:
        """The device's, for a client that reads in one thread and writes in another, as websockets' blocking one does.

        A session ticket of TLS 1.3 that one thread reads while the other writes its first bytes makes that write wait
        for the server, which waits for the request: OpenSSL wants one thread at a time. TLS 1.2 has no such messages.
        """
        context = self.device()
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        return context


def made_in(folder: Path) -> Certificates:
    for name in ("server", "device"):
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = (
            x509.CertificateBuilder(subject, subject, key.public_key(), 7, _START, _END)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        (folder / f"{name}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        (folder / f"{name}.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
    return Certificates(folder)
