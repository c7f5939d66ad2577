"""Sessions: temporary credentials of a role, a user or an account's root."""

from hedgerow.services.sts.sessions.follow_ups import SessionFollowUps
from hedgerow.services.sts.sessions.model import NewSession, Session, SessionKind
from hedgerow.services.sts.sessions.operations import DeviceCredentialOperations, SessionOperations
from hedgerow.services.sts.sessions.store import SessionMint, SessionReader

__all__ = [
    "DeviceCredentialOperations",
    "NewSession",
    "Session",
    "SessionFollowUps",
    "SessionKind",
    "SessionMint",
    "SessionOperations",
    "SessionReader",
]
