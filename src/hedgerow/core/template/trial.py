"""A template that is about to be kept: what no parameter could mend is refused now, not when a device comes.

Whether a value is a text, a list or an object does not depend on parameters, nor do names and numbers that are written
out: each must be what its place asks for. What was kept before these checks is still read without them
(`document.read`).
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from hedgerow.core import policy
from hedgerow.core.template import functions
from hedgerow.core.template.document import BadTemplate, PrincipalType, Template, Use, read
from hedgerow.core.template.functions import Scope, evaluate, function_of
from hedgerow.core.template.resolution import BadValue, policy_name

_NAME: Final = (re.compile(r"[a-zA-Z0-9:_-]{1,128}"), "1 to 128 characters of a-z A-Z 0-9 : _ -")
_POLICY: Final = (re.compile(r"[\w+=,.@-]{1,128}", re.ASCII), "1 to 128 characters of a-z A-Z 0-9 _ + = , . @ -")
_ATTRIBUTE: Final = (re.compile(r"[a-zA-Z0-9_.,@/:#-]{1,128}"), "1 to 128 characters of a-z A-Z 0-9 _ . , @ / : # -")
_VALUE: Final = (
    re.compile(r"[a-zA-Z0-9_.,@/:#=\[\]-]{0,800}"),
    "at most 800 characters of a-z A-Z 0-9 _ . , @ / : # = [ ] -",
)
_STATUS: Final = (re.compile("active|inactive", re.IGNORECASE), "Active or Inactive")
_TYPE: Final = (re.compile("|".join(kind.value for kind in PrincipalType)), "EXCLUSIVE_THING or NON_EXCLUSIVE_THING")
_ANY: Final = (re.compile(".*", re.DOTALL), "a string")
_TEXTS: Final = {
    "ThingName": _NAME,
    "ThingTypeName": _NAME,
    "BillingGroup": _NAME,
    "PolicyName": _POLICY,
    "Status": _STATUS,
    "ThingPrincipalType": _TYPE,
}
_Fit = tuple[re.Pattern[str], str]


def tried(text: str, use: Use = Use.CLAIM) -> Template:
    """Read a template; raises BadTemplate with the reason, and the path where that helps."""
    template = read(text, use)
    body = _strictly(text)
    trial = _Trial(template)
    for name, resource in body["Resources"].items():
        path = f"Resources.{name}"
        _check_overrides(f"{path}.OverrideSettings", resource.get("OverrideSettings"))
        for member, value in resource["Properties"].items():
            trial.property_of(f"{path}.Properties.{member}", member, value)
    trial.object_of("DeviceConfiguration", body.get("DeviceConfiguration", {}), _ANY)
    if use is Use.CLAIM:
        parts = {name: part for name, part in body.items() if name != "Mappings"}
        trial.check_references(parts)
    return template


def _strictly(text: str) -> Mapping[str, Any]:
    """Read the JSON once more; refuse what would get lost on the way, or could not be sent to a device."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise BadTemplate(f"The template has {twice} twice in one object")
        return found

    def refuse(word: str) -> Any:
        raise BadTemplate(f"The template has {word}, which is no JSON")

    body: Mapping[str, Any] = json.loads(text, object_pairs_hook=once, parse_constant=refuse)
    try:
        json.dumps(body, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        raise BadTemplate(f"The template has half a surrogate pair: {error.reason}") from error
    return body


def _check_overrides(path: str, settings: Any) -> None:
    if settings is None:
        return
    if not isinstance(settings, Mapping):
        raise BadTemplate(f"{path} must be an object")
    spelled = [name.replace("_", "").lower() for name in settings]
    for name in settings:
        if spelled.count(name.replace("_", "").lower()) > 1:
            raise BadTemplate(f"{path} says twice what becomes of {name}")


class _Trial:
    """Looks at values; raises BadTemplate with the path of what cannot be right."""

    def __init__(self, template: Template) -> None:
        self._mappings = template.mappings
        self._scope = Scope({}, template.mappings)
        self._defaults = template.defaults

    def check_references(self, body: Mapping[str, Any]) -> None:
        """Refuse references to what only AWS IoT could say, and does not: no device may send it."""
        for path, name in functions.references(body, ""):
            known = name == "AWS::IoT::Certificate::Id" or self._defaults.get(name) is not None
            if name.startswith("AWS::") and not known:
                raise BadTemplate(
                    f"{path.removeprefix('.')} refers to {name}, which is not known in fleet provisioning: "
                    "of what begins with AWS:: there is only AWS::IoT::Certificate::Id"
                )

    def property_of(self, path: str, member: str, value: Any) -> None:
        match member:
            case "AttributePayload":
                self.object_of(path, value, _VALUE)
                for name in value:
                    _fit(f"{path}.{name} has a name that", name, _ATTRIBUTE)
            case "ThingGroups":
                self._texts(path, value, _NAME)
            case "PolicyDocument":
                self._document(path, value)
            case _:
                self._text(path, value, _TEXTS.get(member, _ANY))

    def _document(self, path: str, value: Any) -> None:
        function = function_of(value)
        if isinstance(value, list) or (function is not None and function[0] == "Fn::Split"):
            raise BadTemplate(f"{path} must be a string or an object")
        self._inside(path, value)
        if _is_open(value):
            return
        found = self._constant(path, value)
        try:
            text = json.dumps(found) if isinstance(found, Mapping) else str(found)
            policy_name(text)
            policy.validate(text, policy.Dialect.IOT)
        except (BadValue, policy.MalformedPolicy) as error:
            raise BadTemplate(f"{path} cannot be used: {error}") from error

    def _inside(self, path: str, value: Any) -> None:
        """Look at the functions anywhere in the value."""
        function = function_of(value)
        if function is not None:
            self._function(path, *function)
        elif isinstance(value, Mapping):
            for key, part in value.items():
                self._inside(f"{path}.{key}", part)
        elif isinstance(value, list):
            for index, part in enumerate(value):
                self._inside(f"{path}[{index}]", part)

    def object_of(self, path: str, value: Any, fit: _Fit) -> None:
        if not isinstance(value, Mapping) or function_of(value) is not None:
            raise BadTemplate(f"{path} must be an object of strings")
        for key, part in value.items():
            self._text(f"{path}.{key}", part, fit)

    def _texts(self, path: str, value: Any, fit: _Fit = _ANY) -> None:
        function = function_of(value)
        if function is not None and function[0] == "Fn::Split":
            self._function(path, *function)
        elif not isinstance(value, list):
            raise BadTemplate(f"{path} must be a list of strings")
        else:
            for index, part in enumerate(value):
                self._text(f"{path}[{index}]", part, fit)

    def _text(self, path: str, value: Any, fit: _Fit = _ANY) -> None:
        function = function_of(value)
        plain = isinstance(value, str | int | float)
        if not plain and (function is None or function[0] == "Fn::Split"):
            raise BadTemplate(f"{path} must be a string")
        if function is not None:
            self._function(path, *function)
        if not _is_open(value):
            _fit(path, self._constant(path, value), fit)

    def _constant(self, path: str, value: Any) -> Any:
        try:
            return evaluate(value, self._scope)
        except functions.BadFunction as error:
            raise BadTemplate(f"{path} has an invalid {error.name}") from error
        except functions.TooLong as error:
            raise BadTemplate(f"{path}: {error}") from error

    def _function(self, path: str, name: str, argument: Any) -> None:
        here = f"{path}.{name}"
        match name:
            case "Fn::Join":
                self._text(f"{here}[0]", argument[0])
                self._texts(f"{here}[1]", argument[1])
            case "Fn::Select":
                self._text(f"{here}[0]", argument[0])
                self._texts(f"{here}[1]", argument[1])
                self._selects(path, *argument)
            case "Fn::Split" | "Fn::FindInMap":
                for index, part in enumerate(argument):
                    self._text(f"{here}[{index}]", part)
                if name == "Fn::FindInMap":
                    self._finds(path, argument)
            case "Fn::Sub" if not isinstance(argument, str):
                self.object_of(f"{here}[1]", argument[1], _ANY)

    def _selects(self, path: str, index: Any, parts: Any) -> None:
        if _is_open(index):
            return
        number = str(self._constant(path, index))
        if not (number.isascii() and number.isdecimal()):
            raise BadTemplate(f"{path} has an invalid Fn::Select: the index {number[:32]} is no number from 0 on")
        if isinstance(parts, list) and (len(number) > 6 or int(number) >= len(parts)):
            raise BadTemplate(f"{path} has an invalid Fn::Select: the list ends before the index {number[:32]}")

    def _finds(self, path: str, argument: list[Any]) -> None:
        found: list[Any] = [self._mappings]
        for key in argument:
            name = None if _is_open(key) else str(self._constant(path, key))
            found = [part for one in found for known, part in one.items() if name is None or known == name]
            if name is not None and not found:
                raise BadTemplate(f"{path} has an invalid Fn::FindInMap: there is no {name[:128]} in Mappings there")


def _is_open(value: Any) -> bool:
    """Tell whether the value depends on parameters."""
    return any(True for _ in functions.references(value, ""))


def _fit(path: str, text: str, fit: _Fit) -> None:
    pattern, words = fit
    if pattern.fullmatch(text) is None:
        raise BadTemplate(f"{path} must be {words}")
