"""Whether the caller may do it: action and resource from the operation's row, the decision from their grants."""

import string
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from hedgerow.api.authentication import Peer
from hedgerow.api.operations import Row
from hedgerow.api.ports import Directory
from hedgerow.base.errors import AccessDenied
from hedgerow.core.caller import Caller
from hedgerow.core.wire import Call

OPEN = ""  # a row's action for what everyone may do (GetCallerIdentity)
_PREFIXES = {
    "iot-data": "iot",
    "iot-jobs-data": "iotjobsdata",
    "greengrassv2": "greengrass",
    "cloudwatch": "cloudwatch",
    "stepfunctions": "states",
    "iotsecuretunneling": "iot",
    "hedgerow-device": "iot",
    "opensearch": "es",
}


async def authorise(
    directory: Directory,
    row: Row,
    call: Call,
    caller: Caller,
    resource: str,
    *,
    peer: Peer,
    now: float,
) -> None:
    """Raise AccessDenied, with who, what and why, unless the caller's grants allow the operation."""
    if row.action == OPEN or call.operation.anonymous:
        return
    action = row.action or f"{_PREFIXES.get(call.service, call.model.signing_name)}:{call.operation.name}"
    grants = await directory.grants(caller)
    decision = grants.decide(action, resource, conditions(caller, peer, now))
    if not decision.allowed:
        why = decision.explain()
        raise AccessDenied(
            f"User: {caller.principal} is not authorized to perform: {action} on resource: {resource}: {why}"
        )


def conditions(caller: Caller, peer: Peer, now: float) -> dict[str, str]:
    """Answer the condition keys that hold for this request."""
    keys = {
        "aws:SecureTransport": "true" if peer.secure else "false",
        "aws:PrincipalArn": caller.principal,
        "aws:PrincipalAccount": caller.account,
        "aws:RequestedRegion": caller.region,
        "aws:CurrentTime": datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "aws:EpochTime": str(int(now)),
    }
    if peer.source_ip is not None:
        keys["aws:SourceIp"] = peer.source_ip
    return keys


@lru_cache(maxsize=4096)
def _parts(template: str) -> tuple[tuple[str, str | None], ...]:
    return tuple((literal, name) for literal, name, _, _ in string.Formatter().parse(template))


def resource_arn(template: str, params: Mapping[str, Any], caller: Caller) -> str:
    """Fill a row's template; an absent member gives `*`, a member that is an ARN itself (`…Arn`) is the resource.

    `{/member}` is a level of its own that is left out where the member is absent: `thing/{thingName}{/shadowName}`.
    """
    out: list[str] = []
    for literal, name in _parts(template):
        out.append(literal)
        if name is None:
            continue
        if name.startswith("/"):
            if params.get(name[1:]) is not None:
                out.append(f"/{params[name[1:]]}")
        elif name == "region":
            out.append(caller.region)
        elif name == "account":
            out.append(caller.account)
        else:
            value = params.get(name)
            text = "*" if value is None or isinstance(value, dict | list) else str(value)
            if text.startswith("arn:"):
                if name.lower().endswith("arn"):
                    return text
                text = text.removeprefix("".join(out))  # Lambda takes names and ARNs in one member
            out.append(text)
    return "".join(out)
