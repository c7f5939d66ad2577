"""Numeric functions. An argument that cannot be a number gives Undefined. Source: developer guide, "Functions"."""

import math
from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from typing import Final

from hedgerow.core.rulesql.functions.table import Function, pure
from hedgerow.core.rulesql.values import (
    NUMBERS,
    UNDEFINED,
    Undefined,
    Value,
    from_double,
    to_int_down,
    to_number,
    whole_to_int,
)

MAX_DECIMALS: Final = 34


def _double(compute: Callable[..., float]) -> Callable[..., Value]:
    """Wrap a function on doubles; what lies outside of its domain is Undefined."""

    def call(*values: Value) -> Value:
        numbers = [to_number(value) for value in values]
        if any(isinstance(number, Undefined) for number in numbers):
            return UNDEFINED
        try:
            return whole_to_int(from_double(compute(*(float(number) for number in numbers))))  # type: ignore[arg-type]  # no Undefined left
        except (ValueError, OverflowError, ZeroDivisionError):
            return UNDEFINED

    return call


def _rounded(rounding: str) -> Callable[[Value], Value]:
    def call(value: Value) -> Value:
        number = to_number(value)
        if isinstance(number, Decimal):
            return whole_to_int(number.to_integral_value(rounding))
        return number

    return call


def _bits(compute: Callable[[int, int], int]) -> Callable[[Value, Value], Value]:
    def call(left: Value, right: Value) -> Value:
        a, b = to_int_down(left), to_int_down(right)
        return UNDEFINED if isinstance(a, Undefined) or isinstance(b, Undefined) else compute(a, b)

    return call


def _absolute(value: Value) -> Value:
    number = to_number(value)
    return UNDEFINED if isinstance(number, Undefined) else abs(number)


def _sign(value: Value) -> Value:
    number = to_number(value)
    return UNDEFINED if isinstance(number, Undefined) else (number > 0) - (number < 0)


def _truncated(value: Value, decimals: Value) -> Value:
    number, places = to_number(value), to_int_down(decimals)
    if isinstance(number, Undefined) or isinstance(places, Undefined):
        return UNDEFINED
    if isinstance(number, int):
        return number
    step = Decimal(1).scaleb(-min(max(places, 0), MAX_DECIMALS))
    if number.adjusted() + min(max(places, 0), MAX_DECIMALS) >= NUMBERS.prec:
        return whole_to_int(number)
    cut = number.quantize(step, ROUND_DOWN, context=NUMBERS).normalize(NUMBERS)
    return whole_to_int(cut)


def remainder(left: Value, right: Value) -> Value:
    """Answer the remainder, whose sign follows the dividend; Undefined by zero."""
    a, b = to_number(left), to_number(right)
    if isinstance(a, Undefined) or isinstance(b, Undefined) or b == 0:
        return UNDEFINED
    if isinstance(a, int) and isinstance(b, int):
        return (-1 if a < 0 else 1) * (abs(a) % abs(b))
    try:
        return whole_to_int(NUMBERS.remainder(Decimal(a), Decimal(b)))
    except ArithmeticError:  # too far apart
        return UNDEFINED


def _bit_not(value: Value) -> Value:
    number = to_int_down(value)
    return UNDEFINED if isinstance(number, Undefined) else ~number


def _default(value: Value, otherwise: Value) -> Value:
    return otherwise if value is UNDEFINED or value is None else value


NUMERIC: Final[dict[str, Function]] = {
    "abs": pure(_absolute, 1),
    "acos": pure(_double(math.acos), 1),
    "asin": pure(_double(math.asin), 1),
    "atan": pure(_double(math.atan), 1),
    "atan2": pure(_double(math.atan2), 2),
    "bitand": pure(_bits(lambda a, b: a & b), 2),
    "bitnot": pure(_bit_not, 1),
    "bitor": pure(_bits(lambda a, b: a | b), 2),
    "bitxor": pure(_bits(lambda a, b: a ^ b), 2),
    "ceil": pure(_rounded(ROUND_CEILING), 1),
    "cos": pure(_double(math.cos), 1),
    "cosh": pure(_double(math.cosh), 1),
    "exp": pure(_double(math.exp), 1),
    "floor": pure(_rounded(ROUND_FLOOR), 1),
    "ln": pure(_double(math.log), 1),
    "log": pure(_double(math.log10), 1),
    "mod": pure(remainder, 2),
    "nanvl": pure(_default, 2),
    "power": pure(_double(math.pow), 2),
    "remainder": pure(remainder, 2),
    "round": pure(_rounded(ROUND_HALF_UP), 1),
    "sign": pure(_sign, 1),
    "sin": pure(_double(math.sin), 1),
    "sinh": pure(_double(math.sinh), 1),
    "sqrt": pure(_double(math.sqrt), 1),
    "tan": pure(_double(math.tan), 1),
    "tanh": pure(_double(math.tanh), 1),
    "trunc": pure(_truncated, 2),
}
