"""A session: an access key with a token and an end, that speaks for a role, a user or an account's root."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from hedgerow.core.arn import arn

SHORTEST_S: Final = 900
DEFAULT_S: Final = 3600
CHAINED_S: Final = 3600  # a role assumed by a role
USER_DEFAULT_S: Final = 43200
USER_LONGEST_S: Final = 129600
ROOT_LONGEST_S: Final = 3600
KEPT_S: Final = 3600.0  # after its end, so that "expired" can be told from "unknown"
TOKEN_LENGTH: Final = 128
SOURCE_IDENTITY: Final = "aws:SourceIdentity"  # a session's variable
DEVICES: Final = "credentials.iot.amazonaws.com"
"""The service that a role's trust policy must name, so that devices get its credentials."""


class SessionKind(Enum):
    """Whom a session speaks for."""

    ROLE = "role"
    USER = "user"
    ROOT = "root"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One session with its secrets, which the repr does not show."""

    account: str
    access_key_id: str
    kind: SessionKind
    principal: str  # ARN
    name: str  # of the role or user whose policies count; "" for root
    identity: str  # the UserId that GetCallerIdentity answers
    variables: Mapping[str, str]  # fixed condition keys, `credentials-iot:ThingName` …
    expires_at: float
    secret: str = field(repr=False)
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSession:
    """Whom the session that is to be made speaks for, and how long."""

    kind: SessionKind
    principal: str
    name: str
    identity: str
    duration_s: float
    variables: Mapping[str, str] = field(default_factory=dict)


def assumed_role_arn(account: str, role: str, session: str) -> str:
    """Answer the ARN of a role's session."""
    return arn("sts", "", account, f"assumed-role/{role}/{session}")


def session_name(text: str) -> str:
    """Answer a name that is legal for a session: other characters become `-`."""
    return re.sub(r"[^\w+=,.@-]", "-", text, flags=re.ASCII)[:64]
