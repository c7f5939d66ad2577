"""A provisioning template as it was written: read and checked, not yet filled in.

A fleet template has one certificate (`CertificateId` refers to the one that the device owns), at most one thing, and
any number of policies. What we cannot honour (billing groups, package versions, sections of other template
languages) is refused by name when the template is made, not when a device comes. `DependsOn` is let pass: the order is
the service's, not the template's.
Spec: AWS IoT provisioning templates; at most 10,240 characters.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from hedgerow.base.errors import HedgerowError
from hedgerow.core.template import functions

CERTIFICATE_ID: Final = "AWS::IoT::Certificate::Id"
LONGEST: Final = 10240

_SECTIONS: Final = frozenset({"Parameters", "Mappings", "Resources", "DeviceConfiguration"})
_PARTS: Final = frozenset({"Type", "Properties", "OverrideSettings", "DependsOn"})
_NOT_HONOURED: Final = {"BillingGroup": "billing groups", "PackageVersions": "software packages"}
_THING: Final = frozenset({"ThingName", "AttributePayload", "ThingTypeName", "ThingGroups"})
_CERTIFICATE: Final = frozenset({"CertificateId", "Status", "ThingPrincipalType"})
_POLICY: Final = frozenset({"PolicyName", "PolicyDocument"})
_ALIASES: Final = {
    "ATTRIBUTE_PAYLOAD": "AttributePayload",
    "THING_TYPE_NAME": "ThingTypeName",
    "THING_GROUPS": "ThingGroups",
}


class BadTemplate(HedgerowError):
    """The text is no template that we can honour; the message says why."""


class Override(Enum):
    """What happens to what a resource that exists already has."""

    DO_NOTHING = "DO_NOTHING"
    REPLACE = "REPLACE"
    FAIL = "FAIL"
    MERGE = "MERGE"


class PrincipalType(Enum):
    """How the certificate is attached to the thing."""

    EXCLUSIVE = "EXCLUSIVE_THING"
    SHARED = "NON_EXCLUSIVE_THING"


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """The thing resource. Values may hold functions; None means: not written."""

    name: Any
    attributes: Any | None
    type: Any | None
    groups: Any | None
    overrides: Mapping[str, Override]


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """The certificate resource."""

    status: Any | None
    principal_type: Any | None
    override: Override | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A policy resource: exactly one of both is written."""

    name: Any | None
    document: Any | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A template that was found right."""

    defaults: Mapping[str, str | None]  # parameter → default
    mappings: Mapping[str, Mapping[str, Mapping[str, Any]]]
    thing: Thing | None
    certificate: Certificate
    policies: tuple[Policy, ...]
    device_configuration: Mapping[str, Any]


def read(text: str) -> Template:
    """Read a fleet provisioning template; raises BadTemplate with the reason when it is none that we can honour."""
    if len(text) > LONGEST:
        raise BadTemplate(f"A template may have {LONGEST} characters at most")
    try:
        body = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadTemplate(f"The template is no JSON: {error}") from error
    if not isinstance(body, dict):
        raise BadTemplate("The template must be a JSON object")
    _only(body, _SECTIONS, "The template")
    try:
        functions.check({name: part for name, part in body.items() if name != "Mappings"})
    except functions.BadFunction as error:
        raise BadTemplate(f"Template has an invalid {error.name}") from error
    thing, certificate, policies = _resources(body.get("Resources"))
    return Template(
        defaults=_defaults(body.get("Parameters", {})),
        mappings=_mappings(body.get("Mappings", {})),
        thing=thing,
        certificate=certificate,
        policies=policies,
        device_configuration=_configuration(body.get("DeviceConfiguration", {})),
    )


def _only(given: Mapping[str, Any], known: frozenset[str], what: str) -> None:
    for name in given:
        if name in _NOT_HONOURED:
            raise BadTemplate(f"{what} has {name}, but {_NOT_HONOURED[name]} are not supported: leave it out")
        if name not in known:
            raise BadTemplate(f"{what} has {name}, which is not supported; known are: {', '.join(sorted(known))}")


def _mapping(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise BadTemplate(f"{what} must be an object")
    return value


def _defaults(parameters: Any) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for name, parameter in _mapping(parameters, "Parameters").items():
        _only(_mapping(parameter, f"Parameter {name}"), frozenset({"Type", "Default"}), f"Parameter {name}")
        if parameter.get("Type") != "String":
            raise BadTemplate(f"Parameter {name} must have the Type String")
        default = parameter.get("Default")
        if default is not None and not isinstance(default, str):
            raise BadTemplate(f"The Default of parameter {name} must be a string")
        found[name] = default
    return found


def _mappings(mappings: Any) -> Mapping[str, Mapping[str, Mapping[str, Any]]]:
    for name, outer in _mapping(mappings, "Mappings").items():
        for first, inner in _mapping(outer, f"Mapping {name}").items():
            for value in _mapping(inner, f"Mapping {name}.{first}").values():
                if not isinstance(value, str | int | float):
                    raise BadTemplate(f"Mapping {name}.{first} may hold neither parameters nor functions, only strings")
    found: Mapping[str, Mapping[str, Mapping[str, Any]]] = mappings
    return found


def _configuration(configuration: Any) -> Mapping[str, Any]:
    for name, value in _mapping(configuration, "DeviceConfiguration").items():
        nested = isinstance(value, list) or (isinstance(value, dict) and functions.function_of(value) is None)
        if nested or value is None:
            raise BadTemplate(f"DeviceConfiguration {name} must be a string")
    return _mapping(configuration, "DeviceConfiguration")


def _resources(resources: Any) -> tuple[Thing | None, Certificate, tuple[Policy, ...]]:
    things: list[Thing] = []
    certificates: list[Certificate] = []
    policies: list[Policy] = []
    for name, resource in _mapping(resources, "Resources").items():
        what = f"Resource {name}"
        _only(_mapping(resource, what), _PARTS, what)
        properties, settings = resource.get("Properties"), resource.get("OverrideSettings") or {}
        if not isinstance(properties, dict) or any(value is None for value in properties.values()):
            raise BadTemplate("Properties of a resource cannot be null.")
        match resource.get("Type"):
            case "AWS::IoT::Thing":
                things.append(_thing(what, properties, settings))
            case "AWS::IoT::Certificate":
                certificates.append(_certificate(what, properties, settings))
            case "AWS::IoT::Policy":
                policies.append(_policy(what, properties, settings))
            case other:
                raise BadTemplate(f"{what} has the Type {other}, which is none of Thing, Certificate and Policy")
    if not certificates:
        raise BadTemplate("Template must have certificate resource.")
    if len(certificates) > 1:
        raise BadTemplate("Only one certificate resource can be defined")
    if len(things) > 1:
        raise BadTemplate("Only one thing resource can be defined")
    return things[0] if things else None, certificates[0], tuple(policies)


def _thing(what: str, properties: Mapping[str, Any], settings: Any) -> Thing:
    _only(properties, _THING, what)
    if "ThingName" not in properties:
        raise BadTemplate(f"{what} must have a ThingName")
    overrides: dict[str, Override] = {}
    for written, value in _mapping(settings, f"OverrideSettings of {what}").items():
        name = _ALIASES.get(written, written)
        if name not in ("AttributePayload", "ThingTypeName", "ThingGroups"):
            raise BadTemplate(f"OverrideSettings of {what} has {written}, which cannot be overridden")
        overrides[name] = _override(what, name, value, merges=name != "ThingTypeName")
    return Thing(
        name=properties["ThingName"],
        attributes=properties.get("AttributePayload"),
        type=properties.get("ThingTypeName"),
        groups=properties.get("ThingGroups"),
        overrides=overrides,
    )


def _certificate(what: str, properties: Mapping[str, Any], settings: Any) -> Certificate:
    if properties.get("CertificateId") != {"Ref": CERTIFICATE_ID}:
        raise BadTemplate(f"CertificateId must contain a reference to {CERTIFICATE_ID}")
    _only(properties, _CERTIFICATE, what)
    status, kind = properties.get("Status"), properties.get("ThingPrincipalType")
    if isinstance(status, str) and status.upper() not in ("ACTIVE", "INACTIVE"):
        raise BadTemplate('A certificate resource must specify a Status of either "Active" or "Inactive"')
    if isinstance(kind, str) and kind not in {member.value for member in PrincipalType}:
        raise BadTemplate(f"{what} must have a ThingPrincipalType of EXCLUSIVE_THING or NON_EXCLUSIVE_THING")
    given = _mapping(settings, f"OverrideSettings of {what}")
    _only(given, frozenset({"Status"}), f"OverrideSettings of {what}")
    override = _override(what, "Status", given["Status"], merges=False) if "Status" in given else None
    return Certificate(status=status, principal_type=kind, override=override)


def _policy(what: str, properties: Mapping[str, Any], settings: Any) -> Policy:
    _only(properties, _POLICY, what)
    if settings:
        raise BadTemplate(f"{what} is a policy and can have no OverrideSettings")
    if ("PolicyName" in properties) == ("PolicyDocument" in properties):
        raise BadTemplate(f"{what} must have either PolicyName or PolicyDocument")
    return Policy(name=properties.get("PolicyName"), document=properties.get("PolicyDocument"))


def _override(what: str, name: str, value: Any, *, merges: bool) -> Override:
    known = {member.value for member in Override if merges or member is not Override.MERGE}
    if value not in known:
        raise BadTemplate(f"OverrideSettings of {what} must say for {name} one of {', '.join(sorted(known))}")
    return Override(value)
