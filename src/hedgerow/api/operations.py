"""How an operation is entered in the table of operations (`cloud/operations`): `(service, operation) → Row`."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from hedgerow.core.caller import Caller
from hedgerow.core.request import Request
from hedgerow.store import Answer, Tx

Operation = Callable[[Tx, Request, Caller], Answer]
Flow = Callable[[Request, Caller], Awaitable[Mapping[str, Any]]]


class Way(Enum):
    """How an operation is run."""

    WRITE = "write"  # in the runner's write transaction
    READ = "read"  # on a read-only connection
    FLOW = "flow"  # an async def of several short operations with port calls between them


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table.

    `resource` is the ARN that authorisation asks about, with the request's members in braces:
    `arn:aws:iot:{region}:{account}:thing/{thingName}`; a member that is absent gives `*`. `action` is the IAM
    action where it is not `<signing name>:<Operation>`.
    """

    method: Operation | Flow
    way: Way
    resource: str = "*"
    action: str | None = None


def write(method: Operation, resource: str = "*", *, action: str | None = None) -> Row:
    """Enter an operation that changes rows."""
    return Row(method, Way.WRITE, resource, action)


def read(method: Operation, resource: str = "*", *, action: str | None = None) -> Row:
    """Enter an operation that only reads."""
    return Row(method, Way.READ, resource, action)


def flow(method: Flow, resource: str = "*", *, action: str | None = None) -> Row:
    """Enter an operation with slow or outside steps."""
    return Row(method, Way.FLOW, resource, action)
