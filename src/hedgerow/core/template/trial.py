"""A template that is about to be kept: what no parameter could mend is refused now, not when a device comes.

What does not depend on parameters must come out as what it must be. What was kept before these checks is still read
without them (`document.read`).
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from hedgerow.core.template import functions
from hedgerow.core.template.document import BadTemplate, Template, Use, read
from hedgerow.core.template.functions import Scope, evaluate
from hedgerow.core.template.resolution import BadValue, policy_name


def tried(text: str, use: Use = Use.CLAIM) -> Template:
    """Read a template; raises BadTemplate with the reason, and the path where that helps."""
    template = read(text, use)
    body: Mapping[str, Any] = json.loads(text)
    scope = Scope({}, template.mappings)
    for name, resource in body["Resources"].items():
        for member, value in resource["Properties"].items():
            _check(f"Resources.{name}.Properties.{member}", member, value, scope)
    return template


def _check(path: str, member: str, value: Any, scope: Scope) -> None:
    fits = _FITS.get(member)
    if fits is None or any(True for _ in functions.references(value, path)):
        return
    try:
        wrong = fits(evaluate(value, scope))
    except functions.BadFunction as error:
        raise BadTemplate(f"{path} has an invalid {error.name}") from error
    except functions.TooLong as error:
        raise BadTemplate(f"{path}: {error}") from error
    if wrong:
        raise BadTemplate(f"{path} {wrong}")


def _text(value: Any) -> str:
    return "" if isinstance(value, str) else "must be a string"


def _texts(value: Any) -> str:
    right = isinstance(value, dict) and all(isinstance(part, str) for part in value.values())
    return "" if right else "must be an object of strings"


def _list(value: Any) -> str:
    right = isinstance(value, list) and all(isinstance(part, str) for part in value)
    return "" if right else "must be a list of strings"


def _document(value: Any) -> str:
    if isinstance(value, dict):
        return ""
    if not isinstance(value, str):
        return "must be a string or an object"
    try:
        policy_name(value)
    except BadValue as error:
        return f"cannot be used: {error}"
    return ""


_FITS: Final[Mapping[str, Callable[[Any], str]]] = {
    "ThingName": _text,
    "ThingTypeName": _text,
    "BillingGroup": _text,
    "PolicyName": _text,
    "AttributePayload": _texts,
    "ThingGroups": _list,
    "PolicyDocument": _document,
}
