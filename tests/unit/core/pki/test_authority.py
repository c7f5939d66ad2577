"""The two hierarchies: what is issued, what is refused, and that a device never passes for a server."""

import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509 import verification
from cryptography.x509.oid import NameOID

from hedgerow.core import pki

NOW = 1_800_000_000.0
HOSTS = ("cloud.example.org", "*.cloud.example.org", "127.0.0.1", "::1", "büro.example.org")


@pytest.fixture(scope="module")
def servers() -> pki.Authority:
    return pki.new_server_authority(NOW)


@pytest.fixture(scope="module")
def devices() -> pki.Authority:
    return pki.new_device_authority(NOW, kind="p256")


KEY = ec.generate_private_key(ec.SECP256R1())


def csr(*names: str, key: Any = KEY, extensions: tuple[x509.ExtensionType, ...] = ()) -> str:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name) for name in names])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(key, algorithm).public_bytes(serialization.Encoding.PEM).decode()


def issue(devices: pki.Authority, request: str) -> x509.Certificate:
    return pki.read_certificate(pki.issue_from_csr(devices, request, NOW, host_names=HOSTS))


@pytest.mark.spec("JB-48")
def test_a_device_certificate_begins_two_minutes_ago_and_ends_with_2049(devices: pki.Authority) -> None:
    certificate = issue(devices, csr("pump-1"))

    assert certificate.not_valid_before_utc.timestamp() == NOW - 120
    assert certificate.not_valid_after_utc == datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC)


@pytest.mark.spec("JB-47")
def test_issuer_and_subject_have_the_shape_of_aws(tmp_path: Path) -> None:
    devices = pki.new_device_authority(NOW, kind="p256")
    path = tmp_path / "device.pem"
    path.write_text(pki.issue_device(devices, KEY.public_key(), NOW))

    command = ["openssl", "x509", "-noout", "-issuer", "-subject", "-in", str(path)]
    shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout

    assert "OU = Amazon Web Services O=Amazon.com Inc. L=Seattle ST=Washington C=US" in shown.replace("OU=", "OU = ")
    assert "CN = AWS IoT Certificate" in shown.replace("CN=", "CN = ")


def test_the_issuer_of_device_certificates_is_configurable() -> None:
    devices = pki.new_device_authority(NOW, issuer="Hedgerow devices", kind="p256")

    certificate = pki.read_certificate(pki.issue_device(devices, KEY.public_key(), NOW))

    assert certificate.issuer.rfc4514_string() == "OU=Hedgerow devices"


def test_a_csr_gives_key_and_subject_and_loses_its_extensions(devices: pki.Authority) -> None:
    asked = x509.SubjectAlternativeName([x509.DNSName("cloud.example.org")])
    authority = x509.BasicConstraints(ca=True, path_length=None)

    certificate = issue(devices, csr("pump-1", extensions=(asked, authority)))

    names = sorted(extension.oid._name for extension in certificate.extensions)
    assert names == ["authorityKeyIdentifier", "basicConstraints", "keyUsage", "subjectKeyIdentifier"]
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (constraints.critical, constraints.value.ca) == (True, False)
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.digital_signature
    assert not usage.key_cert_sign
    assert certificate.subject.rfc4514_string() == "CN=pump-1"
    assert certificate.public_key() == KEY.public_key()
    assert pki.is_signed_by(certificate, devices.certificate)


@pytest.mark.parametrize(
    "name",
    [
        "cloud.example.org",
        "CLOUD.Example.ORG",
        "cloud.example.org.",
        " cloud.example.org ",
        "ｃloud.example.org",
        "*.example.org",
        "*",
        "cl*.example.org",
        "123456789012.cloud.example.org",
        "127.0.0.1",
        "::ffff:127.0.0.1",
        "[::1]",
        "0:0:0:0:0:0:0:1",
        "xn--bro-hoa.example.org",
        "BÜRO.example.org",
    ],
)
def test_a_common_name_that_stands_for_a_server_is_refused(devices: pki.Authority, name: str) -> None:
    with pytest.raises(pki.BadRequest, match="stands for the server name"):
        issue(devices, csr(name))


