"""Whom OpenSSL takes for the issuer of a certificate, and which signatures are good enough. Pure.

A TLS library looks for an issuer by its name alone, then by key identifiers where both sides have them; the signature
comes last, and when it is wrong it tries no other. Two CAs of one name in one trust store can so spoil each other's
handshakes; `could_be_taken` says when.
Spec: RFC 5280 sections 4.2.1.1 and 7.1; AWS IoT's list of signature algorithms for X.509 client certificates.
"""

import hashlib
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import SignatureAlgorithmOID

from hedgerow.core.pki.reading import BadCertificate, is_signed_by

_GOOD_SIGNATURES: Final = frozenset(
    {
        SignatureAlgorithmOID.RSA_WITH_SHA256,
        SignatureAlgorithmOID.RSA_WITH_SHA384,
        SignatureAlgorithmOID.RSA_WITH_SHA512,
        SignatureAlgorithmOID.RSASSA_PSS,
        SignatureAlgorithmOID.ECDSA_WITH_SHA256,
        SignatureAlgorithmOID.ECDSA_WITH_SHA384,
        SignatureAlgorithmOID.ECDSA_WITH_SHA512,
    }
)
_GOOD_HASHES: Final = frozenset({"sha256", "sha384", "sha512"})


def checked_signature(certificate: x509.Certificate) -> None:
    """Raise BadCertificate when the certificate is signed with an algorithm that is too weak (MD5, SHA-1 …)."""
    oid = certificate.signature_algorithm_oid
    try:
        used = certificate.signature_hash_algorithm
    except Exception as error:  # cryptography has an exception of its own for each unknown algorithm
        raise BadCertificate(f"its signature algorithm {oid.dotted_string} is not supported") from error
    if oid not in _GOOD_SIGNATURES or used is None or used.name not in _GOOD_HASHES:
        name = "none" if used is None else used.name
        raise BadCertificate(
            f"its signature algorithm {oid.dotted_string} with {name} is not supported: RSA or ECDSA with SHA-256, "
            "SHA-384 or SHA-512 are"
        )


def name_key(name: x509.Name) -> str:
    """Answer one key for all spellings that a TLS library takes for one name: case and blanks do not count."""
    parts = [sorted((part.oid.dotted_string, _plain(part.value)) for part in relative) for relative in name.rdns]
    return hashlib.sha256(repr(parts).encode("utf-8", "surrogatepass")).hexdigest()


def _plain(value: str | bytes) -> str:
    return value.hex() if isinstance(value, bytes) else " ".join(value.casefold().split())


def key_id(certificate: x509.Certificate) -> str:
    """Answer the SHA-256 of the certificate's public key."""
    public = certificate.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(public).hexdigest()


def could_be_taken(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    """Tell whether a TLS library could take `issuer` for the certificate's issuer although it did not sign it."""
    if name_key(issuer.subject) != name_key(certificate.issuer):
        return False
    said, own = _authority_key(certificate), _subject_key(issuer)
    if said is not None and own is not None and said != own:
        return False
    return not is_signed_by(certificate, issuer)


def _authority_key(certificate: x509.Certificate) -> bytes | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    except x509.ExtensionNotFound:
        return None


def _subject_key(certificate: x509.Certificate) -> bytes | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    except x509.ExtensionNotFound:
        return None
