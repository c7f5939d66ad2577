"""Names, issuers and broken certificates."""

import base64
import contextlib

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.core import pki
from tests.support.authorities import signed

CA = signed("Acme CA", ca=True)
LEAF = signed("lamp", CA, more=(x509.SubjectAlternativeName([x509.RFC822Name("a@b.example")]),))


def name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


@pytest.mark.parametrize("spelling", ["ACME CA", "acme ca", " Acme  CA ", "Acme\tCA"])
def test_spellings_of_a_name_are_one_name(spelling: str) -> None:
    assert pki.name_key(name(spelling)) == pki.name_key(CA.certificate.subject)


def test_other_names_and_other_kinds_of_names_differ() -> None:
    unit = x509.Name([x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "Acme CA")])

    assert len({pki.name_key(each) for each in (name("Acme CA"), name("AcmeCA"), unit, x509.Name([]))}) == 4


def test_who_signed_it_is_no_mistake_for_its_issuer() -> None:
    assert not pki.could_be_taken(CA.certificate, LEAF.certificate)
    assert not pki.could_be_taken(signed("Other CA", ca=True).certificate, LEAF.certificate)


def test_a_namesake_is_taken_for_the_issuer_unless_key_identifiers_tell_them_apart() -> None:
    namesake = signed("Acme CA", ca=True)
    marked = signed("lamp", CA, more=(x509.AuthorityKeyIdentifier(b"one", None, None),))
    other = signed("Acme CA", ca=True, more=(x509.SubjectKeyIdentifier(b"two"),))

    assert pki.could_be_taken(namesake.certificate, LEAF.certificate)
    assert pki.could_be_taken(other.certificate, LEAF.certificate)
    assert pki.could_be_taken(namesake.certificate, marked.certificate)
    assert not pki.could_be_taken(other.certificate, marked.certificate)


@pytest.mark.parametrize("digest", [hashes.SHA256(), hashes.SHA384(), hashes.SHA512()])
def test_good_signatures_pass(digest: hashes.SHA256) -> None:
    pki.checked_signature(signed("lamp", digest=digest).certificate)


@pytest.mark.parametrize("digest", [hashes.SHA224(), hashes.SHA3_256()])
def test_other_signatures_are_refused(digest: hashes.SHA224) -> None:
    with pytest.raises(pki.BadCertificate, match="SHA-256"):
        pki.checked_signature(signed("lamp", digest=digest).certificate)


@pytest.mark.filterwarnings("ignore")  # cryptography warns about what it reads
@given(st.integers(0, len(LEAF.der) - 1), st.binary(max_size=4), st.integers(0, 5))
def test_a_broken_certificate_is_refused_or_can_be_examined(at: int, put: bytes, cut: int) -> None:
    der = LEAF.der[:at] + put + LEAF.der[at + cut :]
    pem = f"-----BEGIN CERTIFICATE-----\n{base64.encodebytes(der).decode()}-----END CERTIFICATE-----\n"

    with contextlib.suppress(pki.BadCertificate):
        read = pki.read_certificate(pem)
        pki.checked_signature(read)
        pki.name_key(read.subject)
        pki.could_be_taken(CA.certificate, read)
        pki.policy_variables(read)


@pytest.mark.filterwarnings("ignore")
def test_a_kind_of_name_that_nobody_reads_is_refused() -> None:
    der = LEAF.der.replace(b"\x81\x0ba@b.example", b"\xa3\x0ba@b.example")  # an x400Address
    assert der != LEAF.der

    with pytest.raises(pki.BadCertificate):
        pki.read_der(der)


HOSTILE = {
    "nothing": "",
    "null bytes": CA.pem.replace("M", "\0", 1),
    "several": CA.pem + LEAF.pem,
    "a request": CA.pem.replace("CERTIFICATE", "CERTIFICATE REQUEST"),
    "100 kB": CA.pem + "\n" * 100_000,
    "half a surrogate": CA.pem.replace("M", "\ud800", 1),
    "one line too few": "\n".join(CA.pem.splitlines()[:-1]),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_texts_are_no_certificates(kind: str) -> None:
    with pytest.raises(pki.BadCertificate):
        pki.read_certificate(HOSTILE[kind])
