"""Policy documents: read, checked, and turned into statements.

What the services add to it (size limits, the name of the error) is theirs.
Grammar: the IAM user guide's; IoT policies know neither Principal nor NotPrincipal.
"""

import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from hedgerow.base.errors import HedgerowError
from hedgerow.core.policy.conditions import Requirement, UnknownOperator, requirements
from hedgerow.core.policy.patterns import Matcher, Tokens, Variable, matches, tokens


class Dialect(Enum):
    """Which kind of document it is."""

    IOT = "iot"  # IoT Core: for certificates and thing groups
    IAM = "iam"  # identity policies: of users and roles
    TRUST = "trust"  # who may assume a role: Principal, no Resource
    RESOURCE = "resource"  # of a function, bucket …: Principal and Resource


class Effect(Enum):
    """What a statement does to what it matches."""

    ALLOW = "Allow"
    DENY = "Deny"


class MalformedPolicy(HedgerowError):
    """The text is no policy; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One statement. Exactly one of each pair is set, as far as the dialect has it."""

    number: int  # from 1
    sid: str | None
    effect: Effect
    actions: Matcher  # of their names in lower case
    not_actions: bool
    resources: tuple[Tokens, ...] | None
    not_resources: bool
    principals: Mapping[str, tuple[str, ...]] | None
    not_principals: bool
    conditions: tuple[Requirement, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """A document that was found right."""

    statements: tuple[Statement, ...]
    keys: frozenset[str]  # those that conditions ask about and the policy variables, in lower case


_VERSIONS: Final = ("2012-10-17", "2008-10-17")
_TOP: Final = frozenset({"Version", "Id", "Statement"})
_PARTS: Final = frozenset({"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"})
_JOB_ACTIONS: Final = frozenset(
    {"describejobexecution", "getpendingjobexecutions", "startnextpendingjobexecution", "updatejobexecution"}
)
"""They moved from `iot:` to `iotjobsdata:`; IoT policies may use the old name, in `iot:*` too."""

_WITH_PRINCIPAL: Final = frozenset({Dialect.TRUST, Dialect.RESOURCE})
_PRINCIPAL_KINDS: Final = frozenset({"AWS", "Service", "Federated", "CanonicalUser"})


def validate(document: str | Mapping[str, Any], dialect: Dialect) -> None:
    """Raise MalformedPolicy, with the reason, when the document is no policy of that kind."""
    parse(document, dialect)


def named_principals(document: str | Mapping[str, Any]) -> frozenset[str]:
    """Answer everyone whom a trust policy names as AWS principal; raise MalformedPolicy when it is none."""
    statements = parse(document, Dialect.TRUST).statements
    return frozenset(name for each in statements for name in (each.principals or {}).get("AWS", ()))


def parse(document: str | Mapping[str, Any], dialect: Dialect) -> Policy:
    """Read a document; raise MalformedPolicy when it is none."""
    return _parse_text(document, dialect) if isinstance(document, str) else _parse(document, dialect)


@functools.lru_cache(maxsize=1024)  # thousands of connections share a few documents
def _parse_text(text: str, dialect: Dialect) -> Policy:
    try:
        document = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise MalformedPolicy(f"the document is no JSON: {error}") from error
    return _parse(document, dialect)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise MalformedPolicy(f"{next(n for n in names if names.count(n) > 1)} is given twice")
    return found


def _parse(document: Any, dialect: Dialect) -> Policy:
    if not isinstance(document, Mapping):
        raise MalformedPolicy("a policy is a JSON object")
    _only(document, _TOP, "the policy")
    version = document.get("Version", "2008-10-17")
    if version not in _VERSIONS:
        raise MalformedPolicy(f"Version must be 2012-10-17 (or 2008-10-17), not {version!r}")
    if not isinstance(document.get("Id", ""), str):
        raise MalformedPolicy("Id must be text")
    statements = document.get("Statement")
    if isinstance(statements, Mapping):
        statements = [statements]
    if not isinstance(statements, list | tuple) or not statements:
        raise MalformedPolicy("Statement must be a statement or a list of at least one")
    variables = version == "2012-10-17"
    parsed = tuple(_statement(item, number, dialect, variables) for number, item in enumerate(statements, 1))
    sids = [statement.sid for statement in parsed if statement.sid]
    if dialect is not Dialect.IOT and len(sids) != len(set(sids)):
        raise MalformedPolicy("statement ids (Sid) must be unique within a policy")
    return Policy(parsed, frozenset(key.lower() for statement in parsed for key in _keys(statement)))


def _keys(statement: Statement) -> Iterator[str]:
    patterns = list(statement.resources or ())
    for condition in statement.conditions:
        yield condition.key
        patterns.extend(condition.values)
    for pattern in patterns:
        yield from (part.name for part in pattern if isinstance(part, Variable))


def _only(element: Mapping[str, Any], known: frozenset[str], where: str) -> None:
    unknown = sorted(str(name) for name in element if name not in known)
    if unknown:
        raise MalformedPolicy(f"unknown element {unknown[0]!r} in {where}")


def _statement(item: Any, number: int, dialect: Dialect, variables: bool) -> Statement:
    where = f"statement {number}"
    if not isinstance(item, Mapping):
        raise MalformedPolicy(f"{where} is no JSON object")
    known = _PARTS | {"Principal", "NotPrincipal"} if dialect in _WITH_PRINCIPAL else _PARTS
    if dialect is Dialect.TRUST:
        known -= {"Resource", "NotResource"}
    _only(item, known, where)
    sid = item.get("Sid")
    if sid is not None and not isinstance(sid, str):
        raise MalformedPolicy(f"Sid in {where} must be text")
    try:
        effect = Effect(item.get("Effect"))
    except ValueError:
        raise MalformedPolicy(f"Effect in {where} must be Allow or Deny, not {item.get('Effect')!r}") from None
    action = _one_of(item, "Action", where)
    resource = None if dialect is Dialect.TRUST else _one_of(item, "Resource", where)
    principal = _one_of(item, "Principal", where) if dialect in _WITH_PRINCIPAL else None
    resources = None if resource is None else _texts(item[resource], resource, where)
    return Statement(
        number=number,
        sid=sid,
        effect=effect,
        actions=Matcher(_actions(_texts(item[action], action, where), where, dialect)),
        not_actions=action == "NotAction",
        resources=None if resources is None else tuple(_resource(t, where, variables) for t in resources),
        not_resources=resource == "NotResource",
        principals=None if principal is None else _principals(item[principal], where),
        not_principals=principal == "NotPrincipal",
        conditions=_conditions(item.get("Condition", {}), where, variables),
    )


def _one_of(item: Mapping[str, Any], name: str, where: str) -> str:
    given = [n for n in (name, f"Not{name}") if n in item]
    if len(given) != 1:
        raise MalformedPolicy(f"{where} must have either {name} or Not{name}")
    return given[0]


def _texts(value: Any, name: str, where: str) -> Sequence[str]:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list | tuple) or not texts or any(not isinstance(t, str) or not t for t in texts):
        raise MalformedPolicy(f"{name} in {where} must be text or a list of texts, not empty")
    return texts


