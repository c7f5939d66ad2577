"""How an operation is entered in the table of operations (`cloud/operations`): `(service, operation) → Row`."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from hedgerow.core.caller import Caller
from hedgerow.core.policy import Context
from hedgerow.core.request import Request
from hedgerow.store import Answer, Tx

Operation = Callable[[Tx, Request, Caller], Answer]
Flow = Callable[[Request, Caller], Awaitable[Mapping[str, Any]]]
Gather = Callable[[Mapping[str, Any], Caller], Awaitable[Mapping[str, Any]]]
Says = Callable[[Mapping[str, Any]], Context]

NO_CONDITIONS: Final[Mapping[str, str]] = {}


class Way(Enum):
    """How an operation is run."""

    WRITE = "write"  # in the runner's write transaction
    READ = "read"  # on a read-only connection
    FLOW = "flow"  # an async def of several short operations with port calls between them


@dataclass(frozen=True, slots=True)
class Also:
    """A further right that the caller must have, asked once for each value that the resource's members have.

    A member may lie deeper: `{Code.S3Key}`, of every entry of a list `{Delete.Objects.Key}`, at any depth
    `{payload.**.roleArn}`. Where one is absent nothing is asked, nor where the member `when` is absent or false,
    nor about resources of another kind (`thinggroup/`) than `kind`.
    """

    action: str
    resource: str
    conditions: Mapping[str, str] = field(default_factory=dict)
    when: str | None = None
    kind: str = ""


def pass_role(member: str, *, to: str) -> Also:
    """Ask whether the caller may hand the role in this member to the service: it will act with the role's rights."""
    return Also("iam:PassRole", f"{{{member}}}", {"iam:PassedToService": to})


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table.

    `resource` is the ARN that authorisation asks about, with the request's members in braces:
    `arn:aws:iot:{region}:{account}:thing/{thingName}`; a member that is absent gives `*`. `action` is the IAM
    action where it is not `<signing name>:<Operation>`, `""` where everyone may (or `also` asks enough). `conditions`
    are condition keys and the members that say their values (`member|=x`: x where it is absent, else there is no key).
    Keys that cannot be written down so `says` finds in the members, which are not validated yet.
    What an operation needs from outside the database is fetched by `gather` before its transaction: it is handed that
    as further members.
    """

    method: Operation | Flow
    way: Way
    resource: str = "*"
    action: str | None = None
    also: tuple[Also, ...] = ()
    conditions: Mapping[str, str] = field(default_factory=dict)
    gather: Gather | None = None
    says: Says | None = None


def write(
    method: Operation,
    resource: str = "*",
    *,
    action: str | None = None,
    also: tuple[Also, ...] = (),
    conditions: Mapping[str, str] = NO_CONDITIONS,
    gather: Gather | None = None,
    says: Says | None = None,
) -> Row:
    """Enter an operation that changes rows."""
    return Row(method, Way.WRITE, resource, action, also, conditions, gather, says)


def read(
    method: Operation,
    resource: str = "*",
    *,
    action: str | None = None,
    also: tuple[Also, ...] = (),
    conditions: Mapping[str, str] = NO_CONDITIONS,
) -> Row:
    """Enter an operation that only reads."""
    return Row(method, Way.READ, resource, action, also, conditions)


def flow(
    method: Flow,
    resource: str = "*",
    *,
    action: str | None = None,
    also: tuple[Also, ...] = (),
    conditions: Mapping[str, str] = NO_CONDITIONS,
) -> Row:
    """Enter an operation with slow or outside steps."""
    return Row(method, Way.FLOW, resource, action, also, conditions)
