"""The operations of console sign-in."""

from typing import Protocol

from hedgerow.base.ids import Ids
from hedgerow.core.caller import Caller, Kind
from hedgerow.core.request import Request
from hedgerow.services.hedgerow.sign_ins.errors import CannotSignIn, SignInNotFound
from hedgerow.services.hedgerow.sign_ins.model import LASTS_S, SESSION_S, TOKEN_DIGITS, SignIn, digest_of
from hedgerow.services.hedgerow.sign_ins.store import SignInStore
from hedgerow.store import Answer, Tx


class Session(Protocol):
    """Temporary credentials."""

    @property
    def access_key_id(self) -> str: ...

    @property
    def secret(self) -> str: ...

    @property
    def token(self) -> str: ...

    @property
    def expires_at(self) -> float: ...


class Sessions(Protocol):
    """Makes temporary credentials that speak for a caller."""

    def session_for(self, tx: Tx, caller: Caller, duration_s: float) -> Session:
        """Make a session that speaks for the caller as it is, no longer than the caller's own session."""
        ...


class Keys(Protocol):
    """Tells whether an access key can still be used."""

    def usable(self, tx: Tx, access_key_id: str) -> bool:
        """Answer whether the key is there, active, and not over."""
        ...


class SignInOperations:
    """One-time tokens for the console."""

    def __init__(self, *, ids: Ids, sessions: Sessions, keys: Keys) -> None:
        self._ids = ids
        self._sessions = sessions
        self._keys = keys

    def create_console_sign_in(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        if caller.kind not in (Kind.ROOT, Kind.USER, Kind.ROLE) or caller.access_key_id is None:
            raise CannotSignIn
        token = self._ids.hex(TOKEN_DIGITS)
        sign_in = SignIn(
            account=caller.account,
            digest=digest_of(token),
            principal=caller.principal,
            kind=caller.kind.value,
            access_key_id=caller.access_key_id,
            expires_at=tx.now + LASTS_S,
        )
        SignInStore(tx).add(sign_in)
        return Answer({"token": token, "expiresAt": sign_in.expires_at})

    def redeem_console_sign_in(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        sign_in = SignInStore(tx).take(digest_of(request["token"]))
        if sign_in is None or sign_in.expires_at <= tx.now or not self._keys.usable(tx, sign_in.access_key_id):
            raise SignInNotFound
        as_whom = Caller(
            account=sign_in.account,
            region=caller.region,
            principal=sign_in.principal,
            kind=Kind(sign_in.kind),
            request_id=caller.request_id,
            source_ip=caller.source_ip,
            access_key_id=sign_in.access_key_id,
        )
        session = self._sessions.session_for(tx, as_whom, SESSION_S)
        return Answer(
            {
                "accountId": sign_in.account,
                "principal": sign_in.principal,
                "accessKeyId": session.access_key_id,
                "secretAccessKey": session.secret,
                "sessionToken": session.token,
                "expiresAt": session.expires_at,
            }
        )
