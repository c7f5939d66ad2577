"""Parameters of commands: their types, values and conditions, and templates that are filled in with them.

A placeholder that is the whole of a text becomes a value of the parameter's type; within a longer text it becomes text.
Source: IoT developer guide, "Commands concepts and status" (parameter value conditions), "Create and manage commands".
"""

import base64
import json
import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import cbor2

from hedgerow.services.iot.commands.errors import InvalidCommand

Value = Mapping[str, Any]  # one member, as the wire has it: {"I": 5}

MEMBERS: Final = {
    "STRING": "S",
    "BOOLEAN": "B",
    "INTEGER": "I",
    "LONG": "L",
    "DOUBLE": "D",
    "BINARY": "BIN",
    "UNSIGNEDLONG": "UL",
}
_TYPES: Final = {member: name for name, member in MEMBERS.items()}
_RANGES: Final = {"INTEGER": (-(2**31), 2**31 - 1), "LONG": (-(2**63), 2**63 - 1), "UNSIGNEDLONG": (0, 2**64 - 1)}
_NUMBERS: Final = frozenset({*_RANGES, "DOUBLE"})
_TIMEOUT: Final = "executionTimeoutSec"
_PLACEHOLDER: Final = re.compile(
    r"\$\{aws:iot:commandexecution::(?:parameter:([.$a-zA-Z0-9_-]+)|(executionTimeoutSec))\}"
)
_ANY: Final = "${aws:iot:commandexecution:"
_COMPARED: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "EQUALS": operator.eq,
    "NOT_EQUALS": operator.ne,
    "LESS_THAN": operator.lt,
    "LESS_THAN_EQUALS": operator.le,
    "GREATER_THAN": operator.gt,
    "GREATER_THAN_EQUALS": operator.ge,
}
_OF_TEXTS: Final = frozenset({"EQUALS", "NOT_EQUALS", "IN_SET", "NOT_IN_SET"})
_DEEPEST: Final = 64


def check_parameters(parameters: Sequence[Mapping[str, Any]]) -> None:
    """Raise InvalidCommand when a parameter of a command cannot be one."""
    names = [parameter["name"] for parameter in parameters]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InvalidCommand(f"mandatoryParameters: {twice} is there twice.")
    for parameter in parameters:
        kind = type_of(parameter)
        for member in ("value", "defaultValue"):
            if parameter.get(member) is not None:
                check_value(parameter["name"], kind, parameter[member])
        for condition in parameter.get("valueConditions") or ():
            _operand(parameter["name"], kind, condition)


def type_of(parameter: Mapping[str, Any]) -> str:
    """Answer a parameter's type; where it is not said it is that of its value, else STRING."""
    if parameter.get("type") is not None:
        return str(parameter["type"])
    for member in ("value", "defaultValue"):
        for name in parameter.get(member) or ():
            return _TYPES.get(name, "STRING")
    return "STRING"


def check_value(name: str, kind: str, value: Value) -> None:
    """Raise InvalidCommand when the value is not of the type."""
    member = MEMBERS[kind]
    if list(value) != [member]:
        raise InvalidCommand(f"The parameter {name} is of type {kind}: its value must be given as {member} alone.")
    if kind == "DOUBLE" and not math.isfinite(value[member]):
        raise InvalidCommand(f"The value of the parameter {name} is no number.")
    if kind in _RANGES:
        least, most = _RANGES[kind]
        if not least <= int(value[member]) <= most:
            raise InvalidCommand(f"The value of the parameter {name} is out of the range of {kind}.")


def resolved(parameters: Sequence[Mapping[str, Any]], given: Mapping[str, Value]) -> dict[str, Value]:
    """Answer the value of every parameter for one execution; raise InvalidCommand when one is missing or wrong."""
    strange = sorted(set(given) - {parameter["name"] for parameter in parameters})
    if strange:
        raise InvalidCommand(f"The command has no parameter {strange[0]}.")
    found: dict[str, Value] = {}
    for parameter in parameters:
        name, kind = parameter["name"], type_of(parameter)
        value = given.get(name) or parameter.get("value") or parameter.get("defaultValue")
        if not value:
            raise InvalidCommand(f"The parameter {name} needs a value.")
        check_value(name, kind, value)
        for condition in parameter.get("valueConditions") or ():
            if not _holds(name, kind, condition, value[MEMBERS[kind]]):
                raise InvalidCommand(f"The value of the parameter {name} does not satisfy {_words(condition)}.")
        found[name] = value
    return found


def _words(condition: Mapping[str, Any]) -> str:
    return f"{condition['comparisonOperator']} {json.dumps(condition['operand'], sort_keys=True)}"


