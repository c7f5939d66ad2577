"""The operations on certificates that need no key and no signature: enter, describe, list, set the status, delete.

Keys and signatures are in `flows.py`. A certificate that leaves ACTIVE cuts its connections at once.
Spec: AWS IoT RegisterCertificate (signed by an active CA of the account itself), UpdateCertificate, DeleteCertificate,
ListCertificates (newest first), DescribeCertificate.
"""

from collections.abc import Sequence
from typing import Any, Protocol

from cryptography import x509

from hedgerow.base.ids import Ids
from hedgerow.core import pki
from hedgerow.core.caller import Caller
from hedgerow.core.events import AuthorisationChanged, Event, PrincipalCut
from hedgerow.core.request import Request
from hedgerow.services.iot.certificates.errors import (
    CertificateActive,
    CertificateConflict,
    CertificateElsewhere,
    CertificateExists,
    CertificateInUse,
    CertificateNotFound,
    CertificateState,
    CertificateValidation,
)
from hedgerow.services.iot.certificates.model import (
    Certificate,
    Mode,
    Parsed,
    Status,
    Transfer,
    parsed,
    registrable,
    settable,
)
from hedgerow.services.iot.certificates.store import CertificateStore
from hedgerow.services.iot.pages import Pages
from hedgerow.services.iot.principals import certificate_arn
from hedgerow.store import Answer, Tx


class Things(Protocol):
    """What certificates need of things."""

    def things_of(self, tx: Tx, account: str, principal: str, *, limit: int) -> Sequence[object]:
        """Answer the things that the certificate is attached to, `limit` at most."""
        ...


class Policies(Protocol):
    """What certificates need of policies."""

    def attached_to(self, tx: Tx, account: str, target: str) -> Sequence[str]:
        """Answer the names of the policies on the target (a certificate id)."""
        ...

    def detach_all(self, tx: Tx, account: str, target: str) -> None:
        """Take every policy off the target (a certificate id)."""
        ...


class Ca(Protocol):
    """A CA certificate of the account."""

    @property
    def id(self) -> str:
        """Its certificate id."""
        ...

    @property
    def active(self) -> bool:
        """Whether certificates of it may be registered."""
        ...

    @property
    def sni_only(self) -> bool:
        """Whether the account did not prove that it has the CA's key."""
        ...

    def signed(self, certificate: x509.Certificate) -> bool:
        """Tell whether the CA itself signed the certificate."""
        ...


class Authorities(Protocol):
    """What certificates need of CA certificates."""

    def get(self, tx: Tx, account: str, certificate_id: str) -> Ca | None:
        """Answer the account's CA certificate of that id, or None."""
        ...

    def of_subject(self, tx: Tx, account: str, subject: str) -> Sequence[Ca]:
        """Answer the account's CA certificates with this subject (a `pki.name_key`)."""
        ...


