"""The table of operations: STS, and what follows from it."""

from collections.abc import Callable

from hedgerow.api.operations import Row, read, write
from hedgerow.services.sts.sessions import SessionFollowUps, SessionOperations
from hedgerow.store import Answer, FollowUp, Tx

_OPEN = ""  # everyone may: no right is asked for


def rows(*, sessions: SessionOperations) -> dict[str, Row]:
    """Answer the rows of this service."""
    return {
        "GetCallerIdentity": read(sessions.get_caller_identity, action=_OPEN),
        "AssumeRole": write(sessions.assume_role, "{RoleArn}"),
        "GetSessionToken": write(sessions.get_session_token, action=_OPEN),
    }


def follow_up_rows(*, sessions: SessionFollowUps) -> dict[str, Callable[[Tx, FollowUp], Answer]]:
    """Answer the handlers of this service's follow-ups."""
    return {"sts.session-expired": sessions.on_session_expired}
