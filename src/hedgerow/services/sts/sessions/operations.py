"""The operations of STS that concern the caller itself: who it is, and sessions of users and root.

Left out, and refused by name: MFA.
"""

from hedgerow.core.arn import parse
from hedgerow.core.caller import Caller, Kind
from hedgerow.core.request import Request
from hedgerow.services.sts.sessions.assumption import shown_credentials
from hedgerow.services.sts.sessions.errors import SessionsOnly, WrongDuration
from hedgerow.services.sts.sessions.model import (
    ROOT_LONGEST_S,
    SHORTEST_S,
    USER_DEFAULT_S,
    USER_LONGEST_S,
    NewSession,
    Session,
    SessionKind,
)
from hedgerow.services.sts.sessions.ports import Users
from hedgerow.services.sts.sessions.store import SessionMint, SessionReader
from hedgerow.store import Answer, Tx


class SessionOperations:
    """STS."""

    def __init__(self, *, users: Users, mint: SessionMint, sessions: SessionReader) -> None:
        self._users = users
        self._mint = mint
        self._sessions = sessions

    def get_caller_identity(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        return Answer({"UserId": self._identity(tx, caller), "Account": caller.account, "Arn": caller.principal})

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
        return Answer({"Credentials": shown_credentials(session)})

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


def _checked_duration(seconds: float) -> float:
    if seconds < SHORTEST_S:
        raise WrongDuration(f"DurationSeconds must be at least {SHORTEST_S}")
    return seconds
