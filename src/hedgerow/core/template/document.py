"""A provisioning template as it was written: read and checked, not yet filled in.

A template has one certificate, at most one thing, and any number of policies. Who uses it decides about the rest: a
device that comes by itself (`CLAIM`, `JUST_IN_TIME`) owns the certificate already, and `CertificateId` refers to it;
just in time every value comes from that certificate or is a default. An operator (`OPERATOR`) names a certificate,
sends one, or sends a signing request.
What we cannot honour (package versions, sections of other template languages) is refused by name when the template is
made, not when a device comes. `DependsOn` is let pass: the order is the service's, not the template's.
Spec: AWS IoT provisioning templates; at most 10,240 characters; just-in-time provisioning's parameters.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from hedgerow.base.errors import HedgerowError
from hedgerow.core.template import functions

CERTIFICATE_ID: Final = "AWS::IoT::Certificate::Id"
OF_CERTIFICATE: Final = "AWS::IoT::Certificate::"
SUBJECT_PARTS: Final = (
    "Country",
    "Organization",
    "OrganizationalUnit",
    "DistinguishedNameQualifier",
    "StateName",
    "CommonName",
    "SerialNumber",
)
"""Just in time a template may refer to these, after `OF_CERTIFICATE`: what the certificate's subject says."""
LONGEST: Final = 10240
_LONGEST_PATH: Final = 300

_SECTIONS: Final = frozenset({"Parameters", "Mappings", "Resources", "DeviceConfiguration"})
_PARTS: Final = frozenset({"Type", "Properties", "OverrideSettings", "DependsOn"})
_NOT_HONOURED: Final = {"PackageVersions": "software packages"}
_THING: Final = frozenset({"ThingName", "AttributePayload", "ThingTypeName", "ThingGroups", "BillingGroup"})
_CERTIFICATE: Final = frozenset({"CertificateId", "Status", "ThingPrincipalType"})
_SOURCES: Final = ("CertificateId", "CertificatePem", "CertificateSigningRequest")
_POLICY: Final = frozenset({"PolicyName", "PolicyDocument"})
_ALIASES: Final = {
    "ATTRIBUTE_PAYLOAD": "AttributePayload",
    "THING_TYPE_NAME": "ThingTypeName",
    "THING_GROUPS": "ThingGroups",
}


class BadTemplate(HedgerowError):
    """The text is no template that we can honour; the message says why."""


