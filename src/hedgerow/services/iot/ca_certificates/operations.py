"""The operations on CA certificates: the registration code, enter, describe, list, change, delete.

Registering is a flow (`flows.py`), because listeners have to trust the CA. What a device with an unknown certificate of
an active CA sets off is in `registering.py`. A CA that is INACTIVE, or gone, lets no more certificates be registered;
those that are registered go on.
Spec: AWS IoT GetRegistrationCode, RegisterCACertificate, UpdateCACertificate, DeleteCACertificate (not while ACTIVE).
"""

from typing import Any

from hedgerow.base.errors import NotImplementedYet
from hedgerow.base.ids import Ids
from hedgerow.core.arn import arn
from hedgerow.core.caller import Caller
from hedgerow.core.request import Request
from hedgerow.services.iot.ca_certificates.errors import (
    CaActive,
    CaElsewhere,
    CaExists,
    CaNotFound,
    TooManyOfOneName,
)
from hedgerow.services.iot.ca_certificates.model import (
    SAME_SUBJECT,
    CaCertificate,
    CaMode,
    CaStatus,
    ParsedCa,
)
from hedgerow.services.iot.ca_certificates.store import CaCertificateStore, RegistrationCodeStore
from hedgerow.services.iot.errors import InvalidRequest
from hedgerow.services.iot.pages import Pages
from hedgerow.store import Answer, Tx


class CaCertificateOperations:
    """The operations on CA certificates."""

    def __init__(self, *, cas: CaCertificateStore, codes: RegistrationCodeStore, pages: Pages, ids: Ids) -> None:
        self._cas = cas
        self._codes = codes
        self._pages = pages
        self._ids = ids

    def get_registration_code(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        code = self._codes.get(tx, caller.account)
        if code is None:
            code = self._ids.hex(64)
            self._codes.add(tx, caller.account, code)
        return Answer({"registrationCode": code})

    def delete_registration_code(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        self._codes.remove(tx, caller.account)
        return Answer({})

    def enter(
        self, tx: Tx, caller: Caller, read: ParsedCa, *, mode: CaMode, active: bool, auto_registration: bool
    ) -> CaCertificate:
        """Write a CA certificate, checked already, into the registry and answer it.

        Raises CaExists, CaElsewhere or TooManyOfOneName.
        """
        if self._cas.exists(tx, caller.account, read.id):
            raise CaExists(certificate_id=read.id, certificate_arn=ca_arn(caller, read.id))
        if mode is CaMode.DEFAULT and self._cas.proved_elsewhere(tx, caller.account, read.id):
            raise CaElsewhere
        if len(self._cas.of_subject(tx, caller.account, read.subject)) >= SAME_SUBJECT:
            raise TooManyOfOneName(SAME_SUBJECT)
        ca = CaCertificate(
            id=read.id,
            pem=read.pem,
            subject=read.subject,
            status=CaStatus.ACTIVE if active else CaStatus.INACTIVE,
            mode=mode,
            auto_registration=auto_registration,
            generation=self._ids.uuid(),
            version=1,
            not_before=read.not_before,
            not_after=read.not_after,
            created_at=tx.now,
            updated_at=tx.now,
        )
        self._cas.add(tx, caller.account, ca)
        return ca

    def describe_ca_certificate(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        ca = self._get(tx, caller, request["certificateId"])
        described = {
            **_listed(caller, ca),
            "certificatePem": ca.pem,
            "ownedBy": caller.account,
            "autoRegistrationStatus": "ENABLE" if ca.auto_registration else "DISABLE",
            "lastModifiedDate": ca.updated_at,
            "customerVersion": ca.version,
            "generationId": ca.generation,
            "validity": {"notBefore": ca.not_before, "notAfter": ca.not_after},
            "certificateMode": ca.mode.value,
        }
        return Answer({"certificateDescription": described})

    def list_ca_certificates(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        # templateName is not read, so it is refused: no CA has a provisioning template yet.
        ascending = bool(request.get("ascendingOrder"))
        page = self._pages.by_marker(request, caller, "ListCACertificates", ascending=ascending)
        found = self._cas.list(tx, caller.account, after=page.position, limit=page.limit, ascending=ascending)
        return Answer(
            page.answer("certificates", found, key=lambda c: (c.created_at, c.id), show=lambda c: _listed(caller, c))
        )

    def update_ca_certificate(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        ca = self._get(tx, caller, request["certificateId"])
        no_templates(request)
        status, auto = request.get("newStatus"), request.get("newAutoRegistrationStatus")
        removed = bool(request.get("removeAutoRegistration"))
        if removed and auto == "ENABLE":
            raise InvalidRequest("removeAutoRegistration and newAutoRegistrationStatus ENABLE exclude each other")
        changed = ca.changed(
            status=ca.status if status is None else CaStatus(status),
            auto_registration=not removed and (ca.auto_registration if auto is None else auto == "ENABLE"),
            now=tx.now,
        )
        self._cas.put(tx, caller.account, changed)
        return Answer({})

    def delete_ca_certificate(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        ca = self._get(tx, caller, request["certificateId"])
        if ca.active:
            raise CaActive(ca.id)
        self._cas.remove(tx, caller.account, ca.id)
        return Answer({})

    def _get(self, tx: Tx, caller: Caller, certificate_id: str) -> CaCertificate:
        ca = self._cas.get(tx, caller.account, certificate_id.lower())
        if ca is None:
            raise CaNotFound(certificate_id)
        return ca


def ca_arn(caller: Caller, certificate_id: str) -> str:
    """Make the ARN of one of the caller's CA certificates."""
    return arn("iot", caller.region, caller.account, f"cacert/{certificate_id}")


def no_templates(request: Request) -> None:
    """Raise NotImplementedYet, with what to use instead, for a provisioning template on a CA."""
    if "registrationConfig" in request:
        raise NotImplementedYet(
            "registrationConfig: provisioning by template at the first connection (JITP) is not supported yet; use "
            "allowAutoRegistration and a rule on $aws/events/certificates/registered/<caCertificateId>, or fleet "
            "provisioning by claim"
        )


def _listed(caller: Caller, ca: CaCertificate) -> dict[str, Any]:
    return {
        "certificateArn": ca_arn(caller, ca.id),
        "certificateId": ca.id,
        "status": ca.status.value,
        "creationDate": ca.created_at,
    }
