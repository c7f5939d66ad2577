"""The credential provider: a device certificate is traded for credentials of a role.

The certificate's IoT policies must allow `iot:AssumeRoleWithCertificate` on the alias, with the variables of the thing
that the header names. Existing credentials outlive the certificate; there are no new ones once it is inactive.
Spec: iot-core-connect, section 8 (texts, and the order of the checks).
"""

import math
from collections.abc import Mapping
from typing import Final, Protocol

from hedgerow.base.log import get_logger
from hedgerow.core.arn import arn
from hedgerow.core.caller import Caller, Kind
from hedgerow.core.policy import Context, Principal, Verdict, decide_trust
from hedgerow.core.request import Request
from hedgerow.services.sts.sessions.assumption import circumstances
from hedgerow.services.sts.sessions.errors import (
    AliasDenied,
    AliasNotFound,
    DurationTooLong,
    NoCertificate,
    RoleNotAssumable,
    WrongThing,
)
from hedgerow.services.sts.sessions.model import DEVICES, Mandate, SessionKind, assumed_role_arn, session_name
from hedgerow.services.sts.sessions.ports import Roles
from hedgerow.services.sts.sessions.store import SessionMint
from hedgerow.store import Answer, Tx

log = get_logger("sts")

ASSUME: Final = "iot:AssumeRoleWithCertificate"


class RoleAlias(Protocol):
    """What is needed of a role alias."""

    @property
    def role_arn(self) -> str: ...

    @property
    def duration_s(self) -> int: ...


class RoleAliases(Protocol):
    """Reads role aliases."""

    def get(self, tx: Tx, account: str, name: str) -> RoleAlias | None:
        """Answer the role alias, or None."""
        ...


class Thing(Protocol):
    """What is needed of a thing."""

    @property
    def type(self) -> str | None: ...


class Things(Protocol):
    """Reads things and their principals."""

    def get(self, tx: Tx, account: str, name: str) -> Thing | None:
        """Answer the thing, or None."""
        ...

    def attachment(self, tx: Tx, account: str, thing: str, principal: str) -> object | None:
        """Answer how the principal (a certificate id) belongs to the thing, None when it does not."""
        ...


class DeviceRights(Protocol):
    """Decides what a certificate's IoT policies allow."""

    def decide(
        self,
        tx: Tx,
        account: str,
        certificate_id: str,
        thing: str | None,
        action: str,
        resource: str,
        context: Context,
    ) -> Verdict | None:
        """Decide for an attached thing, or for none; None when the certificate is of no use by now."""
        ...


class DeviceCredentialOperations:
    """The credential provider."""

    def __init__(
        self,
        *,
        rights: DeviceRights,
        role_aliases: RoleAliases,
        roles: Roles,
        things: Things,
        mint: SessionMint,
    ) -> None:
        self._rights = rights
        self._role_aliases = role_aliases
        self._roles = roles
        self._things = things
        self._mint = mint

    def assume_role_with_certificate(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        certificate = caller.certificate_id
        if caller.kind is not Kind.CERTIFICATE or certificate is None:
            raise NoCertificate
        name, thing = request["roleAlias"], request.get("thingName")
        variables = self._variables(tx, caller, certificate, thing)
        resource = arn("iot", caller.region, caller.account, f"rolealias/{name}")
        self._allowed(tx, caller, certificate, thing, resource)
        alias = self._role_aliases.get(tx, caller.account, name)
        if alias is None:
            raise AliasNotFound
        source = {"aws:SourceArn": resource, "aws:SourceAccount": caller.account}
        context = {**circumstances(tx, caller), **variables, **source}
        role = self._roles.by_arn(tx, caller.account, alias.role_arn)
        if role is None or not decide_trust(role.trust, Principal(service=DEVICES), context=context).allowed:
            raise RoleNotAssumable
        if alias.duration_s > role.max_session_s:
            raise DurationTooLong
        name = session_name(certificate)
        session = self._mint.create(
            tx,
            caller.account,
            Mandate(
                kind=SessionKind.ROLE,
                principal=assumed_role_arn(caller.account, role.name, name),
                name=role.name,
                identity=f"{role.id}:{name}",
                variables=variables,
            ),
            alias.duration_s,
        )
        credentials = {
            "accessKeyId": session.access_key_id,
            "secretAccessKey": session.secret,
            "sessionToken": session.token,
            "expiration": math.floor(session.expires_at),  # whole seconds, as devices expect them
        }
        return Answer({"credentials": credentials})

    def _allowed(self, tx: Tx, caller: Caller, certificate: str, thing: str | None, resource: str) -> None:
        context = circumstances(tx, caller)
        verdict = self._rights.decide(tx, caller.account, certificate, thing, ASSUME, resource, context)
        if verdict is None:
            raise NoCertificate
        if not verdict.allowed:  # devices look for these two words: the log says more
            fields = {"account": caller.account, "certificate": certificate, "why": verdict.explain()}
            log.info("a device was refused credentials", extra={"fields": fields})
            raise AliasDenied

    def _variables(self, tx: Tx, caller: Caller, certificate: str, name: str | None) -> Mapping[str, str]:
        variables = {"credentials-iot:AwsCertificateId": certificate}
        if name is None:
            return variables
        thing = self._things.get(tx, caller.account, name)
        if thing is None or self._things.attachment(tx, caller.account, name, certificate) is None:
            raise WrongThing
        variables["credentials-iot:ThingName"] = name
        if thing.type is not None:
            variables["credentials-iot:ThingTypeName"] = thing.type
        return variables
