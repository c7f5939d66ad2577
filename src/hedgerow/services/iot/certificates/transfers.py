"""Certificates that go from one account to another: offer, accept, reject, cancel.

While an offer is open both accounts have the certificate, PENDING_TRANSFER: nobody can use it, attach anything to it,
change or delete it. Then one of them has it. Things and policies do not travel: they are detached before.
Spec: AWS IoT TransferCertificate (INACTIVE, without policies and things), AcceptCertificateTransfer (INACTIVE unless
setAsActive), RejectCertificateTransfer, CancelCertificateTransfer, ListOutgoingCertificates.
"""

from dataclasses import replace
from typing import Any, Protocol

from hedgerow.core.arn import arn
from hedgerow.core.caller import Caller
from hedgerow.core.events import AuthorisationChanged, Event
from hedgerow.core.request import Request
from hedgerow.services.iot.certificates.errors import (
    CertificateNotFound,
    CertificateState,
    TransferAlreadyCompleted,
    TransferConflict,
)
from hedgerow.services.iot.certificates.model import Certificate, Status, Transfer
from hedgerow.services.iot.certificates.operations import Policies, Things
from hedgerow.services.iot.certificates.store import CertificateStore, Offer, OfferStore
from hedgerow.services.iot.errors import InvalidRequest
from hedgerow.services.iot.pages import Pages
from hedgerow.services.iot.principals import certificate_arn
from hedgerow.store import Answer, Tx


class Accounts(Protocol):
    """What transfers need of accounts."""

    def exists(self, tx: Tx, account: str) -> bool:
        """Tell whether the cloud has this account."""
        ...


class CertificateTransferOperations:
    """The operations on transfers."""

    def __init__(
        self,
        *,
        certificates: CertificateStore,
        offers: OfferStore,
        accounts: Accounts,
        things: Things,
        policies: Policies,
        pages: Pages,
    ) -> None:
        self._certificates = certificates
        self._offers = offers
        self._accounts = accounts
        self._things = things
        self._policies = policies
        self._pages = pages

    def transfer_certificate(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        certificate, target = self._get(tx, caller, request["certificateId"]), request["targetAwsAccount"]
        if target == caller.account or not self._accounts.exists(tx, target):
            raise InvalidRequest(f"A certificate cannot be transferred to the account {target}")
        self._check_free(tx, caller, certificate)
        if self._certificates.get(tx, target, certificate.id) is not None:
            raise TransferConflict(f"The account {target} has the certificate {certificate.id} already")
        transfer = Transfer(message=request.get("transferMessage"), at=tx.now)
        pending = certificate.on_its_way(transfer, now=tx.now)
        self._certificates.put(tx, caller.account, pending)
        there = replace(pending, previous_owner=caller.account, version=1, created_at=tx.now)
        self._certificates.add(tx, target, there)
        self._offers.add(tx, Offer(source=caller.account, id=certificate.id, target=target, at=tx.now))
        answer = {"transferredCertificateArn": arn("iot", caller.region, target, f"cert/{certificate.id}")}
        return Answer(answer, events=_touched(certificate.id, caller.account, target))

    def accept_certificate_transfer(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        certificate, offer = self._incoming(tx, caller, request["certificateId"])
        status = Status.ACTIVE if request.get("setAsActive") else Status.INACTIVE
        self._certificates.put(tx, caller.account, certificate.arrived(status, now=tx.now))
        self._offers.remove(tx, offer)
        self._certificates.remove(tx, offer.source, offer.id)
        return Answer({}, events=_touched(offer.id, caller.account, offer.source))

    def reject_certificate_transfer(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        _, offer = self._incoming(tx, caller, request["certificateId"])
        self._back(tx, offer, rejected=True, reason=request.get("rejectReason"))
        return Answer({}, events=_touched(offer.id, caller.account, offer.source))

    def cancel_certificate_transfer(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        certificate = self._get(tx, caller, request["certificateId"])
        offer = self._offers.sent(tx, caller.account, certificate.id)
        if offer is None:
            raise _no_offer(certificate)
        self._back(tx, offer, rejected=False, reason=None)
        return Answer({}, events=_touched(offer.id, caller.account, offer.target))

    def list_outgoing_certificates(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        ascending = bool(request.get("ascendingOrder"))
        page = self._pages.by_marker(request, caller, "ListOutgoingCertificates", ascending=ascending)
        found = self._offers.list(tx, caller.account, after=page.position, limit=page.limit, ascending=ascending)
        pairs = [(offer, self._get(tx, caller, offer.id)) for offer in found]
        return Answer(
            page.answer(
                "outgoingCertificates",
                pairs,
                key=lambda pair: (pair[0].at, pair[0].id),
                show=lambda pair: _shown(caller, *pair),
            )
        )

    def _check_free(self, tx: Tx, caller: Caller, certificate: Certificate) -> None:
        if certificate.status is Status.PENDING_TRANSFER:
            raise TransferConflict(f"Certificate {certificate.id} is being transferred already")
        if certificate.status is not Status.INACTIVE:
            detail = f"Certificate {certificate.id} is {certificate.status.value}, only an INACTIVE one is transferred"
            raise CertificateState(detail)
        if self._policies.attached_to(tx, caller.account, certificate.id):
            raise TransferConflict(f"Policies must be detached before the transfer of certificate {certificate.id}")
        if self._things.things_of(tx, caller.account, certificate.id, limit=1):
            raise TransferConflict(f"Things must be detached before the transfer of certificate {certificate.id}")

    def _incoming(self, tx: Tx, caller: Caller, certificate_id: str) -> tuple[Certificate, Offer]:
        certificate = self._get(tx, caller, certificate_id)
        offer = self._offers.received(tx, caller.account, certificate_id)
        if offer is None:
            raise _no_offer(certificate)
        return certificate, offer

    def _back(self, tx: Tx, offer: Offer, *, rejected: bool, reason: str | None) -> None:
        """The certificate stays where it was."""
        certificate = self._certificates.get(tx, offer.source, offer.id)
        if certificate is None:
            raise CertificateNotFound(offer.id)
        self._certificates.put(tx, offer.source, certificate.stayed(rejected=rejected, reason=reason, now=tx.now))
        self._offers.remove(tx, offer)
        self._certificates.remove(tx, offer.target, offer.id)

    def _get(self, tx: Tx, caller: Caller, certificate_id: str) -> Certificate:
        certificate = self._certificates.get(tx, caller.account, certificate_id)
        if certificate is None:
            raise CertificateNotFound(certificate_id)
        return certificate


def _no_offer(certificate: Certificate) -> TransferAlreadyCompleted | InvalidRequest:
    if certificate.transfer is not None and certificate.status is not Status.PENDING_TRANSFER:
        return TransferAlreadyCompleted(f"The transfer of certificate {certificate.id} is over")
    return InvalidRequest(f"Certificate {certificate.id} is not being transferred to this account, or by it")


def _touched(certificate_id: str, *accounts: str) -> tuple[Event, ...]:
    return tuple(AuthorisationChanged(account=each, principals=frozenset({certificate_id})) for each in accounts)


def _shown(caller: Caller, offer: Offer, certificate: Certificate) -> dict[str, Any]:
    shown = {
        "certificateArn": certificate_arn(caller, certificate.id),
        "certificateId": certificate.id,
        "transferredTo": offer.target,
        "transferDate": offer.at,
        "creationDate": certificate.created_at,
    }
    if certificate.transfer is not None and certificate.transfer.message is not None:
        shown["transferMessage"] = certificate.transfer.message
    return shown
