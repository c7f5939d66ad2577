"""Two small hierarchies for tests: the server's CA, and the CA of the devices."""

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Key = ec.EllipticCurvePrivateKey
_BEGIN = datetime(2020, 1, 1, tzinfo=UTC)
_END = datetime(2049, 12, 31, tzinfo=UTC)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


@dataclass
class Authority:
    key: Key
    certificate: x509.Certificate

    @classmethod
    def make(cls, name: str) -> "Authority":
        key = ec.generate_private_key(ec.SECP256R1())
        builder = (
            x509.CertificateBuilder()
            .subject_name(_name(name))
            .issuer_name(_name(name))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(_BEGIN)
            .not_valid_after(_END)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        )
        return cls(key, builder.sign(key, hashes.SHA256()))

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def signed(
        self, public_key: object, name: str, *, hosts: tuple[str, ...] = (), end: datetime = _END
    ) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(_name(name))
            .issuer_name(self.certificate.subject)
            .public_key(public_key)  # type: ignore[arg-type]  # any public key
            .serial_number(x509.random_serial_number())
            .not_valid_before(min(_BEGIN, end - timedelta(days=1)))
            .not_valid_after(end)
        )
        if hosts:
            names: list[x509.GeneralName] = [
                x509.IPAddress(ip_address(host)) if host[0].isdigit() else x509.DNSName(host) for host in hosts
            ]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self.key, hashes.SHA256())

    def issue(self, folder: Path, name: str, *, hosts: tuple[str, ...] = (), end: datetime = _END) -> tuple[Path, Path]:
        """Answer the files of a new certificate and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate, private = folder / f"{name}.crt", folder / f"{name}.key"
        certificate.write_bytes(
            self.signed(key.public_key(), name, hosts=hosts, end=end).public_bytes(serialization.Encoding.PEM)
        )
        private.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return certificate, private

    def sign_request(self, pem: str) -> str:
        request = x509.load_pem_x509_csr(pem.encode())
        return self.signed(request.public_key(), "device").public_bytes(serialization.Encoding.PEM).decode()


@dataclass
class Pki:
    """Everything that a test cloud needs, in a folder."""

    folder: Path
    server: Authority
    device: Authority
    root_ca: Path
    claim: tuple[Path, Path]

    @classmethod
    def make(cls, folder: Path) -> "Pki":
        server, device = Authority.make("server CA"), Authority.make("device CA")
        root_ca = folder / "root.ca.pem"
        root_ca.write_bytes(server.pem)
        (folder / "device-ca.pem").write_bytes(device.pem)
        server.issue(folder, "server", hosts=("localhost", "127.0.0.1"))
        return cls(folder, server, device, root_ca, device.issue(folder, "claim"))

    def listener(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / "server.crt", self.folder / "server.key")
        context.load_verify_locations(self.folder / "device-ca.pem")
        context.verify_mode = ssl.CERT_REQUIRED
        return context