class CertificateOperations:
    """The operations on certificates."""

    def __init__(
        self,
        *,
        certificates: CertificateStore,
        authorities: Authorities,
        things: Things,
        policies: Policies,
        pages: Pages,
        ids: Ids,
    ) -> None:
        self._certificates = certificates
        self._authorities = authorities
        self._things = things
        self._policies = policies
        self._pages = pages
        self._ids = ids

    def enter(self, tx: Tx, caller: Caller, pem: str, *, status: Status, mode: Mode = Mode.DEFAULT) -> Certificate:
        """Write a certificate into the registry and answer it.

        Raises CertificateValidation when the text is none, CertificateExists when the account has it already.
        """
        return self._enter(tx, caller, parsed(pem), status=status, mode=mode, ca_id=None)

    def enter_active(self, tx: Tx, caller: Caller, pem: str) -> Certificate:
        """Enter a certificate that the device CA signed for a device that is known already."""
        return self.enter(tx, caller, pem, status=Status.ACTIVE)

    def enter_of_ca(self, tx: Tx, caller: Caller, pem: str, *, ca_id: str, sni_only: bool) -> None:
        """Write a certificate that a CA of the account signed, and that waits for somebody to activate it."""
        mode = Mode.SNI_ONLY if sni_only else Mode.DEFAULT
        self._enter(tx, caller, parsed(pem), status=Status.PENDING_ACTIVATION, mode=mode, ca_id=ca_id)

    def enter_provided(self, tx: Tx, caller: Caller, pem: str) -> Certificate:
        """Write a certificate of somebody else's making, which waits for its device; raises as `enter` does."""
        read = parsed(pem)
        ca = self._known_signer(tx, caller.account, read)
        mode = Mode.SNI_ONLY if ca is None or ca.sni_only else Mode.DEFAULT
        ca_id = None if ca is None else ca.id
        return self._enter(tx, caller, read, status=Status.PENDING_ACTIVATION, mode=mode, ca_id=ca_id)

    def has_ca(self, tx: Tx, account: str, pem: str) -> bool:
        """Tell whether a CA of the account signed the certificate; raises CertificateValidation for a bad one."""
        return self._known_signer(tx, account, parsed(pem)) is not None

    def _known_signer(self, tx: Tx, account: str, read: Parsed) -> Ca | None:
        found = self._authorities.of_subject(tx, account, pki.name_key(read.certificate.issuer))
        return next((ca for ca in found if ca.signed(read.certificate)), None)

    def find(self, tx: Tx, account: str, certificate_id: str) -> Certificate | None:
        """Answer the account's certificate, or None."""
        return self._certificates.get(tx, account, certificate_id)

    def _enter(
        self, tx: Tx, caller: Caller, read: Parsed, *, status: Status, mode: Mode, ca_id: str | None
    ) -> Certificate:
        if self._certificates.get(tx, caller.account, read.id) is not None:
            raise CertificateExists(certificate_id=read.id, certificate_arn=certificate_arn(caller, read.id))
        if mode is Mode.DEFAULT and self._certificates.proved_elsewhere(tx, caller.account, read.id):
            raise CertificateElsewhere
        certificate = Certificate(
            id=read.id,
            pem=read.pem,
            status=status,
            mode=mode,
            ca_id=ca_id,
            generation=self._ids.uuid(),
            version=1,
            not_before=read.not_before,
            not_after=read.not_after,
            created_at=tx.now,
            updated_at=tx.now,
        )
        self._certificates.add(tx, caller.account, certificate)
        return certificate

    def enter_pending(self, tx: Tx, caller: Caller, pem: str) -> Certificate:
        """Write a certificate that waits for its device; raises as `enter` does."""
        return self.enter(tx, caller, pem, status=Status.PENDING_ACTIVATION)

    def register_certificate(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        status = registrable(request.get("status"), active=bool(request.get("setAsActive")))
        read = parsed(request["certificatePem"])
        ca = self._signer(tx, caller, read, request.get("caCertificatePem"))
        mode = Mode.SNI_ONLY if ca.sni_only else Mode.DEFAULT
        certificate = self._enter(tx, caller, read, status=status, mode=mode, ca_id=ca.id)
        return Answer(
            {"certificateArn": certificate_arn(caller, certificate.id), "certificateId": certificate.id},
            events=(AuthorisationChanged(account=caller.account, principals=frozenset({certificate.id})),),
        )

    def _signer(self, tx: Tx, caller: Caller, read: Parsed, ca_pem: str | None) -> Ca:
        """Answer the account's active CA that signed the certificate, the one that is given if one is."""
        if ca_pem is not None:
            given = self._authorities.get(tx, caller.account, _id_of_ca(ca_pem))
            found = [] if given is None else [given]
        else:
            found = list(self._authorities.of_subject(tx, caller.account, pki.name_key(read.certificate.issuer)))
        if len(found) > 1:
            raise CertificateConflict
        if not found:
            raise CertificateValidation("No CA certificate exists for the given certificate")
        ca = found[0]
        if not ca.signed(read.certificate):
            raise CertificateValidation("The certificate is not signed by the registered CA certificate")
        if not ca.active:
            raise CertificateState("The CA certificate is not active")
        return ca

    def describe_certificate(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        certificate = self._get(tx, caller, request["certificateId"])
        return Answer({"certificateDescription": _described(caller, certificate)})

    def list_certificates(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        ascending = bool(request.get("ascendingOrder"))
        page = self._pages.by_marker(request, caller, "ListCertificates", ascending=ascending)
        found = self._certificates.list(tx, caller.account, after=page.position, limit=page.limit, ascending=ascending)
        return Answer(
            page.answer("certificates", found, key=lambda c: (c.created_at, c.id), show=lambda c: _listed(caller, c))
        )

    def list_certificates_by_ca(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        ascending, ca_id = bool(request.get("ascendingOrder")), request["caCertificateId"]
        if self._authorities.get(tx, caller.account, ca_id) is None:
            raise CertificateNotFound(ca_id)
        page = self._pages.by_marker(request, caller, "ListCertificatesByCA", ca=ca_id, ascending=ascending)
        found = self._certificates.of_ca(
            tx, caller.account, ca_id, after=page.position, limit=page.limit, ascending=ascending
        )
        return Answer(
            page.answer("certificates", found, key=lambda c: (c.created_at, c.id), show=lambda c: _listed(caller, c))
        )

    def update_certificate(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        certificate = self._get(tx, caller, request["certificateId"])
        status = settable(request["newStatus"])
        if status is certificate.status:
            return Answer({})
        self._certificates.put(tx, caller.account, certificate.with_status(status, now=tx.now))
        return Answer({}, events=_changed(caller, certificate, status))

    def delete_certificate(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        certificate = self._get(tx, caller, request["certificateId"])
        force = bool(request.get("forceDelete"))
        if certificate.active:
            raise CertificateActive(certificate.id)
        if certificate.status is Status.PENDING_TRANSFER:
            raise CertificateState(f"Certificate {certificate.id} is being transferred and cannot be deleted")
        name = certificate_arn(caller, certificate.id)
        if self._things.things_of(tx, caller.account, certificate.id, limit=1):
            raise CertificateInUse(f"Things must be detached before deletion (arn: {name})")
        if not force and self._policies.attached_to(tx, caller.account, certificate.id):
            raise CertificateInUse(f"Certificate policies must be detached before deletion (arn: {name})")
        self._policies.detach_all(tx, caller.account, certificate.id)
        self._certificates.remove(tx, caller.account, certificate.id)
        cut = PrincipalCut(account=caller.account, principal=certificate.id, reason="the certificate was deleted")
        return Answer({}, events=(cut,))

    def _get(self, tx: Tx, caller: Caller, certificate_id: str) -> Certificate:
        certificate = self._certificates.get(tx, caller.account, certificate_id)
        if certificate is None:
            raise CertificateNotFound(certificate_id)
        return certificate


def _id_of_ca(pem: str) -> str:
    try:
        return pki.certificate_id(pem)
    except pki.BadCertificate as error:
        raise CertificateValidation(f"The CA certificate cannot be used: {error}") from error


def _changed(caller: Caller, before: Certificate, status: Status) -> tuple[Event, ...]:
    changed = AuthorisationChanged(account=caller.account, principals=frozenset({before.id}))
    if not before.active:
        return (changed,)
    cut = PrincipalCut(account=caller.account, principal=before.id, reason=f"the certificate became {status.value}")
    return (cut, changed)


def _listed(caller: Caller, certificate: Certificate) -> dict[str, Any]:
    return {
        "certificateArn": certificate_arn(caller, certificate.id),
        "certificateId": certificate.id,
        "status": certificate.status.value,
        "certificateMode": certificate.mode.value,
        "creationDate": certificate.created_at,
    }


def _described(caller: Caller, certificate: Certificate) -> dict[str, Any]:
    described = {
        **_listed(caller, certificate),
        "certificatePem": certificate.pem,
        "ownedBy": caller.account,
        "lastModifiedDate": certificate.updated_at,
        "customerVersion": certificate.version,
        "generationId": certificate.generation,
        "validity": {"notBefore": certificate.not_before, "notAfter": certificate.not_after},
    }
    more = {
        "caCertificateId": certificate.ca_id,
        "previousOwnedBy": certificate.previous_owner,
        "transferData": None if certificate.transfer is None else _transfer_data(certificate.transfer),
    }
    return {**described, **{name: value for name, value in more.items() if value is not None}}


def _transfer_data(transfer: Transfer) -> dict[str, Any]:
    data = {
        "transferMessage": transfer.message,
        "rejectReason": transfer.reason,
        "transferDate": transfer.at,
        "acceptDate": transfer.accepted_at,
        "rejectDate": transfer.rejected_at,
    }
    return {name: value for name, value in data.items() if value is not None}
