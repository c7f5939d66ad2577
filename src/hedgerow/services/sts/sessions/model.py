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
TEMPORARY: Final = "ASIA"  # how the ids of temporary access keys begin
ISSUED: Final = "aws:TokenIssueTime"  # a variable of every session: policies that end older ones look at it
TAG: Final = "aws:PrincipalTag/"  # how the variables of tags begin
DEVICES: Final = "credentials.iot.amazonaws.com"
"""The service that a role's trust policy must name, so that devices get its credentials."""


class SessionKind(Enum):
    """Whom a session speaks for."""

    ROLE = "role"
    USER = "user"
    ROOT = "root"
    FEDERATED = "guest"  # somebody for whom a user, or root, answers; the column has room for eight letters


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Session policies: what they do not allow the session may not do."""

    documents: tuple[str, ...] = ()
    arns: tuple[str, ...] = ()  # of managed policies, read anew for every decision


@dataclass(frozen=True, slots=True, kw_only=True)
class Mandate:
    """Whom a session speaks for, and within which limits."""

    kind: SessionKind
    principal: str  # ARN
    name: str  # of the role or user whose policies count; "" for root
    identity: str  # the UserId that GetCallerIdentity answers
    variables: Mapping[str, str] = field(default_factory=dict)  # fixed condition keys, `credentials-iot:ThingName` …
    owner_id: str | None = None  # of that role or user; None: the first part of the identity
    bounds: Bounds | None = None
    transitive: tuple[str, ...] = ()  # keys of session tags that the next role of a chain gets, too
    restricted: bool = False  # no IAM, and of STS hardly anything: GetSessionToken, GetFederationToken


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One session with its secrets, which the repr does not show."""

    account: str
    access_key_id: str
    mandate: Mandate
    expires_at: float
    secret: str = field(repr=False)
    token: str = field(repr=False)

    @property
    def kind(self) -> SessionKind:
        return self.mandate.kind

    @property
    def principal(self) -> str:
        return self.mandate.principal

    @property
    def name(self) -> str:
        return self.mandate.name

    @property
    def identity(self) -> str:
        return self.mandate.identity

    @property
    def variables(self) -> Mapping[str, str]:
        return self.mandate.variables

    @property
    def owner_id(self) -> str:
        """The id of the role or user whose policies count."""
        return self.mandate.owner_id or self.identity.partition(":")[0]


def assumed_role_arn(account: str, role: str, session: str) -> str:
    """Answer the ARN of a role's session."""
    return arn("sts", "", account, f"assumed-role/{role}/{session}")


def federated_user_arn(account: str, name: str) -> str:
    """Answer the ARN of somebody for whom a user, or root, answers."""
    return arn("sts", "", account, f"federated-user/{name}")


def session_name(text: str) -> str:
    """Answer a name that is legal for a session: other characters become `-`."""
    return re.sub(r"[^\w+=,.@-]", "-", text, flags=re.ASCII)[:64]
