"""The operations of STS, and the credential provider that devices use.

Left out, and refused by name: session policies, session tags, MFA, federation.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

from hedgerow.base.errors import NotImplementedYet
from hedgerow.core.arn import parse
from hedgerow.core.caller import Caller, Kind
from hedgerow.core.policy import Principal, caller_principal, decide_trust
from hedgerow.core.request import Request
from hedgerow.services.sts.sessions.errors import (
    AliasNotFound,
    DurationTooLong,
    NoCertificate,
    NotAuthorised,
    RoleNotAssumable,
    SessionsOnly,
    WrongDuration,
    WrongThing,
)
from hedgerow.services.sts.sessions.model import (
    CHAINED_S,
    DEFAULT_S,
    DEVICES,
    ROOT_LONGEST_S,
    SHORTEST_S,
    USER_DEFAULT_S,
    USER_LONGEST_S,
    NewSession,
    Session,
    SessionKind,
    assumed_role_arn,
    session_name,
)
from hedgerow.services.sts.sessions.store import SessionMint, SessionReader
from hedgerow.store import Answer, Tx


class Role(Protocol):
    """What is needed of a role."""

    @property
    def name(self) -> str: ...

    @property
    def id(self) -> str: ...

    @property
    def trust(self) -> str:
        """The trust policy, JSON text."""
        ...

    @property
    def max_session_s(self) -> int: ...


class Roles(Protocol):
    """Reads roles."""

    def by_arn(self, tx: Tx, account: str, arn: str) -> Role | None:
        """Answer the account's role with this ARN, or None."""
        ...


class User(Protocol):
    """What is needed of a user."""

    @property
    def id(self) -> str: ...


class Users(Protocol):
    """Reads users."""

    def find(self, tx: Tx, account: str, name: str) -> User | None:
        """Answer the user, or None."""
        ...


