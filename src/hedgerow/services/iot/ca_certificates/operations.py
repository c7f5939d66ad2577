"""The operations on CA certificates: the registration code, enter, describe, list, change, delete.

Registering is a flow (`flows.py`), because listeners have to trust the CA. A template that could provision no device is
refused here with the reason. What a device with an unknown certificate of
an active CA sets off is in `registering.py`. A CA that is INACTIVE, or gone, lets no more certificates be registered;
those that are registered go on.
Spec: AWS IoT GetRegistrationCode, RegisterCACertificate, UpdateCACertificate, DeleteCACertificate (not while ACTIVE).
"""

from typing import Any, Protocol

from hedgerow.base.ids import Ids
from hedgerow.core import template as language
from hedgerow.core.arn import arn
from hedgerow.core.caller import Caller
from hedgerow.core.request import Request
from hedgerow.services.iot.ca_certificates.errors import (
    CaActive,
    CaElsewhere,
    CaExists,
    CaNotFound,
    InvalidRegistrationConfig,
    TooManyOfOneName,
)
from hedgerow.services.iot.ca_certificates.model import (
    SAME_SUBJECT,
    CaCertificate,
    CaMode,
    CaStatus,
    ParsedCa,
    Provisioning,
)
from hedgerow.services.iot.ca_certificates.store import CaCertificateStore, RegistrationCodeStore
from hedgerow.services.iot.errors import InvalidRequest, ResourceNotFound
from hedgerow.services.iot.pages import Pages
from hedgerow.store import Answer, Tx


class Template(Protocol):
    """What CA certificates look at in a provisioning template."""

    @property
    def just_in_time(self) -> bool:
        """Whether it is for devices that connect with a certificate of a registered CA."""
        ...


class Templates(Protocol):
    """What CA certificates need of provisioning templates."""

    def get(self, tx: Tx, account: str, name: str) -> Template | None:
        """Answer the template, or None."""
        ...


class Roles(Protocol):
    """What CA certificates need of IAM."""

    def by_arn(self, tx: Tx, account: str, arn: str) -> object | None:
        """Answer the account's role with this ARN, or None."""
        ...


class CaCertificateOperations:
    """The operations on CA certificates."""

    def __init__(
        self,
        *,
        cas: CaCertificateStore,
        codes: RegistrationCodeStore,
        templates: Templates,
        roles: Roles,
        pages: Pages,
        ids: Ids,
    ) -> None:
        self._templates = templates
        self._roles = roles
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
        self,
        tx: Tx,
        caller: Caller,
        read: ParsedCa,
        *,
        mode: CaMode,
        active: bool,
        auto_registration: bool,
        provisioning: Provisioning | None = None,
    ) -> CaCertificate:
        """Write a CA certificate, checked already, into the registry and answer it.

        Raises CaExists, CaElsewhere or TooManyOfOneName; ResourceNotFound or InvalidRegistrationConfig for the
        provisioning.
        """
        self._check_provisioning(tx, caller, provisioning)
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
            provisioning=provisioning,
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
        if ca.provisioning is None:
            return Answer({"certificateDescription": described})
        return Answer({"certificateDescription": described, "registrationConfig": _shown(ca.provisioning)})

    def list_ca_certificates(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        ascending, template = bool(request.get("ascendingOrder")), request.get("templateName")
        page = self._pages.by_marker(request, caller, "ListCACertificates", ascending=ascending, template=template)
        found = self._cas.list(
            tx, caller.account, after=page.position, limit=page.limit, ascending=ascending, template=template
        )
        return Answer(
            page.answer("certificates", found, key=lambda c: (c.created_at, c.id), show=lambda c: _listed(caller, c))
        )

    def update_ca_certificate(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        ca = self._get(tx, caller, request["certificateId"])
        provisioning = read_provisioning(request)
        status, auto = request.get("newStatus"), request.get("newAutoRegistrationStatus")
        removed = bool(request.get("removeAutoRegistration"))
        if removed and auto == "ENABLE":
            raise InvalidRequest("removeAutoRegistration and newAutoRegistrationStatus ENABLE exclude each other")
        if removed and provisioning is not None:
            raise InvalidRequest("removeAutoRegistration and registrationConfig exclude each other")
        self._check_provisioning(tx, caller, provisioning)
        changed = ca.changed(
            status=ca.status if status is None else CaStatus(status),
            auto_registration=not removed and (ca.auto_registration if auto is None else auto == "ENABLE"),
            provisioning=None if removed else provisioning or ca.provisioning,
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

    def _check_provisioning(self, tx: Tx, caller: Caller, provisioning: Provisioning | None) -> None:
        """Raise ResourceNotFound or InvalidRegistrationConfig when the template or role is not to be used."""
        if provisioning is None:
            return
        if provisioning.template is not None:
            template = self._templates.get(tx, caller.account, provisioning.template)
            if template is None:
                raise ResourceNotFound(f"Unable to find template named {provisioning.template}")
            if not template.just_in_time:
                raise InvalidRegistrationConfig(f"template {provisioning.template} must be of type JITP")
        role = provisioning.role_arn
        if role is not None and self._roles.by_arn(tx, caller.account, role) is None:
            raise InvalidRegistrationConfig(f"The role {role} does not exist in account {caller.account}")

    def _get(self, tx: Tx, caller: Caller, certificate_id: str) -> CaCertificate:
        ca = self._cas.get(tx, caller.account, certificate_id.lower())
        if ca is None:
            raise CaNotFound(certificate_id)
        return ca


def ca_arn(caller: Caller, certificate_id: str) -> str:
    """Make the ARN of one of the caller's CA certificates."""
    return arn("iot", caller.region, caller.account, f"cacert/{certificate_id}")


def read_provisioning(request: Request) -> Provisioning | None:
    """Read the registrationConfig of a request; raises InvalidRegistrationConfig when it cannot be honoured."""
    written = request.get("registrationConfig")
    if written is None:
        return None
    name, body, role = written.get("templateName"), written.get("templateBody"), written.get("roleArn")
    if name is not None:
        if body is not None or role is not None:
            raise InvalidRegistrationConfig(
                "a template of that name brings its own body and role: leave templateBody and roleArn out"
            )
    elif body is None or role is None:
        raise InvalidRegistrationConfig("there must be templateName, or templateBody and roleArn")
    else:
        try:
            language.tried(body, language.Use.JUST_IN_TIME)
        except language.BadTemplate as error:
            raise InvalidRegistrationConfig(f"The template body is invalid: {error}") from error
    return Provisioning(template=name, body=body, role_arn=role)


def _shown(provisioning: Provisioning) -> dict[str, str]:
    written = {
        "templateName": provisioning.template,
        "templateBody": provisioning.body,
        "roleArn": provisioning.role_arn,
    }
    return {name: value for name, value in written.items() if value is not None}


def _listed(caller: Caller, ca: CaCertificate) -> dict[str, Any]:
    return {
        "certificateArn": ca_arn(caller, ca.id),
        "certificateId": ca.id,
        "status": ca.status.value,
        "creationDate": ca.created_at,
    }
