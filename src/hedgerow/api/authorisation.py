"""Whether the caller may do it: action and resource from the operation's row, the decision from their grants."""

import string
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from itertools import product
from typing import Any

from hedgerow.api import tag_conditions
from hedgerow.api.authentication import Peer
from hedgerow.api.operations import Row
from hedgerow.api.ports import Directory, Grants
from hedgerow.base.errors import AccessDenied
from hedgerow.core.arn import PARTITION, parse
from hedgerow.core.caller import DIRECT, Caller, Kind
from hedgerow.core.policy import Context
from hedgerow.core.wire import Call

_USER = "UserName"
_PATH = "Path"  # of a new entity of IAM
_NAMES = frozenset({"FunctionName", "logGroupName|logGroupIdentifier"})  # that may be sent as an ARN, too
_URL = "Url"  # of an OIDC provider, whose ARN leaves the scheme out
_OF_RESOURCES = ("aws:resourcetag/", "iam:resourcetag/", "iam:permissionsboundary")
OPEN = ""  # a row's action for what everyone may do (GetCallerIdentity)
_SAID_BY_HEADERS = {"aws:UserAgent": "user-agent", "aws:Referer": "referer"}
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
    params: Mapping[str, Any],
    *,
    peer: Peer,
    now: float,
    headers: Mapping[str, str],
    grants: Grants | None = None,
) -> None:
    """Raise AccessDenied, with who, what and why, unless the caller's grants allow everything that the row asks.

    `grants` are those of a caller whom the directory does not know.
    """
    if call.operation.anonymous or (row.action == OPEN and not row.also):
        return
    if grants is None:
        grants = await directory.grants(caller)
    known: Context = {
        **conditions(caller, peer, now, headers),
        **_said(row, params),
        **tag_conditions.of_request(params),
    }
    if row.action != OPEN:
        action = row.action or f"{_PREFIXES.get(call.service, call.model.signing_name)}:{call.operation.name}"
        whole = await directory.whole_arn(resource_arn(row.resource, params, caller))
        demand(grants, caller, action, whole, {**await _facts(directory, grants, caller, whole), **known})
    for also in row.also:
        if also.when is None or params.get(also.when):
            for resource in _every_arn(also.resource, params, caller):
                if also.kind and not resource.split(":", 5)[-1].startswith(also.kind):
                    continue
                facts = await _facts(directory, grants, caller, resource)
                demand(grants, caller, also.action, resource, {**facts, **known, **also.conditions})


async def _facts(directory: Directory, grants: Grants, caller: Caller, resource: str) -> Context:
    """Answer the condition keys that the resource itself gives, where somebody looks at them."""
    if not any(key.lower().startswith(_OF_RESOURCES) for key in grants.context_keys):
        return {}
    return await directory.facts_of(caller.account, resource)


def _said(row: Row, params: Mapping[str, Any]) -> Context:
    """Answer the condition keys that the request's members say."""
    found = {key: _text(params, member) for key, member in row.conditions.items() if _is_said(params, member)}
    plain = {key: value.lower() if value in ("True", "False") else value for key, value in found.items()}
    return plain if row.says is None else {**row.says(params), **plain}


def _is_said(params: Mapping[str, Any], member: str) -> bool:
    names, _, default = member.partition("|=")
    return bool(default) or any(params.get(name) is not None for name in names.split("|"))


def demand(grants: Grants, caller: Caller, action: str, resource: str, known: Context) -> None:
    """Raise AccessDenied unless the grants allow the action; `known` are the condition keys that hold."""
    decision = grants.decide(action, resource, {**known, **about(resource, caller)})
    if _is_foreign(resource):  # it would be another spelling of a resource that policies name
        why = f"there are no resources here but of the partition {PARTITION}"
    elif decision.allowed:
        return
    else:
        why = decision.explain()
    raise AccessDenied(
        f"User: {caller.principal} is not authorized to perform: {action} on resource: {resource}: {why}"
    )


def about(resource: str, caller: Caller) -> dict[str, str]:
    """Answer whose the resource is: what names no account (a bucket, `*`) is the caller's, for nothing else is here."""
    named = parse(resource)
    return {"aws:ResourceAccount": named.account if named is not None and named.account else caller.account}


def _is_foreign(resource: str) -> bool:
    return resource.startswith("arn:") and not resource.startswith(f"arn:{PARTITION}:")


