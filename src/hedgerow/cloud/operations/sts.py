"""The table of operations: STS, and what follows from it."""

from collections.abc import Callable
from typing import Final

from hedgerow.api.operations import Row, flow, read, write
from hedgerow.services.sts.sessions import RoleSessionOperations, SessionFollowUps, SessionOperations, WebIdentityFlows
from hedgerow.store import Answer, FollowUp, Tx

REFUSED: Final = {
    "AssumeRoleWithSAML": "There are no SAML providers; use AssumeRoleWithWebIdentity with an OIDC provider.",
    "DecodeAuthorizationMessage": "A refusal says in its message who lacks which right; it is not encoded.",
}
"""Why these are not answered."""

_OPEN = ""  # everyone may: no right is asked for


def rows(
    *, sessions: SessionOperations, roles: RoleSessionOperations, web_identities: WebIdentityFlows
) -> dict[str, Row]:
    """Answer the rows of this service. AssumeRole and its like ask for the rights themselves."""
    return {
        "GetCallerIdentity": read(sessions.get_caller_identity, action=_OPEN),
        "AssumeRole": write(roles.assume_role, "{RoleArn}", action=_OPEN),
        "AssumeRoleWithWebIdentity": flow(web_identities.assume_role_with_web_identity, action=_OPEN),
        "GetAccessKeyInfo": read(sessions.get_access_key_info),
        "GetFederationToken": write(sessions.get_federation_token, action=_OPEN),
        "GetSessionToken": write(sessions.get_session_token, action=_OPEN),
    }


def follow_up_rows(*, sessions: SessionFollowUps) -> dict[str, Callable[[Tx, FollowUp], Answer]]:
    """Answer the handlers of this service's follow-ups."""
    return {"sts.session-expired": sessions.on_session_expired}
