"""The values of IoT SQL and how they convert.

JSON values, with numbers as int and Decimal (34 digits, exponents to 6144), JSON null as None, and Undefined as a value
of its own: what a missing field, a wrong argument or an impossible conversion gives. Booleans are not numbers here,
unlike in Python.
Source: AWS IoT developer guide, "Data types" and "Conversions".
"""

import json
import re
from decimal import ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_UP, Context, Decimal
from enum import Enum
from typing import Any, Final

NUMBERS: Final = Context(prec=34, rounding=ROUND_HALF_UP, Emin=-6143, Emax=6144)
WHOLE_DIGITS: Final = 35  # longer whole numbers stay Decimals: 1e999 is not written out
MAX_BITS: Final = 14_000  # of an Int; Python refuses to write longer ones out
MAX_TEXT: Final = 1_048_576  # characters that a function or + may make: eight times the longest message
_NUMERIC: Final = re.compile(r"-?\d+(\.\d+)?([eE]-?\d+)?")


class Undefined(Enum):
    """The one value that is not there."""

    UNDEFINED = "Undefined"

    def __bool__(self) -> bool:
        return False


UNDEFINED: Final = Undefined.UNDEFINED
Value = Any
"""None, bool, int, Decimal, str, list, dict or UNDEFINED."""


def parse_json(text: str | bytes) -> Value:
    """Parse JSON with exact numbers; raise ValueError when it is none."""
    try:
        return json.loads(text, parse_float=_exact, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _exact(text: str) -> Decimal:
    """Answer the number with all its digits; one that is too far away from 1 would take for ever to count with."""
    try:
        number = Decimal(text)
    except ArithmeticError:
        raise ValueError(f"{text[:40]} is out of range") from None
    if number and not NUMBERS.Emin <= number.adjusted() <= NUMBERS.Emax:
        raise ValueError(f"{text[:40]} is out of range")
    return number


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def write_json(value: Value) -> str:
    """Write a value as compact JSON; Undefined members and elements are left out."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case Decimal():
            return number_text(value)
        case str():
            return json.dumps(value, ensure_ascii=False)
        case list():
            return "[" + ",".join(write_json(item) for item in value if item is not UNDEFINED) + "]"
        case dict():
            members = (
                f"{json.dumps(k, ensure_ascii=False)}:{write_json(v)}" for k, v in value.items() if v is not UNDEFINED
            )
            return "{" + ",".join(members) + "}"
        case _:
            raise TypeError(f"not a value of IoT SQL: {value!r}")


def number_text(value: Decimal) -> str:
    """Write a Decimal as a JSON number, without an exponent unless it is far away from 1."""
    if value == 0:
        return "0" if value.as_tuple().exponent in (0, 1) else "0.0"
    exponent = value.adjusted()
    return format(value, "f") if -20 < exponent < 35 else str(value)


def is_number(value: Value) -> bool:
    """Tell whether this is an Int or a Decimal."""
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def whole_to_int(value: Value) -> Value:
    """Answer an Int for a Decimal without a fraction, as version 2016-03-23 does."""
    if isinstance(value, Decimal) and _is_short(value) and value == value.to_integral_value():
        return int(value)
    return value


def _is_short(value: Decimal) -> bool:
    return value.is_finite() and value.adjusted() < WHOLE_DIGITS


def to_number(value: Value) -> int | Decimal | Undefined:
    """Convert to a number: numbers as they are, numeric strings parsed, everything else Undefined."""
    if is_number(value):
        number: int | Decimal = value
        return number
    if isinstance(value, str) and _NUMERIC.fullmatch(value):
        try:
            return NUMBERS.create_decimal(value)
        except ArithmeticError:  # out of range
            return UNDEFINED
    return UNDEFINED


def to_int(value: Value) -> int | Undefined:
    """Convert to Int implicitly: Decimals to the nearest, strings truncated."""
    number = to_number(value)
    if isinstance(number, Undefined):
        return UNDEFINED
    if isinstance(number, int):
        return number
    rounding = ROUND_DOWN if isinstance(value, str) else ROUND_HALF_UP
    return int(number.to_integral_value(rounding)) if _is_short(number) else UNDEFINED


def to_int_down(value: Value) -> int | Undefined:
    """Convert to Int by rounding down, as cast and the bit functions do."""
    number = to_number(value)
    if isinstance(number, Undefined):
        return UNDEFINED
    if isinstance(number, int):
        return number
    return int(number.to_integral_value(ROUND_FLOOR)) if _is_short(number) else UNDEFINED


def to_boolean(value: Value) -> bool | Undefined:
    """Convert to Boolean: booleans, and "true"/"false" in any case."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    return UNDEFINED


def to_text(value: Value) -> str | Undefined:
    """Convert to String; Null and Undefined give Undefined."""
    if value is None or value is UNDEFINED:
        return UNDEFINED
    return str(value) if isinstance(value, str) else write_json(value)


def same(left: Value, right: Value) -> bool | Undefined:
    """Answer `=`: numbers by value, everything else by type and structure; Undefined when a side is Undefined."""
    if left is UNDEFINED or right is UNDEFINED:
        return Undefined.UNDEFINED
    return _same(left, right)


def _same(left: Value, right: Value) -> bool:
    if is_number(left) and is_number(right):
        return bool(left == right)
    if type(left) is not type(right):
        return False
    if isinstance(left, list):
        return len(left) == len(right) and all(_same(a, b) for a, b in zip(left, right, strict=True))
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(_same(left[key], right[key]) for key in left)
    return bool(left == right)


def from_double(value: float) -> Decimal | Undefined:
    """Answer a double as a Decimal; what is no number is Undefined."""
    if value != value or value in (float("inf"), float("-inf")):
        return UNDEFINED
    return Decimal(repr(value))
