"""Sessions: temporary credentials of a role, a user or an account's root."""

from hedgerow.services.sts.sessions.assumption import RoleSessionOperations
from hedgerow.services.sts.sessions.devices import DeviceCredentialOperations
from hedgerow.services.sts.sessions.flows import KeysRefused, WebIdentityFlows
from hedgerow.services.sts.sessions.follow_ups import SessionFollowUps
from hedgerow.services.sts.sessions.model import TAG, TEMPORARY, Bounds, Mandate, Session, SessionKind
from hedgerow.services.sts.sessions.operations import SessionOperations
from hedgerow.services.sts.sessions.store import SessionMint, SessionReader, UserSessions

__all__ = [
    "TAG",
    "TEMPORARY",
    "Bounds",
    "DeviceCredentialOperations",
    "KeysRefused",
    "Mandate",
    "RoleSessionOperations",
    "Session",
    "SessionFollowUps",
    "SessionKind",
    "SessionMint",
    "SessionOperations",
    "SessionReader",
    "UserSessions",
    "WebIdentityFlows",
]