def _holds(name: str, kind: str, condition: Mapping[str, Any], value: Any) -> bool:
    comparison, operand = condition["comparisonOperator"], _operand(name, kind, condition)
    own: Any = _number(name, str(value)) if kind in _NUMBERS else value
    if comparison in _COMPARED:
        return _COMPARED[comparison](own, operand)
    if comparison in ("IN_SET", "NOT_IN_SET"):
        return (own in operand) is (comparison == "IN_SET")
    least, most = operand
    return bool(least <= own <= most) is (comparison == "IN_RANGE")


def _operand(name: str, kind: str, condition: Mapping[str, Any]) -> Any:
    """Answer what a value is compared with; raise InvalidCommand when the condition does not go with the type."""
    comparison, operand = condition["comparisonOperator"], condition["operand"]
    if kind not in _NUMBERS and (kind != "STRING" or comparison not in _OF_TEXTS):
        raise InvalidCommand(f"The parameter {name} is of type {kind}, which has no condition {comparison}.")
    numeric = kind in _NUMBERS
    if comparison.endswith("_SET"):
        member = "numbers" if numeric else "strings"
    elif comparison.endswith("_RANGE"):
        member = "numberRange"
    else:
        member = "number" if numeric else "string"
    if list(operand) != [member]:
        raise InvalidCommand(f"The condition {comparison} of the parameter {name} needs the operand {member} alone.")
    found = operand[member]
    if not numeric:
        return found
    if member == "numbers":
        return [_number(name, each) for each in found]
    if member == "numberRange":
        return (_number(name, found["min"]), _number(name, found["max"]))
    return _number(name, found)


def _number(name: str, text: str) -> Decimal:
    try:
        found = Decimal(text)
    except InvalidOperation as error:
        raise InvalidCommand(f"{text!r}, at the parameter {name}, is no number.") from error
    if not found.is_finite() or abs(found.adjusted()) > 400:
        raise InvalidCommand(f"{text!r}, at the parameter {name}, is no number.")
    return found


def check_template(template: str, names: set[str]) -> None:
    """Raise InvalidCommand unless the template is JSON with a placeholder, and has parameters for all of them."""
    found: list[str] = []
    _walk(_json(template), lambda text: found.extend(_named(text)))
    if not found:
        raise InvalidCommand("The payloadTemplate has no placeholder.")
    missing = sorted(set(found) - names - {_TIMEOUT})
    if missing:
        raise InvalidCommand(
            f"The payloadTemplate names the parameter {missing[0]}, which is not in mandatoryParameters."
        )


def _named(text: str) -> list[str]:
    found = [match[1] or _TIMEOUT for match in _PLACEHOLDER.finditer(text)]
    if len(found) != text.count(_ANY):
        raise InvalidCommand(f"The payloadTemplate has a placeholder that there is not: {text!r}.")
    return found


def filled(template: str, values: Mapping[str, Value], *, timeout_s: int, output: str) -> bytes:
    """Answer the payload of one execution."""
    plain = {name: _plain(value, binary=output == "CBOR") for name, value in values.items()}

    def fill(text: str) -> Any:
        whole = _PLACEHOLDER.fullmatch(text)
        if whole is not None:
            return plain[whole[1]] if whole[1] else timeout_s
        return _PLACEHOLDER.sub(lambda match: _as_text(plain[match[1]] if match[1] else timeout_s), text)

    document = _walk(_json(template), fill)
    if output == "CBOR":
        return cbor2.dumps(document)
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode("utf-8")


def _plain(value: Value, *, binary: bool) -> Any:
    (member, content), *_ = value.items()
    if member == "BIN":
        return content if binary else base64.b64encode(content).decode("ascii")
    return int(content) if member == "UL" else content


def _as_text(value: Any) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    return value if isinstance(value, str) else json.dumps(value)


def _json(template: str) -> Any:
    try:
        return json.loads(template)
    except (ValueError, RecursionError) as error:
        raise InvalidCommand("The payloadTemplate is not JSON.") from error


def _walk(node: Any, change: Callable[[str], object], depth: int = 0) -> Any:
    if depth > _DEEPEST:
        raise InvalidCommand("The payloadTemplate is nested too deeply.")
    if isinstance(node, str):
        return change(node)
    if isinstance(node, list):
        return [_walk(each, change, depth + 1) for each in node]
    if isinstance(node, dict):
        if any(_ANY in key for key in node):
            raise InvalidCommand(
                "The payloadTemplate has a placeholder in the name of a member; only values have them."
            )
        return {key: _walk(each, change, depth + 1) for key, each in node.items()}
    return node