def test_every_common_name_of_a_subject_is_looked_at(devices: pki.Authority) -> None:
    with pytest.raises(pki.BadRequest, match="stands for"):
        issue(devices, csr("pump-1", "cloud.example.org"))
    with pytest.raises(pki.BadRequest, match="printable"):
        issue(devices, csr("cloud.example.org\0.pump"))


@pytest.mark.parametrize("name", ["pump-1", "example.org", "cloud.example.com", "a cloud.example.orgs", "10.0.0.1"])
def test_other_common_names_are_accepted(devices: pki.Authority, name: str) -> None:
    assert issue(devices, csr(name)).subject.rfc4514_string() == f"CN={name}"


@pytest.mark.parametrize("curve", [ec.SECP384R1(), ec.SECP521R1()])
def test_the_other_nist_curves_are_accepted(devices: pki.Authority, curve: ec.EllipticCurve) -> None:
    key = ec.generate_private_key(curve)

    assert issue(devices, csr("pump-1", key=key)).public_key() == key.public_key()


def test_weak_and_strange_keys_are_refused(devices: pki.Authority) -> None:
    short = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # what is refused
    other = ec.generate_private_key(ec.SECP256K1())

    with pytest.raises(pki.BadRequest, match="2048 to 8192 bits, this one has 1024"):
        issue(devices, csr("pump-1", key=short))
    with pytest.raises(pki.BadRequest, match="secp256k1"):
        issue(devices, csr("pump-1", key=other))
    with pytest.raises(pki.BadRequest, match="must be RSA or EC"):
        issue(devices, csr("pump-1", key=ed25519.Ed25519PrivateKey.generate()))


def test_a_request_that_its_key_did_not_sign_is_refused(devices: pki.Authority) -> None:
    der = bytearray(x509.load_pem_x509_csr(csr("pump-1").encode()).public_bytes(serialization.Encoding.DER))
    der[der.index(b"pump-1")] = ord("j")
    forged = x509.load_der_x509_csr(bytes(der)).public_bytes(serialization.Encoding.PEM).decode()

    with pytest.raises(pki.BadRequest, match="not signed by its own key"):
        issue(devices, forged)


@pytest.mark.parametrize(
    "text", ["", "x", "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----"]
)
def test_what_is_no_request_is_refused(devices: pki.Authority, text: str) -> None:
    with pytest.raises(pki.BadRequest, match="cannot be read"):
        issue(devices, text)


def test_what_is_no_pem_at_all_is_told_what_one_looks_like(devices: pki.Authority) -> None:
    with pytest.raises(pki.BadRequest, match="begins with -----BEGIN CERTIFICATE REQUEST-----"):
        issue(devices, "file://device.csr")


def test_a_csr_that_is_signed_with_a_weak_hash_is_refused_for_that(devices: pki.Authority, tmp_path: Path) -> None:
    key = ["-newkey", "rsa:2048", "-nodes", "-keyout", str(tmp_path / "key")]
    done = subprocess.run(
        ["openssl", "req", "-new", *key, "-subj", "/CN=pump-1", "-sha1"], capture_output=True, text=True, check=True
    )

    with pytest.raises(pki.BadRequest, match="signed with sha1"):
        issue(devices, done.stdout)


def test_one_csr_is_answered_not_the_first_of_several(devices: pki.Authority) -> None:
    with pytest.raises(pki.BadRequest, match="more than one"):
        issue(devices, csr("pump-1") + csr("pump-2"))


def test_a_csr_of_javas_keytool_is_read(devices: pki.Authority) -> None:
    request = csr("pump-1").replace("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST")

    assert issue(devices, request).subject.rfc4514_string() == "CN=pump-1"


def test_a_request_that_is_too_long_is_refused(devices: pki.Authority) -> None:
    with pytest.raises(pki.BadRequest, match="at most 4096"):
        issue(devices, "x" * 4097)


def test_the_same_request_twice_gives_two_certificates(devices: pki.Authority) -> None:
    request = csr("pump-1")

    assert issue(devices, request).serial_number != issue(devices, request).serial_number