def _actions(texts: Sequence[str], where: str, dialect: Dialect) -> Iterator[Tokens]:
    for text in texts:
        vendor, colon, name = text.lower().partition(":")
        if text != "*" and not (vendor and colon and name):
            raise MalformedPolicy(f"action {text!r} in {where} must be * or name its service, as iot:Publish does")
        yield tokens(text.lower(), variables=False)  # variables have no meaning in actions
        if dialect is Dialect.IOT and vendor == "iot" and _means_jobs(name):
            yield tokens(f"iotjobsdata:{name}", variables=False)


def _means_jobs(name: str) -> bool:
    wild = "*" in name or "?" in name
    return name in _JOB_ACTIONS or (wild and any(matches(tokens(name, variables=False), one) for one in _JOB_ACTIONS))


def _resource(text: str, where: str, variables: bool) -> Tokens:
    if text != "*" and not (text.startswith(("arn:", "arn*", "*")) and (text.count(":") >= 5 or "*" in text)):
        raise MalformedPolicy(f"resource {text!r} in {where} must be * or an ARN")
    return tokens(text, variables=variables)


def _principals(value: Any, where: str) -> Mapping[str, tuple[str, ...]]:
    if value == "*":
        return {"AWS": ("*",), "Service": ("*",)}
    if not isinstance(value, Mapping) or not value:
        raise MalformedPolicy(f"Principal in {where} must be * or an object such as {{'Service': …}}")
    _only(value, _PRINCIPAL_KINDS, f"Principal of {where}")
    return {kind: tuple(_texts(names, f"Principal {kind}", where)) for kind, names in value.items()}


def _conditions(value: Any, where: str, variables: bool) -> tuple[Requirement, ...]:
    if not isinstance(value, Mapping):
        raise MalformedPolicy(f"Condition in {where} must be an object")
    try:
        return tuple(requirements(value, variables=variables))
    except UnknownOperator as error:
        raise MalformedPolicy(f"Condition in {where}: {error}") from error