class SessionOperations:
    """STS."""

    def __init__(self, *, roles: Roles, users: Users, mint: SessionMint, sessions: SessionReader) -> None:
        self._roles = roles
        self._users = users
        self._mint = mint
        self._sessions = sessions

    def get_caller_identity(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        return Answer({"UserId": self._identity(tx, caller), "Account": caller.account, "Arn": caller.principal})

    def assume_role(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        arn, name = request["RoleArn"], request["RoleSessionName"]
        seconds, external = request.get("DurationSeconds"), request.get("ExternalId")
        role = self._trusted(tx, caller, arn, name, external)
        longest = min(role.max_session_s, CHAINED_S) if caller.kind is Kind.ROLE else role.max_session_s
        duration = min(DEFAULT_S, longest) if seconds is None else seconds
        if duration > longest:
            raise WrongDuration("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
        session = self._mint.create(
            tx,
            caller.account,
            NewSession(
                kind=SessionKind.ROLE,
                principal=assumed_role_arn(caller.account, role.name, name),
                name=role.name,
                identity=f"{role.id}:{name}",
                duration_s=_checked_duration(duration),
            ),
        )
        assumed = {"AssumedRoleId": session.identity, "Arn": session.principal}
        return Answer({"Credentials": _shown(session), "AssumedRoleUser": assumed})

    def get_session_token(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        asked = request.get("DurationSeconds")
        if caller.kind not in (Kind.USER, Kind.ROOT) or self._is_session(tx, caller):
            raise SessionsOnly
        root = caller.kind is Kind.ROOT
        longest = ROOT_LONGEST_S if root else USER_LONGEST_S
        duration = min(asked or USER_DEFAULT_S, longest) if root else asked or USER_DEFAULT_S
        if duration > longest:
            raise WrongDuration(f"DurationSeconds must be at most {longest}")
        session = self._mint.create(tx, caller.account, self._of_caller(tx, caller, _checked_duration(duration)))
        return Answer({"Credentials": _shown(session)})

    def session_for(self, tx: Tx, caller: Caller, duration_s: float) -> Session:
        """Make a session that speaks for the caller as it is, no longer than the caller's own session (console)."""
        own = self._sessions.find(tx, caller.access_key_id or "")
        new = self._of_caller(tx, caller, duration_s)
        if own is not None:
            new = NewSession(
                kind=own.kind,
                principal=own.principal,
                name=own.name,
                identity=own.identity,
                variables=own.variables,
                duration_s=max(0.0, min(duration_s, own.expires_at - tx.now)),
            )
        return self._mint.create(tx, caller.account, new)

    def _of_caller(self, tx: Tx, caller: Caller, duration_s: float) -> NewSession:
        kind = {Kind.ROOT: SessionKind.ROOT, Kind.USER: SessionKind.USER, Kind.ROLE: SessionKind.ROLE}[caller.kind]
        parsed = parse(caller.principal)
        parts = parsed.resource.split("/") if parsed is not None else [""]
        name = {SessionKind.ROOT: "", SessionKind.USER: parts[-1], SessionKind.ROLE: parts[1] if parts[1:] else ""}
        return NewSession(
            kind=kind,
            principal=caller.principal,
            name=name[kind],
            identity=self._identity(tx, caller),
            duration_s=duration_s,
        )

    def _trusted(self, tx: Tx, caller: Caller, arn: str, session: str, external: str | None) -> Role:
        parsed = parse(arn)
        if parsed is not None and parsed.service == "iam" and parsed.account != caller.account:
            raise NotImplementedYet("Accounts share nothing: a role of another account cannot be assumed")
        role = self._roles.by_arn(tx, caller.account, arn)
        if role is None:
            raise NotAuthorised(caller.principal, arn, "there is no such role")
        who = caller_principal(caller.account, caller.principal)
        decision = decide_trust(role.trust, who, context=_context(tx, caller, session, external))
        if not decision.allowed:
            raise NotAuthorised(caller.principal, arn, decision.explain())
        return role

    def _is_session(self, tx: Tx, caller: Caller) -> bool:
        return caller.access_key_id is not None and self._sessions.find(tx, caller.access_key_id) is not None

    def _identity(self, tx: Tx, caller: Caller) -> str:
        if caller.access_key_id is not None:
            session = self._sessions.find(tx, caller.access_key_id)
            if session is not None:
                return session.identity
        if caller.kind is Kind.USER:
            user = self._users.find(tx, caller.account, caller.principal.rpartition("/")[2])
            return caller.account if user is None else user.id
        return caller.certificate_id or caller.account


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


class DeviceCredentialOperations:
    """The credential provider: a device certificate is traded for credentials of a role.

    That the certificate's IoT policies allow `iot:AssumeRoleWithCertificate` was decided before, from the table's row.
    """

    def __init__(self, *, role_aliases: RoleAliases, roles: Roles, things: Things, mint: SessionMint) -> None:
        self._role_aliases = role_aliases
        self._roles = roles
        self._things = things
        self._mint = mint

    def assume_role_with_certificate(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        certificate = caller.certificate_id
        if caller.kind is not Kind.CERTIFICATE or certificate is None:
            raise NoCertificate
        variables = self._variables(tx, caller, certificate, request.get("thingName"))
        alias = self._role_aliases.get(tx, caller.account, request["roleAlias"])
        if alias is None:
            raise AliasNotFound
        role = self._roles.by_arn(tx, caller.account, alias.role_arn)
        if role is None or not decide_trust(role.trust, Principal(service=DEVICES), context=variables).allowed:
            raise RoleNotAssumable
        if alias.duration_s > role.max_session_s:
            raise DurationTooLong
        name = session_name(certificate)
        session = self._mint.create(
            tx,
            caller.account,
            NewSession(
                kind=SessionKind.ROLE,
                principal=assumed_role_arn(caller.account, role.name, name),
                name=role.name,
                identity=f"{role.id}:{name}",
                duration_s=alias.duration_s,
                variables=variables,
            ),
        )
        credentials = {
            "accessKeyId": session.access_key_id,
            "secretAccessKey": session.secret,
            "sessionToken": session.token,
            "expiration": session.expires_at,
        }
        return Answer({"credentials": credentials})

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


def _context(tx: Tx, caller: Caller, session: str, external: str | None) -> dict[str, str]:
    context = {
        "aws:PrincipalArn": caller.principal,
        "aws:PrincipalAccount": caller.account,
        "aws:CurrentTime": datetime.fromtimestamp(tx.now, UTC).isoformat(),
        "aws:EpochTime": str(int(tx.now)),
        "sts:RoleSessionName": session,
    }
    if external is not None:
        context["sts:ExternalId"] = external
    if caller.source_ip is not None:
        context["aws:SourceIp"] = caller.source_ip
    if caller.kind is Kind.USER:
        context["aws:username"] = caller.principal.rpartition("/")[2]
    return context


def _checked_duration(seconds: float) -> float:
    if seconds < SHORTEST_S:
        raise WrongDuration(f"DurationSeconds must be at least {SHORTEST_S}")
    return seconds


def _shown(session: Session) -> dict[str, Any]:
    return {
        "AccessKeyId": session.access_key_id,
        "SecretAccessKey": session.secret,
        "SessionToken": session.token,
        "Expiration": session.expires_at,
    }