def test_roots_are_authorities_and_last_to_2099(servers: pki.Authority, devices: pki.Authority) -> None:
    for authority in (servers, devices):
        assert pki.is_ca(authority.certificate)
        assert authority.certificate.not_valid_after_utc.year == 2099
        again = pki.read_authority(authority.pem, authority.key_pem)
        assert again.certificate == authority.certificate
        assert "PRIVATE" not in repr(authority)


def test_an_authority_with_a_foreign_key_is_refused(servers: pki.Authority, devices: pki.Authority) -> None:
    with pytest.raises(pki.BadKey, match="does not belong"):
        pki.read_authority(servers.pem, devices.key_pem)


def test_a_server_certificate_is_trusted_for_its_names_and_addresses(servers: pki.Authority) -> None:
    certificate = pki.read_certificate(pki.issue_server(servers, KEY.public_key(), HOSTS, NOW))

    for subject in (
        x509.DNSName("cloud.example.org"),
        x509.DNSName("123456789012.cloud.example.org"),
        x509.IPAddress(__import__("ipaddress").ip_address("127.0.0.1")),
    ):
        server_verifier(servers, subject).verify(certificate, [])
    with pytest.raises(verification.VerificationError):
        server_verifier(servers, x509.DNSName("other.example.org")).verify(certificate, [])


def server_verifier(authority: pki.Authority, subject: Any) -> verification.ServerVerifier:
    builder = verification.PolicyBuilder().store(verification.Store([authority.certificate]))
    return builder.time(datetime.fromtimestamp(NOW, UTC)).build_server_verifier(subject)


def verify(anchor: pki.Authority, certificate: str, folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    (folder / "ca.pem").write_text(anchor.pem)
    (folder / "leaf.pem").write_text(certificate)
    command = [
        "openssl",
        "verify",
        "-CAfile",
        str(folder / "ca.pem"),
        "-no-CApath",
        "-no-CAstore",
        "-attime",
        "1800000001",
    ]
    return subprocess.run([*command, *more, str(folder / "leaf.pem")], check=False, capture_output=True, text=True)


def test_openssl_trusts_the_server_and_never_a_device_that_calls_itself_so(
    servers: pki.Authority, devices: pki.Authority, tmp_path: Path
) -> None:
    as_server = ("-purpose", "sslserver", "-x509_strict", "-verify_hostname", "cloud.example.org")
    server = pki.issue_server(servers, KEY.public_key(), HOSTS, NOW)
    impostor = pki.issue_from_csr(devices, csr("cloud.example.org"), NOW, host_names=())  # as if nothing were refused

    trusted = verify(servers, server, tmp_path, *as_server)
    refused = verify(servers, impostor, tmp_path, *as_server)
    client = verify(devices, impostor, tmp_path, "-purpose", "sslclient", "-x509_strict")

    assert trusted.returncode == 0, trusted.stderr
    assert refused.returncode != 0
    assert "unable to get local issuer certificate" in refused.stderr
    assert client.returncode == 0, client.stderr


def test_a_server_certificate_cannot_be_used_by_a_client(servers: pki.Authority, tmp_path: Path) -> None:
    server = pki.issue_server(servers, KEY.public_key(), HOSTS, NOW)

    found = verify(servers, server, tmp_path, "-purpose", "sslclient")

    assert "unsuitable certificate purpose" in found.stderr or "unsupported certificate purpose" in found.stderr


def test_a_device_certificate_signs_nothing(devices: pki.Authority, tmp_path: Path) -> None:
    middle = pki.read_certificate(pki.issue_device(devices, KEY.public_key(), NOW))
    other = ec.generate_private_key(ec.SECP256R1()).public_key()
    forged = pki.issue_device(pki.Authority(middle, KEY), other, NOW, common_name="forged")
    (tmp_path / "middle.pem").write_text(pki.pem_of(middle))

    found = verify(devices, forged, tmp_path, "-untrusted", str(tmp_path / "middle.pem"))

    assert found.returncode != 0
    assert "invalid CA certificate" in found.stderr
