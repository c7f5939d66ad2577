"""Who asks: the authenticated caller of an operation."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

DIRECT: Final[Mapping[str, str]] = {"aws:ViaAWSService": "false", "aws:PrincipalIsAWSService": "false"}
"""Condition keys of every request that somebody makes for themselves: AWS always has them, policies deny by them."""


class Kind(Enum):
    """How the caller proved who it is."""

    ROOT = "root"  # the account's first access key
    USER = "user"  # an IAM user's access key
    ROLE = "role"  # temporary credentials of an assumed role
    FEDERATED = "federated"  # temporary credentials of somebody for whom a user or root answers
    CERTIFICATE = "certificate"  # a client certificate (mutual TLS)
    CUSTOM = "custom"  # a custom authorizer said who it is: `principal` is its word, no ARN
    SERVICE = "service"  # Hedgerow itself: a follow-up, a rule action, a schedule
    ANONYMOUS = "anonymous"  # nobody: operations that need no credentials; the account is empty


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """One authenticated caller.

    `principal` is the ARN: `arn:aws:iam::<account>:root`, `…:user/<name>`,
    `arn:aws:sts::<account>:assumed-role/<role>/<session>`, `…:federated-user/<name>` or
    `arn:aws:iot:<region>:<account>:cert/<id>`.
    """

    account: str  # 12 digits
    region: str
    principal: str
    kind: Kind
    request_id: str
    source_ip: str | None = None
    secure: bool = False  # the request came over TLS
    access_key_id: str | None = None
    certificate_id: str | None = None
    client_id: str | None = None  # of the MQTT connection, when the request came by MQTT
    thing: str | None = None  # the thing that the connection speaks for, when there is one
