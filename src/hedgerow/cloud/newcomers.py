"""What connections tell about enrolment: a device that connects as itself has its reply, a claim may be turned away.

The first is noted once, while the device's ownership token is still good; the second goes into the record of attempts,
as does what a client may not do once it is in.
"""

from dataclasses import dataclass

from hedgerow.core.arn import arn
from hedgerow.core.caller import Caller, Kind
from hedgerow.gateway.grants import Permissions, policy_grants
from hedgerow.gateway.ports import Admit, Admitted, NotAdmitted, Refused
from hedgerow.services.iot.claims import ClaimReader
from hedgerow.services.iot.lanes import enrolment
from hedgerow.services.iot.onboarding import Attempts
from hedgerow.services.iot.provisioning import EnrolmentStore, device_named
from hedgerow.store import Answer, Run, Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class Newcomers:
    """Takes note of connections. It holds nothing of its own."""

    run: Run
    enrolments: EnrolmentStore
    claims: ClaimReader
    attempts: Attempts
    region: str

    def is_news(self, tx: Tx, question: Admit, answer: Admitted | NotAdmitted) -> bool:
        """Tell whether there is anything to be noted about who connects."""
        if isinstance(answer, Admitted):
            waiting = self.is_waiting(tx, answer.account, answer.principal)
            return waiting and self._may_connect(question.client_id, answer)
        if answer.account is None:
            return False
        return self.claims.of(tx, answer.account, answer.principal) is not None

    def _may_connect(self, client_id: str, answer: Admitted) -> bool:
        """Tell whether its policies let the device in: one that is turned away may not know its name yet."""
        grants = policy_grants(answer, client_id)
        permissions = Permissions(grants, region=self.region, account=answer.account)
        return permissions.may_connect(client_id, {"iot:ConnectAttributes": []})

    async def note(self, question: Admit, answer: Admitted | NotAdmitted) -> None:
        """Note it."""
        await self.run.write(lambda tx: self._noted(tx, question, answer), lane=enrolment(answer.account or ""))

    def _noted(self, tx: Tx, question: Admit, answer: Admitted | NotAdmitted) -> Answer:
        if isinstance(answer, Admitted):
            self.enrolments.connected(tx, answer.account, answer.principal)
            return Answer()
        account = answer.account or ""
        caller = Caller(
            account=account,
            region=self.region,
            principal=arn("iot", self.region, account, f"cert/{answer.principal}"),
            kind=Kind.CERTIFICATE,
            request_id="",
            source_ip=question.peer,
            certificate_id=answer.principal,
            client_id=question.client_id,
        )
        self.attempts.note(tx, caller, way="CLAIM", why_not=f"{answer.reason}: {answer.detail}")
        return Answer()

    def is_waiting(self, tx: Tx, account: str, certificate_id: str) -> bool:
        """Tell whether the certificate's device was provisioned, and has not come as itself yet."""
        return self.enrolments.is_waiting(tx, account, certificate_id)

    async def came(self, account: str, certificate_id: str) -> None:
        """Note that a device has come as itself, elsewhere than by MQTT."""
        await self.run.write(lambda tx: self._came(tx, account, certificate_id))

    def _came(self, tx: Tx, account: str, certificate_id: str) -> Answer:
        self.enrolments.connected(tx, account, certificate_id)
        return Answer()

    async def refused(self, question: Refused, caller: Caller) -> None:
        """Note what a claim, or whoever else wants an identity, may not do."""
        await self.run.write(lambda tx: self._refused(tx, question, caller), lane=enrolment(caller.account))

    def _refused(self, tx: Tx, question: Refused, caller: Caller) -> Answer:
        topic, why = question.message.topic, question.why
        template = _template_of(topic)
        if template is not None and caller.certificate_id is not None:
            claim = self.claims.of(tx, caller.account, caller.certificate_id)
            objection = None if claim is None else claim.objection_to(template)
            why = f"{why}: {objection}" if objection else why
        device = device_named(topic, question.message.payload)
        self.attempts.note(tx, caller, way="CLAIM", why_not=why, device=device, template=template)
        return Answer()


def _template_of(topic: str) -> str | None:
    match topic.split("/"):
        case ["$aws", "provisioning-templates", name, *_] if name not in ("+", "#"):
            return name
        case _:
            return None