class Use(Enum):
    """Who uses a template."""

    CLAIM = "claim"  # a device that has a certificate of ours already: fleet provisioning
    JUST_IN_TIME = "just in time"  # a device that connects with a certificate of a registered CA
    OPERATOR = "operator"  # RegisterThing, and registration in bulk


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
    billing_group: Any | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """The certificate resource. Exactly one of `id`, `pem` and `signing_request` is written."""

    id: Any | None = None
    pem: Any | None = None
    ca_pem: Any | None = None
    signing_request: Any | None = None
    status: Any | None
    principal_type: Any | None
    override: Override | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A policy resource: exactly one of `name` and `document` is written."""

    resource: str  # what the template calls it
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
    thing_resource: str = ""  # what the template calls them
    certificate_resource: str = ""


def read(text: str, use: Use = Use.CLAIM) -> Template:
    """Read a provisioning template; raises BadTemplate with the reason when it is none that we can honour."""
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
        raise BadTemplate(f"Template has an invalid {error.name} at {error.path[:_LONGEST_PATH]}") from error
    if use is not Use.CLAIM and "DeviceConfiguration" in body:
        raise BadTemplate("DeviceConfiguration reaches no device this way, only in fleet provisioning: leave it out")
    found = _Resources(_mapping(body.get("Resources"), "Resources"), use)
    template = Template(
        defaults=_defaults(body.get("Parameters", {})),
        mappings=_mappings(body.get("Mappings", {})),
        thing=found.things[0] if found.things else None,
        certificate=found.certificates[0],
        policies=tuple(found.policies),
        device_configuration=_configuration(body.get("DeviceConfiguration", {})),
        thing_resource=found.names.get("thing", ""),
        certificate_resource=found.names["certificate"],
    )
    if use is Use.JUST_IN_TIME:
        _check_references(body, template)
    return template


def parameters(text: str) -> frozenset[str]:
    """Answer what a template, which was read, declares or refers to: a value for anything else would fill nothing."""
    body: Mapping[str, Any] = json.loads(text)
    parts = {name: part for name, part in body.items() if name != "Mappings"}
    names = [*body.get("Parameters", {}), *(name for _, name in functions.references(parts, ""))]
    return frozenset(name for name in names if not name.startswith("AWS::"))  # those are not for whoever asks


def _check_references(body: Mapping[str, Any], template: Template) -> None:
    """Refuse what nothing can ever fill in when only the certificate speaks: no device sends parameters."""
    for name, default in template.defaults.items():
        part = name.removeprefix(OF_CERTIFICATE) if name.startswith(OF_CERTIFICATE) else None
        if part is not None and part != "Id" and part not in SUBJECT_PARTS:
            known = ", ".join(("Id", *SUBJECT_PARTS))
            raise BadTemplate(f"Parameter {name} is not known; after {OF_CERTIFICATE} there may be: {known}")
        if part is None and default is None:
            raise BadTemplate(f"Parameter {name} needs a Default: just in time no device sends parameters")
    for path, name in functions.references(body.get("Resources"), "Resources"):
        if name != CERTIFICATE_ID and name not in template.defaults:
            raise BadTemplate(f"{path} refers to {name}, which must be declared under Parameters")


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


class _Resources:
    """What stands under Resources; raises BadTemplate."""

    def __init__(self, resources: Mapping[str, Any], use: Use) -> None:
        self.things: list[Thing] = []
        self.certificates: list[Certificate] = []
        self.policies: list[Policy] = []
        self.names: dict[str, str] = {}
        for name, resource in resources.items():
            self._read(name, resource, use)
        if not self.certificates:
            raise BadTemplate("Template must have certificate resource.")
        if len(self.certificates) > 1:
            raise BadTemplate("Only one certificate resource can be defined")
        if len(self.things) > 1:
            raise BadTemplate("Only one thing resource can be defined")

    def _read(self, name: str, resource: Any, use: Use) -> None:
        what = f"Resource {name}"
        _only(_mapping(resource, what), _PARTS, what)
        properties, settings = resource.get("Properties"), resource.get("OverrideSettings") or {}
        if not isinstance(properties, dict):
            raise BadTemplate(f"Properties of a resource cannot be null. (Resources.{name}.Properties)")
        for member, value in properties.items():
            if value is None:
                raise BadTemplate(f"Properties of a resource cannot be null. (Resources.{name}.Properties.{member})")
        match resource.get("Type"):
            case "AWS::IoT::Thing":
                self.things.append(_thing(what, properties, settings))
                self.names["thing"] = name
            case "AWS::IoT::Certificate":
                self.certificates.append(_certificate(what, properties, settings, use))
                self.names["certificate"] = name
            case "AWS::IoT::Policy":
                self.policies.append(_policy(name, properties, settings))
            case other:
                raise BadTemplate(f"{what} has the Type {other}, which is none of Thing, Certificate and Policy")


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
        billing_group=properties.get("BillingGroup"),
    )


def _certificate(what: str, properties: Mapping[str, Any], settings: Any, use: Use) -> Certificate:
    _check_source(what, properties, use)
    status, kind = properties.get("Status"), properties.get("ThingPrincipalType")
    if isinstance(status, str) and status.upper() not in ("ACTIVE", "INACTIVE"):
        raise BadTemplate('A certificate resource must specify a Status of either "Active" or "Inactive"')
    if isinstance(kind, str) and kind not in {member.value for member in PrincipalType}:
        raise BadTemplate(f"{what} must have a ThingPrincipalType of EXCLUSIVE_THING or NON_EXCLUSIVE_THING")
    given = _mapping(settings, f"OverrideSettings of {what}")
    _only(given, frozenset({"Status"}), f"OverrideSettings of {what}")
    override = _override(what, "Status", given["Status"], merges=False) if "Status" in given else None
    return Certificate(
        id=properties.get("CertificateId"),
        pem=properties.get("CertificatePem"),
        ca_pem=properties.get("CACertificatePem"),
        signing_request=properties.get("CertificateSigningRequest"),
        status=status,
        principal_type=kind,
        override=override,
    )


def _check_source(what: str, properties: Mapping[str, Any], use: Use) -> None:
    """Check where the certificate comes from."""
    if use is not Use.OPERATOR:
        if properties.get("CertificateId") != {"Ref": CERTIFICATE_ID}:
            raise BadTemplate(f"CertificateId must contain a reference to {CERTIFICATE_ID}")
        return _only(properties, _CERTIFICATE, what)
    _only(properties, _CERTIFICATE | {*_SOURCES, "CACertificatePem"}, what)
    if sum(source in properties for source in _SOURCES) != 1:
        raise BadTemplate(f"{what} must have exactly one of {', '.join(_SOURCES)}")
    if "CACertificatePem" in properties and "CertificatePem" not in properties:
        raise BadTemplate(f"{what} has CACertificatePem, which goes with CertificatePem only")
    if CERTIFICATE_ID in (name for _, name in functions.references(dict(properties), what)):
        raise BadTemplate(f"{what} refers to {CERTIFICATE_ID}, which is known only to a device that has a certificate")
    return None


def _policy(name: str, properties: Mapping[str, Any], settings: Any) -> Policy:
    what = f"Resource {name}"
    _only(properties, _POLICY, what)
    if settings:
        raise BadTemplate(f"{what} is a policy and can have no OverrideSettings")
    if ("PolicyName" in properties) == ("PolicyDocument" in properties):
        raise BadTemplate(f"{what} must have either PolicyName or PolicyDocument")
    return Policy(resource=name, name=properties.get("PolicyName"), document=properties.get("PolicyDocument"))


def _override(what: str, name: str, value: Any, *, merges: bool) -> Override:
    known = {member.value for member in Override if merges or member is not Override.MERGE}
    if not isinstance(value, str) or value not in known:
        raise BadTemplate(f"OverrideSettings of {what} must say for {name} one of {', '.join(sorted(known))}")
    return Override(value)
