"""A template filled in with a device's parameters: plain values, ready to be applied.

The certificate's id, and what its subject says (`facts`), always come from the caller: no parameter of such a name, nor
any other name that begins with `AWS::`, is taken from a device. What a device says of itself, by parameter or by its
certificate's subject, may be a name in a policy document but not change what the document says.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hedgerow.base.errors import HedgerowError
from hedgerow.core.template.document import (
    CERTIFICATE_ID,
    OF_CERTIFICATE,
    Certificate,
    Override,
    Policy,
    PrincipalType,
    Template,
    Thing,
    Use,
)
from hedgerow.core.template.functions import (
    LONGEST,
    BadFunction,
    CannotResolve,
    GuardedScope,
    Scope,
    TooLong,
    UnsafeValue,
    evaluate,
)


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
    billing_group: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedCertificate:
    """What becomes of the certificate, and for an operator's template where it comes from."""

    active: bool
    principal_type: PrincipalType | None
    override: Override | None
    id: str | None = None
    pem: str | None = None
    ca_pem: str | None = None
    signing_request: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedPolicy:
    """A policy by its name; with a document when it is made if it is not there."""

    resource: str
    name: str
    document: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """A template without functions."""

    thing: ResolvedThing | None
    certificate: ResolvedCertificate
    policies: tuple[ResolvedPolicy, ...]
    device_configuration: Mapping[str, str]


def resolve(
    template: Template,
    parameters: Mapping[str, str],
    *,
    certificate_id: str | None = None,
    facts: Mapping[str, str] | None = None,
    use: Use = Use.CLAIM,
) -> Resolved:
    """Fill the template in: a parameter's value, else its default, else it has none.

    `facts` are what the certificate says, without `AWS::IoT::Certificate::`; each that the template declares must be
    there. Raises CannotResolve for a reference without a value, BadFunction, TooLong, UnsafeValue, and BadValue for a
    property that comes out as something else than it must be.
    """
    said = {OF_CERTIFICATE + name: value for name, value in (facts or {}).items()}
    said |= {name: value for name, value in parameters.items() if not name.startswith("AWS::")}
    for name, value in said.items():
        if "\0" in value:  # which not every database can hold
            raise UnsafeValue(name, "has a NUL character in it")
    values = {name: default for name, default in template.defaults.items() if default is not None} | said
    if certificate_id is not None:
        values[CERTIFICATE_ID] = certificate_id
    for name in template.defaults:
        if facts is not None and name.startswith(OF_CERTIFICATE) and name != CERTIFICATE_ID and name not in said:
            raise CannotResolve(name)  # a Default does not help: the template asked for what the certificate says
    scope = Scope(values, template.mappings)
    of_policies = scope if use is Use.OPERATOR else GuardedScope(values, template.mappings, said)
    configuration = _texts("DeviceConfiguration", template.device_configuration, scope)
    if sum(map(len, configuration.values())) > LONGEST:
        raise TooLong(f"a DeviceConfiguration of more than {LONGEST} characters")
    return Resolved(
        thing=None if template.thing is None else _thing(template.thing, scope),
        certificate=_certificate(template.certificate, scope, use),
        policies=tuple(_policy(policy, scope, of_policies) for policy in template.policies),
        device_configuration=configuration,
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
        billing_group=None if thing.billing_group is None else _text("BillingGroup", thing.billing_group, scope),
    )


def _certificate(certificate: Certificate, scope: Scope, use: Use) -> ResolvedCertificate:
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
    sources: dict[str, str | None] = {}
    if use is Use.OPERATOR:
        given = {
            "id": certificate.id,
            "pem": certificate.pem,
            "ca_pem": certificate.ca_pem,
            "signing_request": certificate.signing_request,
        }
        sources = {name: _text(name, value, scope) for name, value in given.items() if value is not None}
    active = status == "ACTIVE"
    return ResolvedCertificate(active=active, principal_type=kind, override=certificate.override, **sources)


def _policy(policy: Policy, scope: Scope, guarded: Scope) -> ResolvedPolicy:
    if policy.document is None:
        return ResolvedPolicy(resource=policy.resource, name=_text("PolicyName", policy.name, scope), document=None)
    found = _filled("PolicyDocument", policy.document, guarded)
    if isinstance(found, dict):
        found = json.dumps(found, separators=(",", ":"))
    if not isinstance(found, str):
        raise BadValue("PolicyDocument must be a string or an object")
    return ResolvedPolicy(resource=policy.resource, name=policy_name(found), document=found)


def _filled(name: str, value: Any, scope: Scope) -> Any:
    try:
        return evaluate(value, scope)
    except BadFunction as error:
        raise BadFunction(error.name, name) from None


def _text(name: str, value: Any, scope: Scope) -> str:
    found = _filled(name, value, scope)
    if not isinstance(found, str):
        raise BadValue(f"{name} must be a string")
    return found


def _texts(name: str, value: Any, scope: Scope) -> Mapping[str, str]:
    found = _filled(name, value, scope)
    if not isinstance(found, dict):
        raise BadValue(f"{name} must be an object")
    for key, part in found.items():
        if not isinstance(part, str):
            raise BadValue(f"{name} {key} must be a string")
    return found


def _list(name: str, value: Any, scope: Scope) -> tuple[str, ...]:
    found = _filled(name, value, scope)
    if not isinstance(found, list) or not all(isinstance(part, str) for part in found):
        raise BadValue(f"{name} must be a list of strings")
    return tuple(dict.fromkeys(found))
