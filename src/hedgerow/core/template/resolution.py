"""A template filled in with a device's parameters: plain values, ready to be applied.

The certificate's id always comes from the caller: no parameter of that name, nor any other name that begins with
`AWS::`, is taken from a device.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hedgerow.base.errors import HedgerowError
from hedgerow.core.template.document import (
    CERTIFICATE_ID,
    Certificate,
    Override,
    Policy,
    PrincipalType,
    Template,
    Thing,
)
from hedgerow.core.template.functions import Scope, evaluate


class BadValue(HedgerowError):
    """A property came out with a value that it cannot have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedThing:
    """The thing as the template wants it; None means that the template says nothing about it."""

    name: str
    attributes: Mapping[str, str] | None
    type: str | None
    groups: tuple[str, ...] | None
    overrides: Mapping[str, Override]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedCertificate:
    """What becomes of the certificate."""

    active: bool
    principal_type: PrincipalType | None
    override: Override | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedPolicy:
    """A policy by its name; with a document when it is made if it is not there."""

    name: str
    document: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """A template without functions."""

    thing: ResolvedThing | None
    certificate: ResolvedCertificate
    policies: tuple[ResolvedPolicy, ...]
    device_configuration: Mapping[str, str]


def resolve(template: Template, parameters: Mapping[str, str], *, certificate_id: str) -> Resolved:
    """Fill the template in: a parameter's value, else its default, else it has none.

    Raises CannotResolve for a reference without a value, BadFunction, TooLong, and BadValue for a property that comes
    out as something else than it must be.
    """
    values = {name: default for name, default in template.defaults.items() if default is not None}
    values |= {name: value for name, value in parameters.items() if not name.startswith("AWS::")}
    values[CERTIFICATE_ID] = certificate_id
    scope = Scope(values, template.mappings)
    return Resolved(
        thing=None if template.thing is None else _thing(template.thing, scope),
        certificate=_certificate(template.certificate, scope),
        policies=tuple(_policy(policy, scope) for policy in template.policies),
        device_configuration=_texts("DeviceConfiguration", template.device_configuration, scope),
    )


def policy_name(document: str) -> str:
    """Answer the name of a policy that is made from a document: a hash that spelling and order do not change.

    Raises BadValue when the document is no JSON object.
    """
    try:
        body = json.loads(document)
    except (ValueError, RecursionError) as error:
        raise BadValue(f"PolicyDocument is no JSON: {error}") from error
    if not isinstance(body, dict):
        raise BadValue("PolicyDocument must be a JSON object")
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("utf-8")).hexdigest()


def _thing(thing: Thing, scope: Scope) -> ResolvedThing:
    return ResolvedThing(
        name=_text("ThingName", thing.name, scope),
        attributes=None if thing.attributes is None else _texts("AttributePayload", thing.attributes, scope),
        type=None if thing.type is None else _text("ThingTypeName", thing.type, scope),
        groups=None if thing.groups is None else _list("ThingGroups", thing.groups, scope),
        overrides=thing.overrides,
    )


def _certificate(certificate: Certificate, scope: Scope) -> ResolvedCertificate:
    status = "ACTIVE" if certificate.status is None else _text("Status", certificate.status, scope).upper()
    if status not in ("ACTIVE", "INACTIVE"):
        raise BadValue("Status must be Active or Inactive")
    kind: PrincipalType | None = None
    if certificate.principal_type is not None:
        written = _text("ThingPrincipalType", certificate.principal_type, scope)
        try:
            kind = PrincipalType(written)
        except ValueError as error:
            raise BadValue(f"ThingPrincipalType {written} is not known") from error
    return ResolvedCertificate(active=status == "ACTIVE", principal_type=kind, override=certificate.override)


def _policy(policy: Policy, scope: Scope) -> ResolvedPolicy:
    if policy.document is None:
        return ResolvedPolicy(name=_text("PolicyName", policy.name, scope), document=None)
    found = evaluate(policy.document, scope)
    if isinstance(found, dict):
        found = json.dumps(found, separators=(",", ":"))
    if not isinstance(found, str):
        raise BadValue("PolicyDocument must be a string or an object")
    return ResolvedPolicy(name=policy_name(found), document=found)


def _text(name: str, value: Any, scope: Scope) -> str:
    found = evaluate(value, scope)
    if not isinstance(found, str):
        raise BadValue(f"{name} must be a string")
    return found


def _texts(name: str, value: Any, scope: Scope) -> Mapping[str, str]:
    found = evaluate(value, scope)
    if not isinstance(found, dict):
        raise BadValue(f"{name} must be an object")
    for key, part in found.items():
        if not isinstance(part, str):
            raise BadValue(f"{name} {key} must be a string")
    return found


def _list(name: str, value: Any, scope: Scope) -> tuple[str, ...]:
    found = evaluate(value, scope)
    if not isinstance(found, list) or not all(isinstance(part, str) for part in found):
        raise BadValue(f"{name} must be a list of strings")
    return tuple(dict.fromkeys(found))
