"""What happens to a certificate that no device claims: it is deleted when its ownership token has ended."""

from typing import Final

from hedgerow.services.iot.provisioning.store import (
    ENROLMENT_OVER,
    Certificates,
    Enrolment,
    EnrolmentStore,
    Policies,
    Things,
)
from hedgerow.store import Answer, FollowUp, Tx

_AGAIN_S: Final = 86_400.0  # until a certificate that nobody has come with is looked at again


class ProvisioningFollowUps:
    """Handlers of the follow-ups of enrolment."""

    def __init__(
        self, *, certificates: Certificates, things: Things, policies: Policies, enrolments: EnrolmentStore
    ) -> None:
        self._enrolments = enrolments
        self._certificates = certificates
        self._things = things
        self._policies = policies

    def on_unclaimed(self, tx: Tx, row: FollowUp) -> Answer:
        """Delete the certificate, unless it was activated or attached meanwhile, or is gone."""
        certificate = self._certificates.get(tx, row.account, row.key)
        if certificate is None or certificate.status.value != "PENDING_ACTIVATION":
            return Answer()
        if self._things.things_of(tx, row.account, row.key):
            return Answer()
        if not self._policies.attached_to(tx, row.account, row.key):
            self._certificates.remove(tx, row.account, row.key)
        return Answer()

    def on_enrolment_over(self, tx: Tx, row: FollowUp) -> Answer:
        """Forget what the device was answered, and all of it once it has come, or its certificate is gone."""
        found = self._enrolments.get(tx, row.account, row.key)
        self._enrolments.remove(tx, row.account, row.key)
        certificate = self._certificates.get(tx, row.account, row.key)
        if found is None or found.connected or certificate is None or certificate.status.value != "ACTIVE":
            return Answer()
        self._enrolments.add(tx, row.account, row.key, Enrolment(thing=found.thing, reply={}))
        tx.follow_up(ENROLMENT_OVER, account=row.account, key=row.key, body={}, due_at=tx.now + _AGAIN_S)
        return Answer()