def conditions(caller: Caller, peer: Peer, now: float, headers: Mapping[str, str]) -> dict[str, str]:
    """Answer the condition keys that hold for this request."""
    keys = {**standing(caller, now), "aws:SecureTransport": "true" if peer.secure else "false"}
    keys |= {key: headers[name] for key, name in _SAID_BY_HEADERS.items() if name in headers}
    if peer.source_ip is not None:
        keys["aws:SourceIp"] = peer.source_ip
    return keys


def standing(caller: Caller, now: float) -> dict[str, str]:
    """Answer the condition keys that hold whatever way the caller came."""
    return {
        "aws:PrincipalArn": caller.principal,
        "aws:PrincipalAccount": caller.account,
        "aws:RequestedRegion": caller.region,
        **moment(now),
        **DIRECT,
    }


def moment(now: float) -> dict[str, str]:
    """Answer the condition keys of the time."""
    return {
        "aws:CurrentTime": datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "aws:EpochTime": str(int(now)),
    }


@lru_cache(maxsize=4096)
def _parts(template: str) -> tuple[tuple[str, str | None], ...]:
    parsed = string.Formatter().parse(template)  # which reads `{:member}` as a format without a name
    return tuple((literal, f":{form}" if name == "" else name) for literal, name, form, _ in parsed)


def resource_arn(template: str, params: Mapping[str, Any], caller: Caller) -> str:
    """Fill a row's template; an absent member gives `*`, a member that is an ARN itself (`…Arn`) is the resource.

    `{/member}` and `{:member}` are levels of their own that are left out where the member is absent:
    `thing/{thingName}{/shadowName}`. `{one|other}` is the first of them that is there, `{one|=x}` x
    where it is absent. A user who names no user means themselves.
    """
    out = ""
    for literal, name in _parts(template):
        out += literal
        if name is None:
            continue
        if name[0] in "/:":
            value = params.get(name[1:])
            out += "" if value is None else f"{name[0]}{value}"
        elif name in ("region", "account"):
            out += caller.region if name == "region" else caller.account
        elif name == _USER and params.get(name) is None and caller.kind is Kind.USER:
            return caller.principal
        else:
            text = _text(params, name)
            if text.startswith("arn:") and name.lower().endswith("arn"):
                return text
            out += _name(text, out) if name in _NAMES else text
    return out


def _text(params: Mapping[str, Any], names: str) -> str:
    names, _, default = names.partition("|=")
    value = next((value for name in names.split("|") if (value := params.get(name)) is not None), default or None)
    if value is None:
        return "/" if names == _PATH else "*"
    if names == _URL:
        return str(value).removeprefix("https://")
    return "*" if isinstance(value, dict | list) else str(value)


def _name(text: str, prefix: str) -> str:
    """Answer the name as it ends an ARN: Lambda takes ARNs, `account:function:f` and `function:f` too, Logs ARNs."""
    if text.startswith("arn:"):  # another account's, or one of something else, is refused by the operation
        return text.split(":", 6)[-1].removesuffix(":*")
    account = prefix.split(":", 5)[4]
    for form in (f"{account}:function:", "function:"):
        if prefix.endswith(":function:") and text.startswith(form):
            return text.removeprefix(form)
    return text


def _every_arn(template: str, params: Mapping[str, Any], caller: Caller) -> Iterator[str]:
    """Answer the ARN for each value that the template's members have; none where one has neither value nor default."""
    names = [name for _, name in _parts(template) if name is not None and name not in ("region", "account")]
    for chosen in product(*(_chosen(params, name) for name in names)):
        yield resource_arn(template, dict(chosen), caller)


def _chosen(params: Mapping[str, Any], names: str) -> Sequence[tuple[str, str]]:
    """Answer each value with its member's name; of `one|other` those of the first that has any."""
    for name in names.split("|"):
        if name.startswith("="):
            return [(names.partition("|")[0], name[1:])]
        found = [(name, value) for value in _values(params, name.split("."))]
        if found:
            return found
    return ()


def _values(value: Any, path: Sequence[str]) -> Iterator[str]:
    """Answer what lies at a path: every entry of lists, `**` for any depth."""
    if isinstance(value, list):
        for entry in value:
            yield from _values(entry, path)
    elif not path:
        if isinstance(value, str):
            yield value
    elif isinstance(value, Mapping):
        if path[0] == "**":
            yield from _values(value, path[1:])
            for entry in value.values():
                yield from _values(entry, path)
        elif path[0] in value:
            yield from _values(value[path[0]], path[1:])
