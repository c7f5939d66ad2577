"""Certificates and keys as they are read: ids, descriptions, policy variables, and clear errors."""

import hashlib
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.core import pki

NOW = 1_800_000_000.0
DEVICES = pki.new_device_authority(NOW, kind="p256")
KEY = pki.new_key("p256")


def device(*attributes: tuple[x509.ObjectIdentifier, str]) -> str:
    subject = x509.Name([x509.NameAttribute(oid, value) for oid, value in attributes])
    return pki.issue_device(DEVICES, pki.usable_key(KEY.public_key()), NOW, subject=subject)


@pytest.mark.spec("JB-45")
def test_the_certificate_id_is_what_openssl_says_the_fingerprint_is(tmp_path: Path) -> None:
    pem = device((NameOID.COMMON_NAME, "pump-1"))
    path = tmp_path / "device.pem"
    path.write_text(pem)

    command = ["openssl", "x509", "-noout", "-fingerprint", "-sha256", "-in", str(path)]
    shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout

    fingerprint = shown.strip().partition("=")[2].replace(":", "").lower()
    der = pki.der_of(pki.read_certificate(pem))
    assert pki.certificate_id(pem) == pki.certificate_id(der) == pki.certificate_id(pem.encode()) == fingerprint
    assert fingerprint == hashlib.sha256(der).hexdigest()


def test_a_description_says_whose_it_is_and_how_long_it_lasts() -> None:
    found = pki.describe(device((NameOID.COMMON_NAME, "pump-1"), (NameOID.ORGANIZATION_NAME, "Radio")))

    assert found.subject == "O=Radio,CN=pump-1"
    assert found.common_names == ("pump-1",)
    assert found.issuer.startswith("OU=Amazon Web Services")
    assert (found.not_before, found.key, found.is_ca) == (NOW - 120, "EC P-256", False)


def test_policy_variables_are_the_attributes_of_subject_and_issuer() -> None:
    certificate = pki.read_certificate(
        device(
            (NameOID.COMMON_NAME, "pump-1"),
            (NameOID.ORGANIZATIONAL_UNIT_NAME, "first"),
            (NameOID.ORGANIZATIONAL_UNIT_NAME, "second"),
        )
    )

    found = pki.policy_variables(certificate)

    assert found["iot:Certificate.Subject.CommonName"] == "pump-1"
    assert found["iot:Certificate.Subject.OrganizationalUnit"] == "first"
    assert found["iot:Certificate.Subject.OrganizationalUnit.1"] == "second"
    assert found["iot:Certificate.Issuer.OrganizationalUnit"] == pki.AWS_ISSUER
    assert found["iot:Certificate.SerialNumber"] == str(certificate.serial_number)
    assert "iot:Certificate.Subject.Country" not in found


def test_alternative_names_are_policy_variables() -> None:
    servers = pki.new_server_authority(NOW)
    pem = pki.issue_server(servers, pki.usable_key(KEY.public_key()), ["a.example.org", "192.0.2.1"], NOW)

    found = pki.policy_variables(pki.read_certificate(pem))

    assert found["iot:Certificate.Subject.AlternativeName.DNSName"] == "a.example.org"
    assert found["iot:Certificate.Subject.AlternativeName.IPAddress"] == "192.0.2.1"


@pytest.mark.parametrize(
    ("pem", "reason"),
    [
        ("", "exactly one PEM block"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "cannot be read"),
        (device((NameOID.COMMON_NAME, "a")) * 2, "exactly one PEM block"),
        ("-----BEGIN CERTIFICATE-----" + "A" * 70_000, "longer than 64 KiB"),
    ],
)
def test_what_is_no_certificate_is_refused_with_the_reason(pem: str, reason: str) -> None:
    with pytest.raises(pki.BadCertificate, match=reason):
        pki.read_certificate(pem)


DER = pki.der_of(pki.read_certificate(device((NameOID.COMMON_NAME, "pump-1"))))


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")  # odd serials are read, too
@given(st.integers(0, len(DER) - 1), st.integers(0, 255))
def test_a_damaged_certificate_is_read_or_refused_never_a_crash(place: int, value: int) -> None:
    damaged = bytearray(DER)
    damaged[place] = value

    try:
        found = pki.describe(bytes(damaged))
    except pki.BadCertificate:
        return

    assert found.id == hashlib.sha256(damaged).hexdigest()


@pytest.mark.parametrize(("kind", "first"), [("rsa2048", "RSA PRIVATE KEY"), ("p256", "EC PRIVATE KEY")])
def test_keys_are_written_as_aws_writes_them_and_read_again(kind: pki.KeyKind, first: str) -> None:
    key = pki.new_key(kind)

    pem = pki.private_pem(key)

    assert pem.startswith(f"-----BEGIN {first}-----")
    assert pki.public_pem(key).startswith("-----BEGIN PUBLIC KEY-----")
    assert pki.public_pem(pki.read_private_key(pem)) == pki.public_pem(key)


def test_a_broken_private_key_is_refused_without_showing_it() -> None:
    with pytest.raises(pki.BadKey) as raised:
        pki.read_private_key("-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----")

    assert "c2VjcmV0" not in str(raised.value)


def test_signatures_are_checked_against_the_authority() -> None:
    certificate = pki.read_certificate(device((NameOID.COMMON_NAME, "pump-1")))
    other = pki.new_device_authority(NOW, kind="p256")

    assert pki.is_signed_by(certificate, DEVICES.certificate)
    assert not pki.is_signed_by(certificate, other.certificate)
    assert not pki.is_signed_by(certificate, certificate)
