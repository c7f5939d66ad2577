"""Who may connect by MQTT, as whom, and with which policies: control's answer to the gateway's `Admit`.

A certificate gets its IoT policies and, when its thing is known, those of the thing's groups. The thing is the one that
is attached exclusively, else the one whose name is the client id and that the certificate is attached to. A signed
caller (WebSocket) gets its IAM policies. Anything else is not admitted: there are no custom authorizers yet.
Every connection asks anew; nothing is remembered here.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from hedgerow.base.clock import Clock
from hedgerow.cloud.credentials import Credentials, Refused
from hedgerow.cloud.directory import Readers, certificate_variables
from hedgerow.cloud.standing import entity_of
from hedgerow.core.policy import Context, Decision, Dialect, Grants, compile_policies
from hedgerow.gateway.ports import Admit, Admitted, NotAdmitted
from hedgerow.services.iam.entities import Kind as Entity
from hedgerow.services.iot.things import Attachment, Thing
from hedgerow.store import Run, Tx

_EVERYTHING: Final = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
)


class Admission:
    """Answers `Admit`."""

    def __init__(self, *, run: Run, credentials: Credentials, readers: Readers) -> None:
        self._run = run
        self._credentials = credentials
        self._readers = readers

    async def admit(self, question: Admit) -> Admitted | NotAdmitted:
        """Say who this is and what it may do, or why it is not let in."""
        if question.certificate is not None:
            der = question.certificate
            return await self._run.read(lambda tx: self._by_certificate(tx, question, der))
        if question.signed_by is not None and question.signed_account is not None:
            principal, account = question.signed_by, question.signed_account
            return await self._run.read(lambda tx: self._by_signature(tx, question, principal, account))
        return NotAdmitted(reason="NOT_AUTHENTICATED", detail="the client showed no certificate and signed nothing")

    def _by_certificate(self, tx: Tx, question: Admit, der: bytes) -> Admitted | NotAdmitted:
        certificate_id = hashlib.sha256(der).hexdigest()
        owners = self._readers.certificates.owners(tx, certificate_id)
        chosen = self._credentials.choose(owners, certificate_id, question.server_name)
        if isinstance(chosen, Refused):
            return NotAdmitted(reason=chosen.reason, detail=chosen.detail)
        account, certificate = chosen
        thing, exclusive = self._thing(tx, account, certificate_id, question.client_id)
        names = [] if thing is None else [thing.name]
        variables = _network(question) | certificate_variables(certificate, thing)
        variables["iot:Connection.Thing.IsAttached"] = "false" if thing is None else "true"
        return Admitted(
            account=account,
            principal=certificate_id,
            policies=self._readers.effective.documents(tx, account, certificate_id, names),
            dialect=Dialect.IOT.value,
            variables=variables,
            thing=thing.name if thing is not None and exclusive else None,
            ends_at=certificate.not_after,
        )

    def _thing(self, tx: Tx, account: str, certificate_id: str, client_id: str) -> tuple[Thing | None, bool]:
        things = self._readers.things
        links = things.things_of(tx, account, certificate_id)
        exclusive = next((link.thing for link in links if link.attachment is Attachment.EXCLUSIVE), None)
        name = exclusive or next((link.thing for link in links if link.thing == client_id), None)
        return (None if name is None else things.get(tx, account, name)), exclusive is not None

    def _by_signature(self, tx: Tx, question: Admit, principal: str, account: str) -> Admitted | NotAdmitted:
        variables = _network(question) | {"aws:PrincipalArn": principal, "aws:PrincipalAccount": account}
        variables["aws:SecureTransport"] = "true"
        if principal.endswith(":root"):
            return _signed(account, principal, (_EVERYTHING,), variables)
        entity, name = entity_of(principal)
        ends_at = None
        if entity is Entity.ROLE:
            role = self._readers.roles.find(tx, account, name)
            live = None if role is None else self._readers.sessions.live(tx, account, principal, role.id)
            if live is None:
                return NotAdmitted(reason="SECURITY_TOKEN_EXPIRED", detail=f"no session of {principal} is live")
            ends_at, common = live
            variables |= common
        else:
            if self._readers.users.find(tx, account, name) is None:
                return NotAdmitted(reason="SECURITY_TOKEN_INVALID", detail=f"there is no {principal}")
            variables["aws:username"] = name
        documents = self._readers.entity_policies.documents(tx, account, entity, name)
        return _signed(account, principal, tuple(document for _, document in documents), variables, ends_at)


def _signed(
    account: str,
    principal: str,
    policies: tuple[str, ...],
    variables: Mapping[str, str],
    ends_at: float | None = None,
) -> Admitted:
    return Admitted(
        account=account,
        principal=principal,
        policies=policies,
        dialect=Dialect.IAM.value,
        variables=variables,
        ends_at=ends_at,
    )


def _network(question: Admit) -> dict[str, str]:
    variables = {"iot:ClientId": question.client_id, "aws:SourceIp": question.peer}
    if question.server_name is not None:
        variables["iot:DomainName"] = question.server_name
    return variables


class TimedGrants:
    """Grants that some statement ties to the time: tells them what time it is with every question."""

    def __init__(self, grants: Grants, clock: Clock) -> None:
        self._grants = grants
        self._clock = clock

    def decide(self, action: str, resource: str, context: Mapping[str, Any] | None = None) -> Decision:
        now = self._clock.now()
        timed: Context = {
            **(context or {}),
            "aws:CurrentTime": datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "aws:EpochTime": str(int(now)),
        }
        return self._grants.decide(action, resource, timed)


class GrantsCompiler:
    """Compiles what was admitted, for the gateway: `compile_grants(admitted, client_id)`."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock

    def __call__(self, admitted: Admitted, client_id: str) -> Grants | TimedGrants:
        """Answer the grants of one connection. Raises MalformedPolicy for documents that were never validated."""
        grants = compile_policies(
            admitted.policies,
            dialect=Dialect(admitted.dialect),
            variables={"iot:ClientId": client_id, **admitted.variables},
        )
        timed = any(key.lower() in ("aws:currenttime", "aws:epochtime") for key in grants.context_keys)
        return TimedGrants(grants, self._clock) if timed else grants
