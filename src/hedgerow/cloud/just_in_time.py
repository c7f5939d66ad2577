"""Joins CA certificates with provisioning templates: how a device that connects for the first time is provisioned.

Implements `services.iot.ca_certificates.Provisioner`.
"""

from cryptography import x509

from hedgerow.core import pki
from hedgerow.core import template as language
from hedgerow.core.caller import Caller
from hedgerow.services.iot.ca_certificates import NotProvisioned, Provisioning
from hedgerow.services.iot.onboarding import Attempts
from hedgerow.services.iot.provisioning import Order, Registration, Rejection
from hedgerow.services.iot.provisioning_templates import TemplateStore
from hedgerow.store import Answer, Tx


class JustInTimeProvisioner:
    """Applies the template of a CA to a certificate of it. It holds no state of its own."""

    def __init__(self, *, templates: TemplateStore, registration: Registration, attempts: Attempts) -> None:
        self._attempts = attempts
        self._templates = templates
        self._registration = registration

    def provision(self, tx: Tx, caller: Caller, by: Provisioning, certificate: x509.Certificate) -> Answer:
        """Provision the device of this certificate; raises NotProvisioned."""
        name, body, role = self._template(tx, caller.account, by)
        order = Order(
            certificate_id=pki.certificate_id(certificate),
            template=name,
            body=body,
            role_arn=role,
            parameters={},
            approved=False,
            facts=facts_of(certificate),
            use=language.Use.JUST_IN_TIME,
        )
        try:
            done = self._registration.register(tx, order, caller)
        except Rejection as error:
            raise NotProvisioned(error.code, error.in_full) from error
        thing = done.response.get("thingName")
        self._note(tx, caller, certificate, device=thing, template=by.template)
        return done

    def failed(self, tx: Tx, caller: Caller, certificate: x509.Certificate, why: NotProvisioned) -> Answer:
        """Write down that this did not succeed, and why."""
        self._note(
            tx, caller, certificate, why_not=f"{why.code}: {why}", device=facts_of(certificate).get("CommonName")
        )
        return Answer({})

    def turned_away(
        self, tx: Tx, caller: Caller, certificate: x509.Certificate, why: str, *, provisions: bool
    ) -> Answer:
        """Write down that a certificate of a registered CA is not registered, and why."""
        way, name = "JITP" if provisions else "JITR", facts_of(certificate).get("CommonName")
        self._note(tx, caller, certificate, way=way, why_not=why, device=name)
        return Answer({})

    def registered(self, tx: Tx, caller: Caller, certificate: x509.Certificate) -> None:
        """Write down that a certificate was registered, whose device somebody else provisions."""
        name = facts_of(certificate).get("CommonName")
        self._note(tx, caller, certificate, way="JITR", device=name, remark="waits for its activation")

    def _note(
        self,
        tx: Tx,
        caller: Caller,
        certificate: x509.Certificate,
        *,
        way: str = "JITP",
        device: str | None,
        template: str | None = None,
        why_not: str | None = None,
        remark: str | None = None,
    ) -> None:
        self._attempts.note(
            tx,
            caller,
            way=way,
            device=device,
            certificate_id=pki.certificate_id(certificate),
            template=template,
            why_not=why_not,
            remark=remark,
        )

    def _template(self, tx: Tx, account: str, by: Provisioning) -> tuple[str, str, str]:
        """Answer the template's name, its body (of the default version of the moment) and the role."""
        if by.template is None:
            return "of the CA certificate", by.body or "", by.role_arn or ""
        template = self._templates.get(tx, account, by.template)
        if template is None:
            raise NotProvisioned("InvalidTemplate", f"Template with name {by.template} does not exist.")
        if not template.enabled:
            raise NotProvisioned("InvalidTemplate", f"Template {by.template} is not enabled.")
        version = self._templates.version(tx, account, by.template, template.default_version)
        if version is None:
            raise NotProvisioned("InvalidTemplate", f"Template {by.template} has no default version.")
        return by.template, version.body, template.role_arn


def facts_of(certificate: x509.Certificate) -> dict[str, str]:
    """Answer what a template may refer to: the first value of each part of the certificate's subject."""
    said = pki.policy_variables(certificate)
    spelled = {part: "State" if part == "StateName" else part for part in language.SUBJECT_PARTS}
    found = {part: said.get(f"iot:Certificate.Subject.{name}") for part, name in spelled.items()}
    return {part: value for part, value in found.items() if value is not None}
