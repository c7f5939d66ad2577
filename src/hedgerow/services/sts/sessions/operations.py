"""The operations of STS that concern the caller itself: who it is, and sessions of users and root.

Left out, and refused by name: MFA.
"""

from dataclasses import replace

from hedgerow.core.arn import parse
from hedgerow.core.caller import Caller, Kind
from hedgerow.core.request import Request
from hedgerow.services.sts.sessions.assumption import actions_for, circumstances, shown_credentials
from hedgerow.services.sts.sessions.errors import NotAuthorised, SessionsOnly, UnknownAccessKey, WrongDuration
from hedgerow.services.sts.sessions.model import (
    ROOT_LONGEST_S,
    SHORTEST_S,
    USER_DEFAULT_S,
    USER_LONGEST_S,
    Bounds,
    Mandate,
    Session,
    SessionKind,
    federated_user_arn,
)
from hedgerow.services.sts.sessions.ports import AccessKeys, Standings, Users
from hedgerow.services.sts.sessions.store import SessionMint, SessionReader
from hedgerow.services.sts.sessions.terms import ManagedPolicies, Terms, check_policies, read_terms, tags_of
from hedgerow.store import Answer, Tx


class SessionOperations:
    """STS."""

    def __init__(
        self,
        *,
        users: Users,
        access_keys: AccessKeys,
        standings: Standings,
        managed: ManagedPolicies,
        mint: SessionMint,
        sessions: SessionReader,
    ) -> None:
        self._users = users
        self._access_keys = access_keys
        self._standings = standings
        self._managed = managed
        self._mint = mint
        self._sessions = sessions

    def get_caller_identity(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        return Answer({"UserId": self._identity(tx, caller), "Account": caller.account, "Arn": caller.principal})

    def get_access_key_info(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        identifier = request["AccessKeyId"]
        found = self._access_keys.find(tx, identifier)
        session = self._sessions.find(tx, identifier) if found is None else None
        if found is not None:
            return Answer({"Account": found[0].account})
        if session is None:
            raise UnknownAccessKey(identifier)
        return Answer({"Account": session.account})

    def get_session_token(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        asked = request.get("DurationSeconds")
        if caller.kind not in (Kind.USER, Kind.ROOT) or self._is_session(tx, caller):
            raise SessionsOnly("GetSessionToken")
        duration = user_duration(asked, root=caller.kind is Kind.ROOT)
        mandate = replace(self._of_caller(tx, caller), restricted=True)
        session = self._mint.create(tx, caller.account, mandate, duration)
        return Answer({"Credentials": shown_credentials(session)})

    def get_federation_token(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        name, asked = request["Name"], request.get("DurationSeconds")
        if caller.kind not in (Kind.USER, Kind.ROOT) or self._is_session(tx, caller):
            raise SessionsOnly("GetFederationToken")
        terms = read_terms(request, tags=tags_of(request))
        self._may_federate(tx, caller, name, terms)
        check_policies(tx, terms, caller.account, self._managed)
        owner = self._of_caller(tx, caller)
        mandate = Mandate(
            kind=SessionKind.FEDERATED,
            principal=federated_user_arn(caller.account, name),
            name=owner.name,
            identity=f"{caller.account}:{name}",
            owner_id=owner.identity,
            variables=terms.variables,
            bounds=terms.bounds or Bounds(),  # without session policies nothing is allowed
            restricted=True,
        )
        duration = user_duration(asked, root=caller.kind is Kind.ROOT)
        session = self._mint.create(tx, caller.account, mandate, duration)
        user = {"FederatedUserId": session.identity, "Arn": session.principal}
        return Answer({"Credentials": shown_credentials(session), "FederatedUser": user, **terms.shown()})

    def session_for(self, tx: Tx, caller: Caller, duration_s: float) -> Session:
        """Make a session that speaks for the caller as it is, no longer than the caller's own session (console)."""
        own = self._sessions.find(tx, caller.access_key_id or "")
        if own is None:
            return self._mint.create(tx, caller.account, self._of_caller(tx, caller), duration_s)
        left = max(0.0, min(duration_s, own.expires_at - tx.now))
        return self._mint.create(tx, caller.account, own.mandate, left)

    def _may_federate(self, tx: Tx, caller: Caller, name: str, terms: Terms) -> None:
        if caller.kind is Kind.ROOT:
            return
        resource = federated_user_arn(caller.account, name)
        context = circumstances(tx, caller) | terms.context()
        rights = self._standings.of(tx, caller).rights
        for action in actions_for("sts:GetFederationToken", terms, None):
            decision = rights.decide(action, resource, context)
            if not decision.allowed:
                raise NotAuthorised(caller.principal, action, resource, decision.explain())

    def _of_caller(self, tx: Tx, caller: Caller) -> Mandate:
        kind = {Kind.ROOT: SessionKind.ROOT, Kind.USER: SessionKind.USER, Kind.ROLE: SessionKind.ROLE}[caller.kind]
        parsed = parse(caller.principal)
        parts = parsed.resource.split("/") if parsed is not None else [""]
        name = {SessionKind.ROOT: "", SessionKind.USER: parts[-1], SessionKind.ROLE: parts[1] if parts[1:] else ""}
        return Mandate(kind=kind, principal=caller.principal, name=name[kind], identity=self._identity(tx, caller))

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


def user_duration(asked: int | None, *, root: bool) -> float:
    """Answer how long a session of a user or root lasts; raise WrongDuration when that is too long or short."""
    longest = ROOT_LONGEST_S if root else USER_LONGEST_S
    duration = asked or USER_DEFAULT_S
    if not root and duration > longest:
        raise WrongDuration(f"DurationSeconds must be at most {longest}")
    if duration < SHORTEST_S:
        raise WrongDuration(f"DurationSeconds must be at least {SHORTEST_S}")
    return float(min(duration, longest))
